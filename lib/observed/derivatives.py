"""Smoothed positions, velocities and accelerations from noisy positions at any times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline, make_lsq_spline

from lib.observed.batches import batches_of
from lib.observed.recording import Experiment

DEGREE = 5
SPACINGS = (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64)
"""Measured times between the knots of a spline; 1 passes through every point."""
BLOCK, OVERLAP = 120, 20
"""Times that are smoothed together, and how many of them the neighbouring ones share."""
DERIVATIVES = 4
"""Values, and the first three derivatives."""


@dataclass(frozen=True)
class Smoothed:
    """One experiment's quantity x without its noise, and its derivatives."""

    value: np.ndarray
    """[times, n, dim], NaN before a body's first measured row and after its last."""
    first: np.ndarray
    """dx/dt, as value"""
    second: np.ndarray
    third: np.ndarray
    errors: np.ndarray
    """[4, times, n], standard errors of a component of value, first, second and third: what the noise leaves; in filled rows
    the value's also tells how far a coarser spline is off."""


def _spline(time: np.ndarray, values: np.ndarray, spacing: int) -> BSpline | None:
    """The spline with knots at every so many times, of values [times, ...]; None where that is not fewer knots than times."""
    degree = min(DEGREE, len(time) - 1)
    if spacing == 1:
        return make_interp_spline(time, values, degree if degree % 2 else degree - 1)
    inner = time[spacing:-spacing:spacing]
    if len(inner) + degree + 1 >= len(time):
        return None
    knots = np.concatenate([np.repeat(time[0], degree + 1), inner, np.repeat(time[-1], degree + 1)])
    return make_lsq_spline(time, values, knots, degree)


def _fits(time: np.ndarray, values: np.ndarray) -> Iterator[tuple[int, BSpline]]:
    """A spline for each spacing of knots that the times [times] allow, from the closest fit to one polynomial."""
    for spacing in SPACINGS:
        spline = _spline(time, values, spacing)
        if spline is not None:
            yield spacing, spline
        if 2 * spacing >= len(time):
            return


def _derivatives(spline: BSpline, at: np.ndarray) -> np.ndarray:
    """Value, first, second and third derivative, [4, times, ...]."""
    zero = np.zeros((len(at), *spline.c.shape[1:]))
    return np.stack([spline(at, nu=k) if k <= spline.k else zero for k in range(DERIVATIVES)])


def _blocks(count: int) -> list[tuple[slice, slice]]:
    """Slices of times that are smoothed together, and of those among them whose values are taken from there."""
    if count <= BLOCK + OVERLAP:
        return [(slice(0, count), slice(0, count))]
    step = BLOCK - 2 * OVERLAP
    starts = [*range(0, count - BLOCK, step), count - BLOCK]
    found, taken = [], 0
    for start in starts:
        last = start + BLOCK
        end = count if last == count else last - OVERLAP
        found.append((slice(start, last), slice(taken, end)))
        taken = end
    return found


def smooth(
    experiments: Sequence[Experiment], noise: float, quantity: str = "position", box: np.ndarray | None = None
) -> list[Smoothed | None]:
    """Each experiment's `position` or `velocity` smoothed, with derivatives; None where it was not measured.

    Least-squares splines of degree 5 (scipy); the spacing of their knots is each body's and block's own: the least
    predicted error, mean (residual)^2 + 2 noise^2 (free constants) / times (Mallows, Technometrics 15, 661, 1973). Missing
    rows are filled by the spline. In a periodic box paths are continuous.
    """
    found: list[Smoothed | None] = [None] * len(experiments)
    for batch in batches_of(experiments, quantity, box):
        count, times, n, dim = batch.values.shape
        values = np.full((DERIVATIVES, count, times, n, dim), np.nan)
        errors = np.full((DERIVATIVES, count, times, n), np.nan)
        for pattern in np.unique(batch.measured, axis=1).T:
            bodies = np.flatnonzero((batch.measured == pattern[:, None]).all(0))
            rows = np.flatnonzero(pattern)
            if len(rows) < 2:
                continue
            for used, taken in _blocks(len(rows)):
                own = rows[used]
                # a block's targets reach to the next block's first row, over missing rows between
                end = rows[taken.stop] if taken.stop < len(rows) else rows[-1] + 1
                targets = np.arange(rows[taken.start], end)
                paths = batch.values[:, own][:, :, bodies].transpose(1, 0, 2, 3)
                flat = paths.reshape(len(own), -1)
                time, at = batch.time[own], batch.time[targets]
                fits = [*_fits(time, flat)]
                predicted = [
                    ((flat - one(time)) ** 2).reshape(paths.shape).mean((0, 3)) + 2 * noise**2 * len(one.c) / len(own)
                    for _, one in fits
                ]
                chosen = np.argmin(predicted, axis=0)
                for k, (spacing, one) in enumerate(fits):
                    where, body = np.nonzero(chosen == k)
                    if not len(where):
                        continue
                    mine = _derivatives(one, at).reshape(DERIVATIVES, len(at), *paths.shape[1:])[:, :, where, body]
                    place = (slice(None), where[:, None], targets[None, :], bodies[body][:, None])
                    values[place] = mine.transpose(0, 2, 1, 3)
                    weights = _derivatives(_spline(time, np.eye(len(own)), spacing), at)
                    own_errors = np.repeat(noise * np.linalg.norm(weights, axis=2)[:, None], len(where), axis=1)
                    filled = ~pattern[targets]
                    if filled.any() and k + 1 < len(fits):
                        # what a coarser spline says instead bounds what may have happened in a gap
                        other = fits[k + 1][1](at).reshape(len(at), *paths.shape[1:])[:, where, body]
                        gap = np.sqrt(((mine[0] - other) ** 2).mean(2)).T
                        own_errors[0] = np.where(filled, np.hypot(own_errors[0], gap), own_errors[0])
                    errors[place] = own_errors
        for row, member in enumerate(batch.members):
            found[member] = Smoothed(*values[:, row], errors[:, row])
    return found
