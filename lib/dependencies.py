"""What a notebook depends on: every file of `lib` that its imports lead to, read from the sources."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lib import paths

NOTEBOOKS = paths.ROOT / "notebooks"
MODULE = re.compile(r"lib(\.\w+)+")
"""A module's name as text, by which it is run as a process of its own: `python -m lib.distillation.pysr_process`."""


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a syntax tree, less the blocks that only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from statements(node)


def imports(source: str) -> set[str]:
    """Dotted names of the modules of `lib` that a Python source imports or runs, anywhere in it."""
    found = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE.fullmatch(node.value):
            found.add(node.value)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.partition(".")[0] == "lib"}


def files_of(name: str) -> set[Path]:
    """A module's own file and those of its packages, which all run when it is imported; none if there is no such module."""
    parts = name.split(".")
    place = paths.ROOT.joinpath(*parts)
    own = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    packages = {paths.ROOT.joinpath(*parts[:k], "__init__.py") for k in range(1, len(parts))}
    return {own, *packages} if own.exists() else set()


@cache
def closure(name: str) -> frozenset[Path]:
    """A module's files, and those of all that it imports, directly or through others."""
    return _closure({name})


def _closure(names: set[str]) -> frozenset[Path]:
    found: set[Path] = set()
    while names:
        new = set().union(*map(files_of, names)) - found
        found |= new
        names = set().union(*(imports(file.read_text(encoding="utf-8")) for file in new))
    return frozenset(found)


@cache
def code(stage: str) -> list[Path]:
    """The stage's notebook, and every file of `lib` that it imports or that these import."""
    notebook = NOTEBOOKS / f"{stage}.ipynb"
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    source = "\n".join("".join(cell["source"]) for cell in cells)
    source = re.sub(r"(?m)^(\s*)[!%].*$", r"\1pass", source)  # commands of the shell and of IPython
    return [notebook, *sorted(_closure(imports(source)))]
