"""Whether an environment satisfies the pins of pyproject.toml; it needs the standard library alone.

`python lib/pipeline/pins.py` prints what is amiss, one line each, and exits with 1 if anything is.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


AT_WILL = ("pysr",)
"""Extras that no set-up installs unasked."""


def pins() -> dict[str, str]:
    """Pinned version of each package that the project, its tests and its site import."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = [wanted for name, wanted in project["optional-dependencies"].items() if name not in AT_WILL]
    wanted = [*project["dependencies"], *chain.from_iterable(extras)]
    return dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", text).groups() for text in wanted)


def amiss() -> list[str]:
    """Packages that are missing or of another version; a build tag such as +cpu does not matter."""
    lines = []
    for name, pin in pins().items():
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            lines.append(f"{name} {pin} is missing")
        else:
            if found != pin:
                lines.append(f"{name} is {found}, not {pin}")
    return lines


if __name__ == "__main__":
    print("\n".join(problems := amiss()))
    sys.exit(bool(problems))
