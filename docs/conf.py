"""Sphinx's settings for the site that `./run_all.sh --site` builds; lib/report/site.py stages what it reads."""

import re

from sphinx.application import Sphinx

project = "Force laws out of graph networks"
author = "the force-laws contributors"
extensions = ["myst_nb", "autoapi.extension", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md", "lib", "workflow"]
default_role = "code"
html_theme = "furo"
html_static_path = ["static"]
html_show_copyright = False
html_title = project
# source files beside the pages would double the site
html_copy_source = False

# notebooks are shown as rendered
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
# two classes may have a field of one name; symbols are assigned several at a time
suppress_warnings = ["ref.python", "autoapi.python_import_resolution"]

autoapi_dirs = ["lib"]
autoapi_root = "api"
autoapi_add_toctree_entry = False
autoapi_options = ["members", "undoc-members", "show-module-summary"]
autoapi_own_page_level = "module"

# MathJax lies in the site, which needs no network
mathjax_path = "mathjax/MathJax.js"
mathjax2_config = {
    "config": ["TeX-AMS-MML_HTMLorMML-full.js"],
    "HTML-CSS": {"availableFonts": [], "preferredFont": None, "webFont": "STIX-Web", "imageFont": None},
    "messageStyle": "none",
    "showMathMenu": False,
    "tex2jax": {"processClass": "math", "ignoreClass": "document"},
}


def plain(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text: |a| is a size and not a substitution, * a product."""
    lines[:] = [re.sub(r"(`+[^`]*`+)|([|*])", lambda found: found[1] or "\\" + found[2], line) for line in lines]


def setup(app: Sphinx) -> None:
    """Connect `plain`."""
    app.connect("autodoc-process-docstring", plain)
