"""Positions in a periodic box, followed continuously so that they can be differentiated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib.observed.recording import Experiment, Recording

UNWRAPPED = "Bodies that leave the periodic box on one side come back on the other: they are followed continuously."
ROUNDING = 1e-6
"""Relative excess over a period that rounding may make."""


def unwrapped(recording: Recording) -> Recording:
    """Positions less the jumps of more than half a period between times at which a body is known; told where any is.

    Positions that reach beyond one period are unwrapped already and stay as they are.
    """
    if recording.box is None or not all(_within(one, recording.box) for one in recording.experiments):
        return recording
    experiments = tuple(_followed(one, recording.box) for one in recording.experiments)
    if all(new is old for new, old in zip(experiments, recording.experiments, strict=True)):
        return recording
    return replace(recording, experiments=experiments).noting(UNWRAPPED)


def _within(one: Experiment, box: np.ndarray) -> bool:
    position = one.position[one.present]
    return len(position) == 0 or bool((np.ptp(position, axis=0) <= box * (1 + ROUNDING)).all())


def _followed(one: Experiment, box: np.ndarray) -> Experiment:
    position, jumped = one.position, False
    for i in range(position.shape[1]):
        known = one.present[:, i]
        path = position[known, i]
        if len(path) > 1 and (np.abs(np.diff(path, axis=0)) > box / 2).any():
            if not jumped:
                position, jumped = position.copy(), True
            turns = np.cumsum(np.round(np.diff(path, axis=0) / box), axis=0)
            position[np.flatnonzero(known)[1:], i] = path[1:] - turns * box
    return replace(one, position=position) if jumped else one
