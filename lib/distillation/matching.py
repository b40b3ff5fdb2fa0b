"""Matching: whether one expression is the law, in which gauge, by numbers instead of the eye.

An expression e is the law in gauge g when the linear fit of e on the components of g f explains it on
noise-free edges like those of training, and the same fit goes on to explain it on edges with masses,
charges and distances outside the training range.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lib.distillation.expressions import evaluate, parse
from lib.distillation.probes import Probe
from lib.messages.extraction import linear_fit
from lib.physics.forces import Pairs, input_names, pair_force
from lib.runs import System

INSIDE = 1e-3
"""Fraction of an expression's variance that the law may leave unexplained in distribution."""
OUTSIDE = 1e-2
"""The same out of distribution."""
SOFTENINGS = (0.01, 0.0, 0.005, 0.015, 0.02)
"""Forms of the law that count: softened as simulated, bare, and as an engine may fit the softening."""
GAUGES = ("force", "acceleration", "other")


@dataclass(frozen=True)
class Match:
    """How well an expression is the law in a gauge."""

    inside: float
    """1 - R^2 in distribution."""
    outside: float
    """1 - R^2 out of distribution."""
    softening: float
    """Softening of the law's form that fits best."""
    direction: np.ndarray = field(repr=False)
    """[dim], the row of A: e = g * (direction . f) + h."""
    gauge: np.ndarray = field(repr=False)
    """[receivers], g at the receivers of the inner probe, of unit norm."""

    @property
    def accepted(self) -> bool:
        return self.inside < INSIDE and self.outside < OUTSIDE


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector divided by its length."""
    return vector / max(np.linalg.norm(vector), 1e-300)


def unexplained(true: np.ndarray, fitted: np.ndarray, centre: np.ndarray) -> float:
    """SSE/SST about a centre; infinite where anything is not finite or nothing varies."""
    total = ((true - centre) ** 2).sum()
    fraction = ((true - fitted) ** 2).sum() / total if total > 0 else np.inf
    return float(fraction) if np.isfinite(fraction) else np.inf


def _fixed_gauge(power: int, values: tuple[np.ndarray, np.ndarray], probe: Probe, law: str, softening: float) -> Match:
    """e against m_1^power times the force: one fit, in distribution, used on both."""
    scaled = [pair_force(law, x, softening) * Pairs(x).m1[..., None] ** power for x in (probe.inside, probe.outside)]
    inside, outside = (f.reshape(-1, f.shape[-1]) for f in scaled)
    e_in, e_out = values[0].ravel(), values[1].ravel()
    fit = linear_fit(inside, e_in[:, None])
    return Match(
        unexplained(e_in, fit(inside)[:, 0], e_in.mean()),
        unexplained(e_out, fit(outside)[:, 0], e_out.mean()),
        softening,
        fit.slope[:, 0],
        unit(Pairs(probe.inside).m1[:, 0] ** float(power)),
    )


def _free_gauge(values: tuple[np.ndarray, np.ndarray], probe: Probe, law: str, softening: float) -> Match:
    """e against g(v_1) (direction . f) + h(v_1): g and h free for each receiver, one direction for all."""
    inside, outside = (pair_force(law, x, softening) for x in (probe.inside, probe.outside))
    slopes = np.stack([linear_fit(f, e[:, None]).slope[:, 0] for f, e in zip(inside, values[0], strict=True)])
    direction = np.linalg.svd(slopes, full_matrices=False)[2][0]
    gauges, unexplained_fractions = [], []
    for e, force in zip(values, (inside, outside), strict=True):
        middle = e.mean(axis=1, keepdims=True)
        along = force @ direction
        along = along - along.mean(axis=1, keepdims=True)
        gauges.append((along * (e - middle)).sum(axis=1) / (along**2).sum(axis=1))
        unexplained_fractions.append(unexplained(e, middle + gauges[-1][:, None] * along, middle))
    return Match(*unexplained_fractions, softening, direction, unit(gauges[0]))


def match(expression: str, system: System, probe: Probe) -> dict[str, Match]:
    """The expression against the law in each gauge, in the law's form that fits best."""
    names = input_names(system.dim)
    parsed = parse(expression, names)
    values = tuple(
        evaluate(parsed, x.reshape(-1, len(names)), names).reshape(x.shape[:2]) for x in (probe.inside, probe.outside)
    )
    if not all(np.isfinite(v).all() for v in values):
        nothing = Match(np.inf, np.inf, 0.0, np.zeros(system.dim), np.zeros(len(probe.inside)))
        return dict.fromkeys(GAUGES, nothing)
    tries = {
        "force": [_fixed_gauge(0, values, probe, system.law, s) for s in SOFTENINGS],
        "acceleration": [_fixed_gauge(-1, values, probe, system.law, s) for s in SOFTENINGS],
        "other": [_free_gauge(values, probe, system.law, s) for s in SOFTENINGS],
    }
    return {gauge: min(found, key=lambda m: (not m.accepted, m.inside)) for gauge, found in tries.items()}
