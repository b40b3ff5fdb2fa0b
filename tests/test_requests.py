"""What a batch does before and around its jobs: resources, forced and interrupted requests, leftovers, dry runs."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from engine import batch, copy_of_project, finished
from papermill.exceptions import PapermillExecutionError

import lib.pipeline.execute
from lib import paths
from lib.network.catalogue import parse_run
from lib.pipeline.batch import forget, marks, parse
from lib.pipeline.scratch import PREFIX, RECORDS, remove_leftovers

WORKER = """
import json, os, sys, time
begun = time.time()
time.sleep(2)
with open(sys.argv[2] + ".told", "w") as told:
    json.dump([begun, time.time(), os.environ["OMP_NUM_THREADS"]], told)
sys.exit(1)
"""
"""In place of a stage: it takes two seconds, tells when and with how many threads, and fails, so that nothing follows."""
BATCH = """
import sys
from lib.pipeline import batch
memory = int(sys.argv.pop())
batch.available_memory = lambda: memory
batch.main()
"""


@pytest.mark.parametrize(("memory", "at_once"), [(100, 1), (8_000, 2)])
def test_jobs_share_memory_and_cores(tmp_path, memory, at_once):
    project = copy_of_project(tmp_path / "project")
    (project / "lib" / "pipeline" / "execute.py").write_text(WORKER)
    systems = ["spring-2d", "r1-2d", "charge-2d"]
    call = [sys.executable, "-c", BATCH, "--profile", "smoke", "--cores", "2"]
    call += [word for system in systems for word in ("--only", f"{system}/l1")]
    variables = {"PYTHONPATH": str(project), "WORKSPACE": str(project), "OMP_NUM_THREADS": "64"}
    # a profile of a cluster's users does not matter
    variables |= {"SNAKEMAKE_PROFILE": str(tmp_path / "of a cluster")}
    subprocess.run([*call, str(memory)], check=False, cwd=project, env=os.environ | variables, capture_output=True)
    told = sorted(json.loads(path.read_text()) for path in project.rglob("*.told"))
    assert len(told) == len(systems) and {threads for *_, threads in told} == {"1"}
    together = [max(sum(begun <= start < end for begun, end, _ in told) for start, *_ in told)]
    assert together == [at_once]
    assert all(then[0] >= first[1] for first, then in pairwise(told)) == (at_once == 1)


@pytest.fixture
def options(tmp_path, monkeypatch):
    """A forced training, and its workspace with a checkpoint and a mark of each job, as if it all had been done."""
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    request = parse(["--retrain", "--force", "--only", "spring-2d/l1", "--profile", "smoke"])
    for path in (*marks(request), paths.checkpoint(parse_run("spring-2d", "l1", profile="smoke"))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return request


def test_a_forced_request_begins_anew_once_and_goes_on_when_interrupted(options):
    checkpoint = paths.checkpoint(parse_run("spring-2d", "l1", profile="smoke"))
    first, *rest = marks(options)
    forget(options)
    assert not any(path.exists() for path in (checkpoint, first, *rest))
    checkpoint.touch(), first.touch()  # one job done, another under way
    forget(options)
    assert checkpoint.exists() and first.exists()
    for mark in rest:
        mark.touch()
    forget(options)  # the request was finished: this is another
    assert not any(path.exists() for path in (checkpoint, first, *rest))


def test_another_forced_request_begins_anew(options):
    forget(options)
    first = marks(options)[0]
    first.touch()
    forget(parse(["--retrain", "--force", "--only", "spring-2d/l1", "--profile", "smoke", "--engine", "pysr"]))
    assert not first.exists()


def test_a_dry_run_changes_nothing(options, tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".partial-1-results.csv").touch()

    def files():
        found = (path for path in tmp_path.rglob("*") if ".snakemake" not in path.parts)
        return {path: path.stat().st_mtime_ns for path in found if path.is_file()}

    before = files()
    assert "2_train_spring_2d_l1" in finished(batch(tmp_path, "--retrain", "--force", "--only", "spring-2d/l1", "--dry-run"))
    assert files() == before


SCRATCH = """
import sys, time
from pathlib import Path
from lib.pipeline.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def job(tmp_path):
    """Begin a process that has a scratch folder for some seconds; it and the folder."""
    begun = []

    def begin(seconds):
        call = [sys.executable, "-c", SCRATCH, str(tmp_path), str(seconds)]
        begun.append(
            subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(paths.ROOT)})
        )
        return begun[-1], Path(begun[-1].stdout.readline().strip())

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def test_what_a_killed_job_leaves_is_removed(job, tmp_path):
    process, folder = job(100)
    (folder / "kernel-1").touch()
    process.kill()
    process.wait()
    assert folder.name.startswith(PREFIX) and folder.exists()
    said = []
    remove_leftovers(tmp_path, said.append)
    assert not folder.exists() and not any((tmp_path / RECORDS).iterdir()) and not said


def test_a_job_that_outlives_its_batch_is_waited_for(job, tmp_path):
    process, folder = job(3)
    said = []
    remove_leftovers(tmp_path, said.append)
    process.wait(1)
    assert said == [f"process {process.pid} of a killed run is still at work here; waiting for it"]
    assert not folder.exists() and not any((tmp_path / RECORDS).iterdir())


def test_a_batch_waits_for_another_and_for_jobs_of_a_killed_one(job, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    (tmp_path / "build").mkdir()
    with (tmp_path / "build" / "run.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        orphan, _ = job(100)
        second = batch(tmp_path, "--only", "spring-2d/l1", start_new_session=True)
        signal.signal(signal.SIGINT, before)
        try:
            assert "another run is at work here; waiting for it" in second.stdout.readline()
            time.sleep(1)
            assert second.poll() is None
            fcntl.flock(held, fcntl.LOCK_UN)
            assert f"process {orphan.pid} of a killed run is still at work here" in second.stdout.readline()
            orphan.kill()
            assert second.stdout.readline().startswith("5 jobs, ")
            assert "1_simulate spring-2d: " in second.stdout.readline()  # its progress
            os.killpg(second.pid, signal.SIGINT)
            lines = second.communicate(timeout=100)[0].splitlines(keepends=True)
            assert (
                "".join(line for line in lines if "trajectory/s" not in line)
                == "run_all.sh: stopped; the same command goes on from here\n"
            )
        finally:
            if second.poll() is None:
                os.killpg(second.pid, signal.SIGKILL)


def test_a_failed_notebook_is_named_from_where_the_user_stands(tmp_path, monkeypatch, capsys):
    def fails(source, target, parameters, folder):
        target.write_text("{}")
        raise PapermillExecutionError(0, 1, "", "KeyError", "'q'\nand more", [])

    (tmp_path / "build" / "smoke" / "outputs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "build" / "smoke")
    monkeypatch.setenv("WORKSPACE", str(tmp_path / "build" / "smoke"))
    monkeypatch.setenv(paths.CALLED_FROM, str(tmp_path))
    monkeypatch.setattr(lib.pipeline.execute, "run_notebook", fails)
    monkeypatch.setattr(sys, "argv", ["execute", "6_report", "outputs/6_report.ipynb", "profile=smoke"])
    assert lib.pipeline.execute.main() == 1
    line = "6_report of all runs failed: KeyError: 'q' and more; see build/smoke/outputs/.failed-6_report.ipynb\n"
    assert capsys.readouterr().err == line
