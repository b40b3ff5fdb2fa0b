"""The batch engine as a process of its own, for tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lib import paths
from lib.files import read_json


def without_network() -> list[str]:
    """What to put before a command so that it has no network, if the system lets us."""
    alone = ["unshare", "--map-root-user", "--net"]
    return alone if shutil.which("unshare") and subprocess.run([*alone, "true"], check=False).returncode == 0 else []


def batch(workspace: Path, *arguments: str, before: Sequence[str] = (), **options) -> subprocess.Popen:
    call = [*before, sys.executable, "-m", "lib.pipeline.batch", "--profile", "smoke", *arguments]
    environment = os.environ | {"WORKSPACE": str(workspace), "PYTHONPATH": str(paths.ROOT)}
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.Popen(
        call, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=workspace, **options
    )


def copy_of_project(place: Path) -> Path:
    """A copy of what a batch reads of the project, for tests that edit it."""
    for folder in ("lib", "notebooks", "workflow", "benchmarks", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "*-2d", "*-3d")
        shutil.copytree(paths.ROOT / folder, place / folder, ignore=ignored, copy_function=shutil.copyfile)
    return place


def finished(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    return output


def results(workspace: Path, folder: str) -> dict[str, bytes]:
    """What a run is judged by, less the seconds it took."""
    found = {path.name: path.read_bytes() for path in (workspace / "outputs" / "spring-2d" / folder).glob("*.[jc]s*")}
    training = read_json(workspace / "outputs" / "spring-2d" / folder / "training.json")
    training.pop("train_seconds")
    weights = (workspace / "model_weights" / "spring-2d" / f"{folder}-seed0.safetensors").read_bytes()
    return found | {"training.json": repr(training).encode(), "weights": weights}
