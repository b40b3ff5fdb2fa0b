"""How long jobs take on this machine, from the records of those that ended here."""

from __future__ import annotations

import csv
from contextlib import suppress
from pathlib import Path
from statistics import median

from lib import paths
from lib.pipeline.stages import Job


def record(job: Job, profile: str) -> Path:
    """Where the batch keeps what a job took; a training from nothing is another job than the report on released weights."""
    name = f"{job.name}_from_nothing" if trains(job) else job.name
    return paths.workspace(profile) / "build" / "benchmark" / f"{name}.tsv"


def trains(job: Job) -> bool:
    """Whether the job is a training from nothing, of stage 2."""
    return job.stage == "2_train" and job.parallel


def recorded(path: Path) -> float | None:
    """Seconds of processor that a record tells; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, StopIteration, TypeError), path.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["cpu_time"])
    return None


def took(job: Job, profile: str) -> float:
    """Seconds of processor that a job will take, about: what it took here, or what others of its stage took.

    Without any record, the seconds that the job itself expects. Trainings of other runs are no measure: budgets differ.
    """
    own = record(job, profile)
    if (seconds := recorded(own)) is not None:
        return seconds
    if trains(job):
        return job.seconds
    others = [recorded(path) for path in own.parent.glob(f"{job.stage}_*.tsv") if not path.stem.endswith("_from_nothing")]
    known = [seconds for seconds in others if seconds is not None]
    return median(known) if known else job.seconds
