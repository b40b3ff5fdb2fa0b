"""What a recording must hold before a law can be sought in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib.errors import InputError
from lib.observed.recording import Experiment, Recording
from lib.observed.wording import counted, listed

FEWEST_TIMES = 3
"""Times of an experiment of positions alone, from which one second derivative can be taken."""
FEWEST_ROWS = 10
"""Times of all experiments with at least two bodies."""


def checked(recording: Recording) -> Recording:
    """Without empty times and bodies; `InputError` where masses, bodies or rows do not suffice."""
    experiments = tuple(filter(None, map(_filled, recording.experiments)))
    if not experiments:
        raise InputError("holds no position")
    _check_masses(experiments)
    _check_bodies(experiments)
    recording = replace(recording, experiments=experiments)
    if all(one.velocity is None and one.acceleration is None for one in experiments):
        recording = _long_enough(recording)
    _check_rows(recording.experiments)
    return _with_gaps_told(recording)


def _filled(one: Experiment) -> Experiment | None:
    """Without times at which nobody is known, and bodies that never are; None where nothing is left."""
    present = one.present
    if not present.any():
        return None
    times, bodies = present.any(axis=1), present.any(axis=0)
    return one if times.all() and bodies.all() else one.of(times, bodies)


def _check_masses(experiments: tuple[Experiment, ...]) -> None:
    for one in experiments:
        masses = one.properties.get("mass")
        if masses is not None and not (masses > 0).all():
            name = one.bodies[int((~(masses > 0)).argmax())]
            raise InputError(f"body {name} has the mass {masses[~(masses > 0)][0]:g}: masses must be positive")


def _check_bodies(experiments: tuple[Experiment, ...]) -> None:
    if all(len(one.bodies) < 2 for one in experiments):
        raise InputError("holds one body only: a law between bodies needs at least two")
    for one in experiments:
        present = one.present
        if len(one.time) < 2 or present.all(axis=1).any():
            continue
        first = present.argmax(axis=0)
        last = len(present) - 1 - present[::-1].argmax(axis=0)
        # a time before which some bodies have all their rows, and from which on the others have theirs
        ended = np.array([last[first < k].max() for k in range(1, len(present))])
        parted = np.flatnonzero(ended < np.arange(1, len(present)))
        if parted.size:
            time = one.time[parted[0] + 1]
            raise InputError(
                f"all bodies of an experiment are replaced by others at time {time:g}: number the experiments in a column "
                f"trajectory, or give bodies the same names throughout"
            )


def _long_enough(recording: Recording) -> Recording:
    kept = tuple(one for one in recording.experiments if len(one.time) >= FEWEST_TIMES)
    short = len(recording.experiments) - len(kept)
    if not short:
        return recording
    if not kept:
        raise InputError(f"has too few rows: positions alone need at least {FEWEST_TIMES} times in an experiment")
    return replace(recording, experiments=kept).noting(
        f"{counted(short, 'experiment')} of fewer than {FEWEST_TIMES} times left out: their accelerations are unknown."
    )


def _check_rows(experiments: tuple[Experiment, ...]) -> None:
    shared = sum(int((one.present.sum(axis=1) >= 2).sum()) for one in experiments)
    if shared < FEWEST_ROWS:
        raise InputError(
            f"has too few rows: {counted(shared, 'time')} with two bodies or more, and at least {FEWEST_ROWS} are needed"
        )


def _with_gaps_told(recording: Recording) -> Recording:
    rows = [one.present.all(axis=1) for one in recording.experiments]
    missing, times = sum(int((~row).sum()) for row in rows), sum(map(len, rows))
    if missing:
        recording = recording.noting(f"At {missing} of {counted(times, 'time')} some body is missing: NaN there.")
    alone = sum(len(one.bodies) < 2 for one in recording.experiments)
    if alone:
        recording = recording.noting(f"{counted(alone, 'experiment')} of one body.")
    late = [
        name
        for one in recording.experiments[:1]
        for name, there in zip(one.bodies, one.present.T, strict=True)
        if len(recording.experiments) == 1 and not (there[0] and there[-1])
    ]
    if late:
        recording = recording.noting(f"Coming late or leaving early: {listed(late)}.")
    return recording
