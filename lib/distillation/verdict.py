"""The verdict: whether fronts hold the law, in which gauge, judged by numbers instead of the eye.

An expression e is the law in gauge g when the linear fit of e on the components of g f explains it on
noise-free edges like those of training, and the same fit goes on to explain it on edges with masses,
charges and distances outside the training range. It must also say what its channel says: a form that
leaves clearly more of the message unexplained than its front's best is the law in another gauge.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import sympy

from lib.distillation.expressions import evaluate, parse
from lib.distillation.simplification import simplest
from lib.messages.extraction import TRIM, linear_fit
from lib.physics import datasets
from lib.physics.forces import input_names, pair_force, pair_inputs
from lib.runs import System

INSIDE = 1e-3
"""Share of an expression's variance that the law may leave unexplained in distribution."""
OUTSIDE = 1e-2
"""The same out of distribution."""
FAITHFUL = 0.02
"""Share of its message's variance that an expression may leave unexplained beyond its front's best."""
SOFTENINGS = (0.01, 0.0, 0.005, 0.015, 0.02)
"""Forms of the law that count: softened as simulated, bare, and as an engine may fit the softening."""
INDEPENDENT = 0.1
"""Smallest singular value, of unit directions, at which channels count as independent."""
SAME_GAUGE = 0.999
"""Least cosine between the g of two channels that share one gauge."""
RECEIVERS = 40
GAUGES = ("force", "acceleration", "other")


@dataclass(frozen=True)
class Probe:
    """Noise-free edges: `RECEIVERS` receivers (mass, charge), each with the same senders."""

    inside: np.ndarray
    """[receivers, senders, dim+5]"""
    outside: np.ndarray
    """[receivers, senders, dim+5]"""


