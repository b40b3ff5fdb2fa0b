"""The batch engine: every stage of every released run on the smoke profile, and what a kill leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from lib import paths
from lib.execute import main as execute
from lib.files import read_json
from lib.runs import RELEASED, select
from lib.stages import jobs

RUNS = [word for name in RELEASED for word in ("--only", name)]
"""The released runs, without the simulations of further systems."""


def batch(workspace: Path, *arguments: str, **options) -> subprocess.Popen:
    call = [sys.executable, "-m", "lib.batch", "--profile", "smoke", *arguments]
    environment = os.environ | {"WORKSPACE": str(workspace), "PYTHONPATH": str(paths.ROOT)}
    environment.pop("PYTEST_CURRENT_TEST", None)
    return subprocess.Popen(
        call, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=workspace, **options
    )


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


def test_every_stage_of_every_released_run_and_then_nothing(tmp_path):
    finished(batch(tmp_path, "--retrain", *RUNS))
    table = pd.read_csv(tmp_path / "outputs" / "results.csv")
    assert len(table) == len(select([])) and set(table["profile"]) == {"smoke"}
    assert table["test_loss_per_node"].between(0, 20).all()
    for job in jobs(select([], "smoke"), [], "smoke"):
        notebook = tmp_path / job.notebook.relative_to(paths.workspace("smoke"))
        assert notebook.exists()
    started = time.monotonic()
    assert "Nothing to be done" in finished(batch(tmp_path, "--retrain", *RUNS))
    assert time.monotonic() - started < 60


def test_killed_at_any_stage_it_ends_with_the_same_results(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken and resumed"
    whole.mkdir(), broken.mkdir()
    run = ("--retrain", "--only", "spring-2d/reciprocal", "--cores", "1")
    finished(batch(whole, *run))
    # a sign of each stage being under way or just done
    signs = ["data/spring-2d/train.npz", "model_weights/spring-2d/*.safetensors", "outputs/spring-2d/reciprocal/messages.json"]
    for sign in signs:
        process = batch(broken, *run, start_new_session=True)
        while not any(broken.glob(sign)) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finished(batch(broken, *run))
    assert results(whole, "reciprocal") == results(broken, "reciprocal")
    assert not list(broken.rglob(".partial-*"))


def test_a_second_batch_waits_for_the_first(tmp_path):
    first = batch(tmp_path, "--only", "spring-2d/l1", "--dry-run")
    second = batch(tmp_path, "--only", "spring-2d/l1", "--dry-run")
    outputs = [finished(first), finished(second)]
    assert sum("another run is at work here; waiting for it" in output for output in outputs) <= 1
    assert all("4_symbolic_regression_spring_2d_l1" in output for output in outputs)


def test_without_retrain_released_weights_are_read_and_never_written():
    for job in jobs(select([]), [], "full"):
        assert not any("model_weights" in str(path) for path in job.outputs)
    trained = [
        path for job in jobs(select([]), [], "full", retrain=True) for path in job.outputs if path.suffix == ".safetensors"
    ]
    assert len(trained) == 6 * len(RELEASED)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (("system=spring-2d", "variant=l2"), "unknown variant 'l2': choose one of standard"),
        (("system=nothing-2d", "variant=l1"), "unknown law 'nothing': choose one of spring"),
        (("system=spring-2d", "variant=l1", "profile=tiny"), "unknown profile 'tiny'"),
    ],
)
def test_a_stage_with_bad_parameters_ends_in_one_line(tmp_path, monkeypatch, capsys, parameters, line):
    monkeypatch.setattr(sys, "argv", ["execute", "2_train", str(tmp_path / "out.ipynb"), *parameters])
    assert execute() == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert line in error[-1] and "Traceback" not in "".join(error)
    assert not (tmp_path / "out.ipynb").exists()


def test_an_unknown_stage_names_the_known_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["execute", "9_magic", str(tmp_path / "out.ipynb")])
    assert execute() == 2
    assert "unknown stage '9_magic': choose one of 1_simulate, 2_train" in capsys.readouterr().err
