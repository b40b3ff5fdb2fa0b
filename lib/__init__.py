"""The physics, the networks and their distillation, as the notebooks use them: one idea a file."""

import sys

# jsonschema, which nbformat imports, would build a grammar of internationalised web addresses, for two seconds
# of every job; with this module out of reach it leaves that format unchecked, and notebooks have none of it
sys.modules.setdefault("rfc3987_syntax", None)
