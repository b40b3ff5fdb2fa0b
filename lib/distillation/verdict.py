"""The verdict: whether the fronts of a run's channels hold the law, all in one gauge.

An expression must also say what its channel says: a form that leaves clearly more of the message unexplained than its
front's best is the law in another gauge.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import sympy

from lib.distillation.expressions import parse
from lib.distillation.matching import GAUGES, Match, match, unit
from lib.distillation.simplification import simplest
from lib.physics.forces import input_names
from lib.runs import System

FAITHFUL = 0.02
"""Fraction of its message's variance that an expression may leave unexplained beyond its front's best."""
INDEPENDENT = 0.1
"""Smallest singular value, of unit directions, at which channels count as independent."""
SAME_GAUGE = 0.999
"""Least cosine between the g of two channels that share one gauge."""


@dataclass(frozen=True)
class Verdict:
    """Whether the law is recovered from a run's fronts."""

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


def judge(fronts: list[pd.DataFrame], system: System) -> Verdict:
    """The verdict on the fronts of a run's channels."""
    faithful = [np.flatnonzero(front["loss"] <= front["loss"].min() + FAITHFUL) for front in fronts]
    chosen = [int(np.argmax(front["chosen"])) for front in fronts]
    matched = [
        {int(k): match(front["expression"].iloc[k], system) for k in {*few, row}}
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
    """The radial force of a channel's expression, in r, the masses and the charges, without its direction and offset.

    A channel is g (direction . f) + h. Along the direction, (dx, dy[, dz]) = r u, it is g |direction| F(r) + h,
    and at dx = dy = 0 it is h.
    """
    names = input_names(system.dim)
    parsed, r = parse(expression, names), sympy.Symbol("r", real=True)
    axes = [sympy.Symbol(name, real=True) for name in names[: system.dim]]
    size = float(np.linalg.norm(direction)) or 1.0
    offset = parsed.xreplace(dict.fromkeys(axes, sympy.Integer(0)))
    along = parsed.xreplace({axis: float(d) / size * r for axis, d in zip(axes, direction, strict=True)})
    found = sympy.piecewise_fold((along - offset) / size)
    if isinstance(found, sympy.Piecewise):
        return found.func(*((simplest(sympy.cancel(case)), where) for case, where in found.args))
    return simplest(sympy.cancel(found))
