"""What is written from `pyproject.toml`: the repository's address wherever it stands, and what notebooks install on Colab.

`python -m lib.report.repository` writes all of it anew.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from lib import paths
from lib.files import write_text

COLAB_LACKS = ("diffrax", "jplephem", "openmm", "pyoperon", "skyfield-data", "torch-geometric")
"""Of the packages that notebooks import; Colab has the others, in versions of its own."""
COLAB_REQUIREMENTS = paths.ROOT / "notebooks" / "colab.txt"

PLACES = (
    r"(?<=colab\.research\.google\.com/github/)[\w.-]+/[\w.-]+",
    r"(?<=mybinder\.org/v2/gh/)[\w.-]+/[\w.-]+",
    r"(?<=https://github\.com/)[\w.-]+/[\w.-]+(?=/(?:archive|blob/main)/)",
    r'(?<=repository-code: "https://github\.com/)[\w.-]+/[\w.-]+',
)
"""Where owner and name of the repository stand: badges, the notebooks' first cell, CITATION.cff."""


def project() -> dict:
    """The table `[project]` of `pyproject.toml`."""
    return tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def owner_and_name() -> str:
    """Of the repository on GitHub, such as `force-laws/force-laws`; `ValueError` if its address is none of GitHub."""
    address = project()["urls"]["repository"]
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)/?", address)
    if found is None:
        raise ValueError(
            f"[project.urls] repository = {address!r}: badges and Colab need an address https://github.com/owner/name"
        )
    return found[1]


def with_address(text: str) -> str:
    """The text with today's address in all `PLACES`."""
    for place in PLACES:
        text = re.sub(place, owner_and_name(), text)
    return text


def colab_requirements() -> str:
    """Pins of what Colab lacks, a line each, for pip."""
    extras = (pin for extra in project()["optional-dependencies"].values() for pin in extra)
    pins = [pin for pin in (*project()["dependencies"], *extras) if pin.partition("==")[0] in COLAB_LACKS]
    return "\n".join(["# what Colab lacks, pinned; written by: python -m lib.report.repository", *sorted(pins), ""])


def written() -> dict[Path, str]:
    """The files that hold the address or the pins for Colab, each with the text that it should have."""
    notebooks = [*paths.ROOT.glob("notebooks/*.ipynb"), *paths.ROOT.glob("outputs/**/[!.]*.ipynb")]
    files = [paths.ROOT / "README.md", paths.ROOT / "CITATION.cff", *notebooks]
    return {file: with_address(file.read_text(encoding="utf-8")) for file in files} | {COLAB_REQUIREMENTS: colab_requirements()}


if __name__ == "__main__":
    for file, text in written().items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            write_text(file, text)
            print(file.relative_to(paths.ROOT))