def probe(inputs: np.ndarray, seed: int = 0, senders: int = 500) -> Probe:
    """Edges to judge on, from the inputs [edges, dim+5] of edges like those of training.

    Outside, distances and masses begin where the training edges end, and charges are no longer units.
    """
    rng = np.random.default_rng(seed)
    dim = inputs.shape[1] - 5

    def crossed(receivers: np.ndarray, edges: np.ndarray) -> np.ndarray:
        grid = np.repeat(edges[None], len(receivers), axis=0)
        grid[..., dim + 1], grid[..., dim + 3] = receivers[:, :1], receivers[:, 1:]
        return grid

    chosen = inputs[rng.choice(len(inputs), RECEIVERS, replace=False)]
    inside = crossed(chosen[:, [dim + 1, dim + 3]], inputs[rng.choice(len(inputs), senders)])

    low, high = np.quantile(inputs[:, dim + 1], [0.001, 0.999])
    farthest = np.quantile(inputs[:, dim], 0.999)

    def masses(count: int) -> np.ndarray:
        return np.where(rng.random(count) < 0.5, low * rng.uniform(0.2, 1, count), high * rng.uniform(1, 5, count))

    direction = rng.standard_normal((senders, dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = farthest * rng.uniform(1, 3, senders)
    far = np.column_stack(
        [
            direction * distance[:, None],
            distance,
            np.ones(senders),
            masses(senders),
            np.ones(senders),
            rng.uniform(-4, 4, senders),
        ]
    )
    outside = crossed(np.column_stack([masses(RECEIVERS), rng.uniform(-4, 4, RECEIVERS)]), far)
    return Probe(inside, outside)


def frozen_probe(system: System) -> Probe:
    """The probe of a system's frozen test set less its largest forces: the same on every machine."""
    inputs = pair_inputs(system, datasets.frozen(system).graphs()[0])
    inputs = inputs.reshape(-1, inputs.shape[-1])
    size = np.linalg.norm(pair_force(system.law, inputs), axis=1)
    return probe(inputs[size < np.quantile(size, TRIM)])


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
    share = ((true - fitted) ** 2).sum() / total if total > 0 else np.inf
    return float(share) if np.isfinite(share) else np.inf


def _fixed_gauge(power: int, values: tuple[np.ndarray, np.ndarray], probes: Probe, law: str, softening: float) -> Match:
    """e against m_1^power times the force: one fit, in distribution, used on both."""
    dim = probes.inside.shape[-1] - 5
    scaled = [pair_force(law, x, softening) * x[..., [dim + 1]] ** power for x in (probes.inside, probes.outside)]
    inside, outside = (f.reshape(-1, dim) for f in scaled)
    e_in, e_out = values[0].ravel(), values[1].ravel()
    fit = linear_fit(inside, e_in[:, None])
    return Match(
        unexplained(e_in, fit(inside)[:, 0], e_in.mean()),
        unexplained(e_out, fit(outside)[:, 0], e_out.mean()),
        softening,
        fit.slope[:, 0],
        unit(probes.inside[:, 0, dim + 1] ** float(power)),
    )


def _free_gauge(values: tuple[np.ndarray, np.ndarray], probes: Probe, law: str, softening: float) -> Match:
    """e against g(v_1) (direction . f) + h(v_1): g and h free for each receiver, one direction for all."""
    inside, outside = (pair_force(law, x, softening) for x in (probes.inside, probes.outside))
    slopes = np.stack([linear_fit(f, e[:, None]).slope[:, 0] for f, e in zip(inside, values[0], strict=True)])
    direction = np.linalg.svd(slopes, full_matrices=False)[2][0]
    gauges, shares = [], []
    for e, force in zip(values, (inside, outside), strict=True):
        middle = e.mean(axis=1, keepdims=True)
        along = force @ direction
        along = along - along.mean(axis=1, keepdims=True)
        gauges.append((along * (e - middle)).sum(axis=1) / (along**2).sum(axis=1))
        shares.append(unexplained(e, middle + gauges[-1][:, None] * along, middle))
    return Match(*shares, softening, direction, unit(gauges[0]))


def match(expression: str, system: System, probes: Probe) -> dict[str, Match]:
    """The expression against the law in each gauge, in the law's form that fits best."""
    names = input_names(system.dim)
    parsed = parse(expression, names)
    values = tuple(
        evaluate(parsed, x.reshape(-1, len(names)), names).reshape(x.shape[:2]) for x in (probes.inside, probes.outside)
    )
    if not all(np.isfinite(v).all() for v in values):
        nothing = Match(np.inf, np.inf, 0.0, np.zeros(system.dim), np.zeros(RECEIVERS))
        return dict.fromkeys(GAUGES, nothing)
    tries = {
        "force": [_fixed_gauge(0, values, probes, system.law, s) for s in SOFTENINGS],
        "acceleration": [_fixed_gauge(-1, values, probes, system.law, s) for s in SOFTENINGS],
        "other": [_free_gauge(values, probes, system.law, s) for s in SOFTENINGS],
    }
    return {gauge: min(found, key=lambda m: (not m.accepted, m.inside)) for gauge, found in tries.items()}


@dataclass(frozen=True)
class Verdict:
    """Whether a run's fronts hold the law."""

    recovered: bool
    gauge: str | None
    """`force`, `acceleration` or `other`; None if not recovered."""
    expressions: list[str]
    """One a channel: the law where recovered, the engine's choice otherwise."""
    complexity: list[int]
    rank: list[int]
    """Row of each on its front, from 0."""
    chosen: list[bool]
    """Whether each is the engine's own choice."""
    choice: str | None
    """Gauge in which the engine's own choices, one a front, are the law, if in a longer form; None if they are not."""
    inside: list[float]
    outside: list[float]
    """1 - R^2 of each against the law in that gauge (the best of all gauges if not recovered)."""
    softening: list[float]
    matrix: list[list[float]]
    """A, one row a channel: message = g * (A f) + h."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def _law(matched: list[dict[int, dict[str, Match]]], rows: list[np.ndarray]) -> tuple[str, list[int]] | None:
    """Of the rows allowed of each front, the first that hold the law together, after their gauge; None if none do."""
    for gauge in GAUGES:
        accepted = [[int(k) for k in few if channel[k][gauge].accepted] for channel, few in zip(matched, rows, strict=True)]
        # rows are in order of complexity, and the first of all gauges in which they go together counts
        for together in sorted(itertools.product(*accepted), key=sum):
            found = [channel[row][gauge] for channel, row in zip(matched, together, strict=True)]
            directions = np.linalg.svd(np.stack([unit(m.direction) for m in found]), compute_uv=False)
            shared = all(abs(m.gauge @ found[0].gauge) > SAME_GAUGE for m in found)
            if shared and directions[-1] > INDEPENDENT:
                return gauge, list(together)
    return None


def judge(fronts: list[pd.DataFrame], system: System, probes: Probe) -> Verdict:
    """The verdict on the fronts of a run's channels."""
    faithful = [np.flatnonzero(front["loss"] <= front["loss"].min() + FAITHFUL) for front in fronts]
    chosen = [int(np.argmax(front["chosen"])) for front in fronts]
    matched = [
        {int(k): match(front["expression"].iloc[k], system, probes) for k in {*few, row}}
        for front, few, row in zip(fronts, faithful, chosen, strict=True)
    ]
    own = [few[front["chosen"].to_numpy()[few]] for front, few in zip(fronts, faithful, strict=True)]
    law, choice = _law(matched, faithful), _law(matched, own)
    if law is None:
        rows = chosen
        found = [min(channel[row].values(), key=lambda m: m.inside) for channel, row in zip(matched, rows, strict=True)]
    else:
        rows = law[1]
        found = [channel[row][law[0]] for channel, row in zip(matched, rows, strict=True)]
    picked = [front.iloc[row] for front, row in zip(fronts, rows, strict=True)]
    return Verdict(
        recovered=law is not None,
        gauge=law[0] if law else None,
        expressions=[str(row["expression"]) for row in picked],
        complexity=[int(row["complexity"]) for row in picked],
        rank=rows,
        chosen=[bool(row["chosen"]) for row in picked],
        choice=choice[0] if choice else None,
        inside=[m.inside for m in found],
        outside=[m.outside for m in found],
        softening=[m.softening for m in found],
        matrix=[m.direction.tolist() for m in found],
    )


def radial(expression: str, direction: list[float], system: System) -> sympy.Expr:
    """The force law that a channel says, in r, the masses and the charges, its direction and offset taken off.

    A channel is g (direction . f) + h. Along the direction, (dx, dy[, dz]) = r u, it is g |direction| F(r) + h,
    and at dx = dy = 0 it is h.
    """
    names = input_names(system.dim)
    parsed, r = parse(expression, names), sympy.Symbol("r", real=True)
    axes = [sympy.Symbol(name, real=True) for name in names[: system.dim]]
    size = float(np.linalg.norm(direction)) or 1.0
    offset = parsed.xreplace(dict.fromkeys(axes, sympy.Integer(0)))
    along = parsed.xreplace({axis: float(d) / size * r for axis, d in zip(axes, direction, strict=True)})
    said = sympy.piecewise_fold((along - offset) / size)
    if isinstance(said, sympy.Piecewise):
        return said.func(*((simplest(sympy.cancel(case)), where) for case, where in said.args))
    return simplest(sympy.cancel(said))
