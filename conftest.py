"""Tests never write into the checkout: they read and write a copy of its released files elsewhere."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Make the copy once; workers and kernels find it by the variable WORKSPACE."""
    os.environ["PYTHONPATH"] = str(ROOT)
    if "WORKSPACE" in os.environ:
        return
    config.made_workspace = tempfile.mkdtemp(prefix="force-laws-")
    os.environ["WORKSPACE"] = config.made_workspace
    for name in ("model_weights", "outputs"):
        shutil.copytree(ROOT / name, Path(config.made_workspace) / name, ignore=shutil.ignore_patterns("*.ipynb"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the copy."""
    if made := getattr(config, "made_workspace", None):
        shutil.rmtree(made, ignore_errors=True)
        del os.environ["WORKSPACE"]
