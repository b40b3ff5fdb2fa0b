"""Experiments with the same clock and the same missing rows, put together so that one operator serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.observed.periodic import unwrapped
from lib.observed.recording import Experiment

DIGITS = 7
"""Decimals, in units of the median interval, to which times must agree."""


@dataclass(frozen=True)
class Batch:
    """What was measured of one quantity in experiments that share their times and their missing rows."""

    members: np.ndarray
    """[experiments], their numbers."""
    time: np.ndarray
    """[times], from 0."""
    measured: np.ndarray
    """[times, n; bool]"""
    values: np.ndarray
    """[experiments, times, n, dim], NaN where not measured; positions as continuous paths."""


def interval_of(time: np.ndarray) -> float:
    """The median interval of a clock [times]."""
    return float(np.median(np.diff(time))) if len(time) > 1 else 1.0


def batches_of(experiments: Sequence[Experiment], quantity: str, box: np.ndarray | None = None) -> list[Batch]:
    """All experiments' `position`, `velocity` or `acceleration`, by shared times and missing rows; none where not measured."""
    groups: dict[tuple[bytes, bytes, tuple[int, ...]], list[int]] = {}
    values: list[np.ndarray | None] = []
    for number, one in enumerate(experiments):
        found = getattr(one, quantity)
        values.append(None if found is None else unwrapped(found, box if quantity == "position" else None))
        if found is None or not len(one.time):
            continue
        clock = np.round((one.time - one.time[0]) / interval_of(one.time), DIGITS)
        key = (clock.tobytes(), np.isfinite(found).all(2).tobytes(), found.shape)
        groups.setdefault(key, []).append(number)
    return [
        Batch(
            np.array(members),
            experiments[members[0]].time - experiments[members[0]].time[0],
            np.isfinite(values[members[0]]).all(2),
            np.stack([values[k] for k in members]),
        )
        for members in groups.values()
    ]
