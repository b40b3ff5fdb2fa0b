"""Tests never write into the checkout, nor where a user's WORKSPACE points: they read and write copies of the released files.

All share one, but for rendered notebooks: each that nbval executes again writes a copy of its own, and a last item of it
compares the figures found there with the released ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbval.plugin import IPyNbFile

from tests.figures import FIGURES, differences

ROOT = Path(__file__).parent
RELEASED = ROOT / "outputs"


def copy_outputs(workspace: Path) -> None:
    """Copy `outputs/` into a workspace, less the notebooks."""
    shutil.copytree(RELEASED, workspace / "outputs", ignore=shutil.ignore_patterns("*.ipynb"))


def pytest_configure(config: pytest.Config) -> None:
    """Make the copy; workers of pytest-xdist and kernels find it by the variable WORKSPACE."""
    os.environ["PYTHONPATH"] = str(ROOT)
    if hasattr(config, "workerinput"):
        return
    config.own_workspace = Path(tempfile.mkdtemp(prefix="force-laws-"))
    config.users_workspace = os.environ.get("WORKSPACE")
    os.environ["WORKSPACE"] = str(config.own_workspace)
    shutil.copytree(ROOT / "model_weights", config.own_workspace / "model_weights")
    copy_outputs(config.own_workspace)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the copy."""
    if own := getattr(config, "own_workspace", None):
        shutil.rmtree(own, ignore_errors=True)
        del os.environ["WORKSPACE"]
        if config.users_workspace is not None:
            os.environ["WORKSPACE"] = config.users_workspace


class Figures(pytest.Item):
    """The last item of a rendered notebook: its figures are the released ones, within their tolerances."""

    def runtest(self) -> None:
        place = self.path.parent.relative_to(RELEASED)
        amiss = differences(self.path.stem, Path(os.environ["WORKSPACE"], "outputs", place), RELEASED / place)
        assert not amiss, "\n".join(amiss)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        return str(excinfo.value)


def is_rendered(item: pytest.Item) -> bool:
    """Whether an item is of a rendered notebook of `outputs/`."""
    return isinstance(item.parent, IPyNbFile) and RELEASED in item.path.parents


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After the last cell of each rendered notebook, compare its figures."""
    last = {item.parent: item for item in items if is_rendered(item) and item.path.stem in FIGURES}
    for file, item in last.items():
        items.insert(items.index(item) + 1, Figures.from_parent(file, name="figures"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Give each rendered notebook, before its kernel starts, a workspace of its own, and take it away after its last item."""
    if not is_rendered(item):
        return (yield)
    if not hasattr(item.parent, "shared_workspace"):
        item.parent.shared_workspace = shared = Path(os.environ["WORKSPACE"])
        os.environ["WORKSPACE"] = own = tempfile.mkdtemp(prefix="notebook-", dir=shared)
        copy_outputs(Path(own))
        for name in ("data", "model_weights"):
            (shared / name).mkdir(exist_ok=True)
            Path(own, name).symlink_to(shared / name)
        for name in FIGURES.get(item.path.stem, {}):  # what is there in the end has been written anew
            Path(own, "outputs", item.path.parent.relative_to(RELEASED), name).unlink()
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.parent is not item.parent:
            shutil.rmtree(os.environ["WORKSPACE"], ignore_errors=True)
            os.environ["WORKSPACE"] = str(item.parent.shared_workspace)
