"""The batch engine: every stage of every kind of run on the smoke profile, batches killed and resumed, and bad requests."""

import os
import re
import shutil
import signal
import sys
import time
from dataclasses import replace

import nbformat
import pandas as pd
import psutil
import pytest
from engine import batch, finished, results, without_network

import lib.pipeline.batch
from lib import paths
from lib.files import read_json
from lib.many_body import argon, halos
from lib.network import weights
from lib.network.catalogue import LARGER, select
from lib.pipeline.execute import literal
from lib.pipeline.execute import main as execute
from lib.pipeline.stages import jobs
from lib.report.results import LARGER_PART, larger
from lib.report.tables import APPENDIX

RUNS = ["spring-2d/reciprocal", "spring-2d/hamiltonian", "charge-3d/kl"]
"""A run of every kind: messages that are as they come, slopes of energies or drawn, the last in another law and dimension."""
ASKED = [word for run in RUNS for word in ("--only", run)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The workspace of an unbroken batch, made without a network where the system lets us."""
    workspace = tmp_path_factory.mktemp("whole")
    finished(batch(workspace, "--retrain", *ASKED, before=without_network()))
    return workspace


def test_every_stage_of_every_kind_of_run_and_then_nothing(whole):
    table = pd.read_csv(whole / "outputs" / "results.csv")
    runs = select(RUNS, "smoke")
    assert {(row.system, row.variant, row.seed, row.profile) for row in table.itertuples()} == {
        (str(run.system), run.variant, run.seed, run.profile) for run in runs
    }
    assert table["test_loss_per_node"].between(0, 20, inclusive="neither").all()
    started = time.monotonic()
    said = finished(batch(whole, "--retrain", *ASKED))
    assert "Nothing to be done" in said
    for run in runs:
        assert re.search(rf"^{run}: .*acceleration of body 1|^{run}: no law is announced", said, re.MULTILINE)
    assert time.monotonic() - started < 60


def test_only_what_is_asked_for_and_the_report(whole):
    stages = {job.stage for job in jobs(select(RUNS, "smoke"), "smoke")}
    assert stages == {path.stem for path in (whole / "outputs").rglob("*.ipynb")}
    assert not stages & {"0_demo", *APPENDIX, *LARGER}


@pytest.mark.parametrize("stage", APPENDIX)
def test_the_appendix_compares_the_runs_of_a_workspace(stage, whole, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(whole))
    monkeypatch.setattr(sys, "argv", ["execute", stage, str(whole / "build" / f"{stage}.ipynb"), "profile=smoke"])
    assert execute() == 0


def test_searches_without_a_network_are_made_where_they_are_missing(whole):
    control = pd.read_csv(whole / "outputs" / "without_network.csv")
    assert list(control["system"]) == ["spring-2d"] and control["unexplained"].between(0, 1).all()


@pytest.mark.parametrize("retrain", [False, True])
def test_searches_without_a_network_are_kept_unless_all_is_made_anew(retrain):
    job = {job.stage: job for job in jobs(select([]), "full", True, retrain)}["5d_what_the_network_contributes"]
    control = paths.without_network("full")
    assert (control in job.reads, control in job.outputs) == (not retrain, retrain)


def test_what_a_checkout_brings_along_is_made_again(whole, tmp_path):
    clone = tmp_path / "clone"
    # without the marks of what was made there, and newer than all that it is made from
    shutil.copytree(whole, clone, ignore=shutil.ignore_patterns("build", ".snakemake"), copy_function=shutil.copyfile)
    asked = set(re.findall(r"^\d_\w+", finished(batch(clone, *ASKED, "--dry-run")), re.MULTILINE))
    assert asked == {job.name for job in jobs(select(RUNS, "smoke"), "smoke")}


def test_killed_at_any_stage_it_ends_with_the_same_results(whole, tmp_path):
    broken = tmp_path / "broken and resumed"
    broken.mkdir()
    run = ("--retrain", "--only", "spring-2d/reciprocal", "--cores", "1")
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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_alone_it_takes_its_jobs_along(tmp_path, how):
    # where this process ignores interrupts, the batch would too
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = batch(tmp_path, "--retrain", "--only", "spring-2d/reciprocal", start_new_session=True)
    signal.signal(signal.SIGINT, before)
    try:
        while not any(tmp_path.glob("data/spring-2d/train.npz")) and process.poll() is None:
            time.sleep(0.05)
        jobs_of = psutil.Process(process.pid).children(recursive=True)
        assert len(jobs_of) > 1
        os.kill(process.pid, how)
        assert "the same command goes on from here" in process.communicate(timeout=120)[0]
        assert process.returncode == 130
        _, alive = psutil.wait_procs(jobs_of, timeout=10)
        assert not alive
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def test_the_demo_tells_its_story_of_any_choice(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    told = tmp_path / "0_demo.ipynb"
    choice = ("law=charge", "dimension=3", "variant=l1", "profile=smoke")
    monkeypatch.setattr(sys, "argv", ["execute", "0_demo", str(told), *choice])
    assert execute() == 0
    printed = [
        out.text for cell in nbformat.read(told, 4).cells if cell.cell_type == "code" for out in cell.outputs if "text" in out
    ]
    assert "charge-3d/l1 with the budget 'smoke'\n" in printed
    assert any(text.startswith("recovered: ") for text in printed)


@pytest.mark.parametrize(
    ("stage", "problem"),
    [("8_argon", argon.PROBLEM), ("9_halos", halos.PROBLEM)],
)
def test_a_problem_is_made_learned_and_distilled_in_one_notebook(stage, problem, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["execute", stage, str(tmp_path / f"{stage}.ipynb"), "profile=smoke"])
    assert execute() == 0
    run = replace(LARGER[stage], profile="smoke")
    assert isinstance(read_json(paths.outputs(run) / LARGER_PART)["recovered"], bool)
    assert weights.load(run, problem)[1]["variant"] == run.variant
    assert len(larger("smoke")) == 1


def test_a_cluster_is_offered_the_same_jobs(tmp_path):
    here, there = (batch(tmp_path, "--only", "spring-2d", "--dry-run", *how) for how in ((), ("--executor", "slurm")))
    asked = [set(re.findall(r"^\d_\w+", finished(one), re.MULTILINE)) for one in (here, there)]
    assert asked[0] == asked[1] >= {job.name for job in jobs(select(["spring-2d"], "smoke"), "smoke")}


def test_a_missing_plugin_ends_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(lib.pipeline.batch, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["run_all.sh", "--executor", "slurm"])
    assert lib.pipeline.batch.main() == 2
    assert capsys.readouterr().err == "run_all.sh: executor slurm needs: pip install snakemake-executor-plugin-slurm\n"


def test_without_retrain_released_weights_are_read_and_never_written():
    for retrain in (False, True):
        graph = jobs(select([]), "full", retrain=retrain)
        written = [path for job in graph for path in job.outputs if path.suffix == ".safetensors"]
        assert sorted(written) == (sorted(paths.weights(run) for run in select([])) if retrain else [])


@pytest.mark.parametrize(
    ("stage", "parameters", "line"),
    [
        ("2_train", ("system=spring-2d", "variant=l2"), "unknown variant 'l2': choose one of standard"),
        ("1_simulate", ("system=spring-2d", "n=1"), "n = 1: a pair law needs 2 bodies or more"),
        ("4_symbolic_regression", ("system=spring-2d", "engine=eureqa"), "unknown engine 'eureqa': choose one of operon, pysr"),
    ],
)
def test_a_stage_with_bad_parameters_ends_in_one_line(tmp_path, monkeypatch, capsys, stage, parameters, line):
    monkeypatch.setattr(sys, "argv", ["execute", stage, str(tmp_path / "out.ipynb"), *parameters])
    assert execute() == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert line in error[-1] and "Traceback" not in "".join(error)
    assert not (tmp_path / "out.ipynb").exists()


def test_an_unknown_parameter_names_the_known_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["execute", "2_train", str(tmp_path / "out.ipynb"), "sytem=r1-2d"])
    with pytest.raises(SystemExit) as stopped:
        execute()
    assert stopped.value.code == 2
    assert "2_train has no parameter 'sytem': choose of system, variant, seed, profile" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("1e-3", 1e-3), ("None", None), ("spring-2d", "spring-2d"), ("{", "{")])
def test_a_parameter_is_read_as_python_reads_it(text, value):
    assert literal(text) == value


def test_an_unknown_stage_names_the_known_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["execute", "9_magic", str(tmp_path / "out.ipynb")])
    assert execute() == 2
    assert "unknown stage '9_magic': choose one of 0_demo, 1_simulate, 2_train" in capsys.readouterr().err
