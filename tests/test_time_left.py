"""The batch's log: what is left to do, and in which order it is done."""

import logging
import time
from dataclasses import replace
from importlib import import_module
from itertools import pairwise

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from lib import paths
from lib.network.catalogue import select
from lib.pipeline import durations
from lib.pipeline.stages import jobs


@pytest.fixture
def log(monkeypatch, capsys):
    """The batch's log with three jobs of a minute on two cores, its clock, and what it said since it was last asked."""
    monkeypatch.syspath_prepend(paths.ROOT / "workflow")
    left = import_module("snakemake_logger_plugin_time_left")
    monkeypatch.setattr(left, "expected", {name: (f"stage {name}", 60.0) for name in "abc"})
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    handler = left.LogHandler(None, None)

    def hears(event: LogEvent | None = None, level: int = logging.INFO, msg: str = "", **rest) -> str:
        handler.emit(logging.makeLogRecord({"levelno": level, "msg": msg, "event": event, **rest}))
        return capsys.readouterr().err

    hears(LogEvent.RESOURCES_INFO, cores=2)
    for number, name in enumerate("abc"):
        hears(LogEvent.JOB_INFO, jobid=number, rule_name=name)
    return hears, clock


def test_the_time_left_is_the_work_left_at_the_pace_so_far(log):
    hears, clock = log
    assert hears(LogEvent.RUN_INFO, stats=dict.fromkeys(["a", "b", "c", "all", "total"], 1)) == "3 jobs, some 2 min left\n"
    clock[0] = 600.0  # twenty core minutes for a minute of work
    assert hears(LogEvent.JOB_FINISHED, job_id=1) == "1 of 3 done, some 7 min left: stage b\n"
    assert hears(LogEvent.JOB_FINISHED, job_id=0) == "2 of 3 done, some 3 min left: stage a\n"
    assert hears(LogEvent.JOB_FINISHED, job_id=2) == "3 of 3 done, none left: stage c\n"


def test_what_goes_wrong_is_said_and_the_rest_is_not(log):
    hears, _ = log
    assert hears(level=logging.ERROR, msg="a disk is full") == "a disk is full\n"
    assert hears(msg="Select jobs to execute...") == hears(LogEvent.SHELLCMD, msg="true") == ""


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("returned non-zero exit status 1.", ""),
        ("returned non-zero exit status 130.", ""),
        ("died with <Signals.SIGINT: 2>.", ""),
        ("returned non-zero exit status 137.", "2_train returned non-zero exit status 137.\n"),
        ("died with <Signals.SIGKILL: 9>.", "2_train died with <Signals.SIGKILL: 9>.\n"),
    ],
)
def test_a_failed_job_is_said_in_one_line_and_once(log, how, line):
    hears, _ = log
    error = (
        f"RuleException:\nCalledProcessError in file x:\nCommand 'set -e; python -m lib.pipeline.execute 2_train o.ipynb' {how}"
    )
    assert hears(level=logging.ERROR, msg=error) == line


def test_other_errors_are_said_in_one_line_and_that_of_the_batch_by_the_batch(log):
    hears, _ = log
    assert hears(level=logging.ERROR, msg="WorkflowError:\nNo space left.") == "WorkflowError: No space left.\n"
    assert hears(level=logging.ERROR, msg="WorkflowError:\nAt least one job did not complete successfully.") == ""


def test_a_system_is_done_before_the_next_and_two_dimensions_before_three():
    runs = select([])
    order = [job.label.split("/")[0] for job in jobs(runs, "full", everything=True) if job.stage != "0_demo"]
    systems = [str(system) for system in dict.fromkeys(run.system for run in runs)]
    assert [name[-2:] for name in systems] == ["2d"] * 4 + ["3d"] * 4
    for first, then in pairwise(systems):
        assert len(order) - order[::-1].index(first) <= order.index(then)


def test_jobs_take_what_they_took_here(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    work = {job.name: job for job in jobs(select(["spring-2d/l1", "spring-2d/kl"], "smoke"), "smoke")}
    first, other = (work[f"3_message_analysis_spring_2d_{variant}"] for variant in ("l1", "kl"))
    train, untrained = (work[f"2_train_spring_2d_{variant}"] for variant in ("l1", "kl"))

    def expected():
        return [durations.took(job, "smoke") for job in (first, other, train, untrained)]

    guessed = [job.seconds for job in (first, other, train, untrained)]
    assert expected() == guessed
    (elsewhere,) = (job for job in jobs(select(["r1-2d/l1"], "smoke"), "smoke") if job.stage == first.stage)
    for job, seconds in ((first, "71.5"), (train, "300"), (elsewhere, "damaged")):
        path = durations.record(job, "smoke")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tcpu_time\n99\t0:01:39\t{seconds}\n")
    assert expected() == [71.5, 71.5, 300.0, guessed[3]]
    released = replace(train, parallel=False)
    assert durations.took(released, "smoke") == released.seconds, "a report on weights is no training"
