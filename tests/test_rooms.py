"""The rooms of `lib`: imports run one way, from a room to those below it, and no module imports itself in a circle."""

import graphlib

import pytest

from lib.dependencies import files_of, imports
from lib.paths import ROOT

ORDER = ("", "physics", "network", "messages", "distillation", "selection", "observed", "many_body", "report", "pipeline")
"""From the ground up; the ground is the files of `lib` itself."""
SOURCES = sorted((ROOT / "lib").rglob("*.py"))


def room(path):
    return "" if path.parent == ROOT / "lib" else path.parent.name


def reached(path):
    """Files that a file imports, less the packages that they lie in."""
    found = set().union(*map(files_of, imports(path.read_text(encoding="utf-8"))))
    return {file for file in found if file.name != "__init__.py"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "lib")))
def test_no_import_leads_to_a_room_above(path):
    above = ORDER[ORDER.index(room(path)) + 1 :]
    assert not [file for file in reached(path) if room(file) in above]


def test_no_circles():
    graph = graphlib.TopologicalSorter({path: reached(path) for path in SOURCES})
    assert len([*graph.static_order()]) == len(SOURCES)


def test_every_folder_is_a_room_with_a_word_about_itself():
    packages = [path.parent.name for path in SOURCES if path.name == "__init__.py" and path.parent != ROOT / "lib"]
    assert set(packages) <= set(ORDER)
    assert all((ROOT / "lib" / name / "__init__.py").read_text().startswith('"""') for name in packages)
