"""Constants of a law fitted to the measured positions themselves, through the integrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lib.errors import InputError
from lib.observed.integrator import with_steps
from lib.observed.multiple_shooting import Minimum, minimum
from lib.observed.recording import Recording
from lib.observed.segments import Segments
from lib.observed.tracks import Tracks
from lib.selection.fitting import Family
from lib.selection.law import Constant, Law

ASTRAY = 1.05
"""A longer segment's fit is taken if its residuals are not larger than this many times those of the shorter one's."""


@dataclass(frozen=True)
class ShootingFit:
    """Constants fitted to positions."""

    law: Law
    """With these constants."""
    constants: tuple[Constant, ...]
    """In the order of the law's numbers: radial, transverse, single. No standard error where the data do not determine one."""
    covariance: np.ndarray
    """[parameters, parameters], by the sandwich estimate over trajectories; of constants, then of scalars."""
    scalars: Mapping[str, np.ndarray]
    """Properties that were free, each [n]."""
    scalar_errors: Mapping[str, np.ndarray]
    """Each [n], NaN where the data do not determine it."""
    noise: float
    """Standard deviation of a component of the residuals, degrees of freedom allowed for."""
    residuals: int
    """Numbers fitted to."""
    segments: int
    """Segments fitted to."""
    left_out: int
    """Segments that no integration followed closely enough."""
    converged: bool


def shoot(
    law: Law,
    recording: Recording,
    scalars: Mapping[str, np.ndarray] | None = None,
    held: frozenset[int] = frozenset(),
    ties: np.ndarray | None = None,
    seed: int = 0,
) -> ShootingFit:
    """A law's constants, and what `scalars` [n] name of the bodies' properties, fitted to the measured positions.

    The law's floating-point numbers are where the fit starts, equal ones being one constant; of those that `held` numbers, and
    of those in conditions, none is moved. Properties are the recording's, or free scalars of bodies that are the same in all
    experiments; the largest of each is held, since their scale is free. Velocities count too where they were measured.
    Rows may be missing and times irregular. Raises `InputError` where no segment can be fitted.
    """
    scalars = dict(scalars or {})
    tracks, family = Tracks.of(recording, law.order, scalars), Family(law)
    model, values = tracks.model(family, [*scalars], ties), family.start
    parameters = np.concatenate([values, *(np.asarray(one, float) for one in scalars.values())])
    free = np.ones(len(parameters), bool)
    free[: len(values)] = ~family.thresholds & [k not in held for k in range(len(values))]
    for k, one in enumerate(scalars.values()):
        free[len(values) + k * len(one) + int(np.argmax(np.abs(one)))] = False
    best: tuple[Minimum, Segments, int] | None = None
    for length in tracks.lengths:
        segments = tracks.segments(length, int(free.sum()), seed)
        if segments is None:
            break
        followed = with_steps(model, parameters, segments)
        kept = followed.take(followed.steps > 0)
        if not len(kept.time):
            break
        fitted = minimum(model, parameters, free, kept)
        # what long segments leave must be the same noise, or some of them went astray
        if best is not None and not (fitted.scale < ASTRAY * best[0].scale and len(kept.time) > len(segments.time) / 2):
            break
        best, parameters = (fitted, kept, len(segments.time) - len(kept.time)), fitted.parameters
    if best is None:
        raise InputError("positions cannot be followed through this law: trajectories are too short, or it diverges")
    fitted, kept, left_out = best
    found = family.with_constants(fitted.parameters[: len(values)])
    errors = np.sqrt(np.where(fitted.determined, np.diag(fitted.covariance), np.nan))
    constants = tuple(
        Constant(f"c{k + 1}", float(value), float(errors[k]) if np.isfinite(errors[k]) and free[k] else None)
        for k, value in enumerate(fitted.parameters[: len(values)])
    )
    by_body = np.split(np.arange(len(values), len(parameters)), max(len(scalars), 1)) if scalars else []
    return ShootingFit(
        found,
        constants,
        fitted.covariance,
        {name: fitted.parameters[own] for name, own in zip(scalars, by_body, strict=True)},
        {name: errors[own] for name, own in zip(scalars, by_body, strict=True)},
        fitted.scale * tracks.noises["position"],
        int((kept.weight > 0).sum()) * law.dim,
        len(kept.time),
        left_out,
        fitted.converged,
    )
