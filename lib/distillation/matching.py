"""Matching: whether one expression is the law, in which gauge, by numbers instead of the eye.

A message is the law up to a gauge, e = g(v_1) (A . f) + h(v_1), and the network that it is from leaves its constants a
percent off. An expression is the law if, of the registry's force with its constants and exponents free, the member that is
nearest to it has

- exponents within `EXPONENT` of the law's, and none of a mass or distance that the law lacks;
- constants within `CONSTANT` of the law's: rest lengths, and the sizes of terms relative to the first; all of it times a
  number is the same law;
- a softening between none and `MOST_SOFTENED`: searches are not shown the closest pairs, which alone tell it. Of a linear
  force it is part of the rest length, which may be that in r, or in s;

and differs from it by at most `MEMBER` in every region: receivers of each decade of mass, lighter and heavier than the data;
pairs that are nearer than the data, close, neither, far, and farther than the data; charges of either sign.

g and h are one number for each receiver, and nothing is fitted to the pairs that are judged: both are read off a few senders
within the range of the data, for any receiver, and everything else follows from the member. So a form that leaves the law
beyond the data, or for close pairs, is found out.

The gauge is `force` or `acceleration` where g is a constant, or a constant over m_1, to `CONSTANT` in each range of masses
and `EXPONENT` in the power of m_1; and `other` where it is any other function of the receiver that does not change its sign
within the range of the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import sympy
from scipy.optimize import least_squares

from lib.distillation import law_family, regions
from lib.distillation.expressions import evaluate, parse
from lib.distillation.likeness import CONSTANT, EXPONENT, FAR, MEMBER, Unlike, check_parameter
from lib.distillation.regions import Grid
from lib.distillation.unexplained import unexplained
from lib.physics.forces import Pairs, input_names
from lib.physics.laws import SOFTENING, Law, get_law
from lib.runs import System

MOST_SOFTENED = 0.02
"""Largest softening that counts; simulated is 0.01."""
ROUGHLY = 0.5
"""Deviation from the law in some region beyond which no fit is tried."""
GAUGES = {"force": 0.0, "acceleration": -1.0, "other": None}
"""Power of the receiver's mass that is g."""


@dataclass(frozen=True)
class Match:
    """How well an expression is the law in a gauge."""

    accepted: bool
    inside: float
    """1 - R^2 against the law in distribution, g and h read off senders of it."""
    outside: float
    """1 - R^2 out of distribution, with the same g and h."""
    softening: float
    """Softening of the nearest member; 0 where it is part of a rest length."""
    direction: np.ndarray = field(repr=False)
    """[dim], the row of A: e = g * (direction . f) + h."""
    gauge: np.ndarray = field(repr=False)
    """[receivers], g at receivers in distribution, of unit norm."""
    deviation: float = np.inf
    """Largest deviation from the nearest member in any region, root mean square."""
    reason: str | None = None
    """Why it is not the law."""


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector divided by its length."""
    return vector / max(np.linalg.norm(vector), 1e-300)


@dataclass(frozen=True)
class _Message:
    """An expression's values where it is judged, and where its gauge is read off."""

    judged: np.ndarray
    """[receivers, senders]"""
    slope: np.ndarray
    """[receivers, references, dim], half of what turning the separation round changes, along each axis of the grid."""
    offset: np.ndarray
    """[receivers], h: what it does not change."""

    @classmethod
    def of(cls, expression: sympy.Expr, names: list[str], grid: Grid) -> _Message | None:
        """None where a value is not finite."""
        parts = grid.judged, grid.references
        values = [evaluate(expression, part.reshape(-1, len(names)), names).reshape(part.shape[:-1]) for part in parts]
        if not all(np.isfinite(one).all() for one in values):
            return None
        there, back = np.moveaxis(values[1], -1, 0)
        return cls(values[0], (there - back) / 2, ((there + back) / 2).mean(axis=(1, 2)))


class _Comparison:
    """An expression against the members of the law's family."""

    def __init__(self, message: _Message, law: Law, grid: Grid) -> None:
        self.message, self.grid = message, grid
        self.family = law_family.of_pair(law, "r + c", divided=False, masses_vary=grid.masses_vary)
        self.columns, self.sizes = self._inputs(grid.judged)
        self.references, self.reference_sizes = self._inputs(grid.references[:, :, 0, 0])
        # all of it times a number, or a power of m_1, is the same law in another gauge
        names = [parameter.name for parameter in self.family.parameters]
        gauge = {
            next(n for n in names if n.startswith(start)) for start in ("constant", "exponent of m1") if start in str(names)
        }
        self.free = np.array([name not in gauge for name in names])
        # that of the law and not of a member, or a member that is nothing at the references would do
        self.scale = np.linalg.norm(self.slopes(self.law(SOFTENING)), axis=1)[:, None] * self.sizes

    def _inputs(self, inputs: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        pairs = Pairs(inputs)
        columns = {name: getattr(pairs, name) for name in ("r", "m1", "m2", "q1", "q2")}
        return columns, self.family.sizes(columns)

    def slopes(self, parameters: np.ndarray) -> np.ndarray:
        """g A of each receiver, [receivers, dim], along the axes of the grid, read off the references."""
        force = self.family(parameters, self.references)
        weighted = force / self.reference_sizes**2
        return (self.message.slope * weighted[..., None]).sum(axis=1) / (force * weighted).sum(axis=1)[:, None]

    def fitted(self, parameters: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """g A . f + h, [receivers, senders]."""
        along = np.einsum("ra,rsa->rs", slopes, self.grid.lines)
        return along * self.family(parameters, self.columns) + self.message.offset[:, None]

    def deviations(self, parameters: np.ndarray) -> np.ndarray:
        """Of the expression from a member, [receivers, senders], in units of the sizes of its terms."""
        with np.errstate(all="ignore"):
            found = (self.message.judged - self.fitted(parameters, self.slopes(parameters))) / self.scale
        return np.clip(np.nan_to_num(found, nan=FAR, posinf=FAR, neginf=-FAR), -FAR, FAR)

    def law(self, softening: float) -> np.ndarray:
        """The parameters that make the law, in that softening where it has one."""
        return np.array([softening if p.name == "softening" else p.value for p in self.family.parameters])

    def nearest(self, start: np.ndarray) -> np.ndarray:
        """Parameters of the member that is nearest."""
        units = np.array([1.0 if p.kind == "exponent" else abs(p.value) for p in self.family.parameters])
        clear = np.any([*self.grid.masks.values()], axis=0)

        def parameters(moved: np.ndarray) -> np.ndarray:
            found = start.copy()
            found[self.free] += moved * units[self.free]
            return found

        fit = least_squares(lambda moved: self.deviations(parameters(moved))[clear], np.zeros(self.free.sum()), max_nfev=20)
        return parameters(fit.x)


def _check(comparison: _Comparison, found: np.ndarray) -> None:
    """Raise `Unlike` unless a member's parameters are the law's."""
    for parameter, value in zip(comparison.family.parameters, found, strict=True):
        if parameter.name == "softening":
            if not -CONSTANT * SOFTENING <= value <= MOST_SOFTENED * (1 + CONSTANT):
                raise Unlike(f"softening: {value:.4g}, not 0 to {MOST_SOFTENED:g}")
        elif parameter.name == "rest length":
            # in s as it is in r
            check_parameter(parameter, value - np.clip(value - parameter.value, 0, SOFTENING))
        else:
            check_parameter(parameter, value)


def _gauge_of(slopes: np.ndarray, grid: Grid) -> tuple[str, np.ndarray, np.ndarray]:
    """Gauge, A [dim] and g [receivers], from g A [receivers, dim] of each; raises `Unlike` if there is no such A and g."""
    direction = np.linalg.svd(slopes / np.linalg.norm(slopes, axis=1, keepdims=True), full_matrices=False)[2][0]
    g = slopes @ direction
    across = np.linalg.norm(slopes - g[:, None] * direction, axis=1) / np.linalg.norm(slopes, axis=1)
    if any(np.sqrt((across[mask] ** 2).mean()) > MEMBER for mask in grid.receivers.values()):
        raise Unlike("a direction that depends on the receiver")
    for name, power in GAUGES.items():
        if power is None:
            continue
        constant = g / grid.mass**power
        if grid.masses_vary and (constant * constant[0] > 0).all():
            # an exponent within tolerance
            off = np.polyfit(np.log(grid.mass), np.log(np.abs(constant)), 1)[0]
            constant = constant / grid.mass ** np.clip(off, -EXPONENT, EXPONENT)
        level = np.median(constant[grid.within])
        if level != 0 and all(
            np.sqrt(((constant[mask] / level - 1) ** 2).mean()) <= CONSTANT for mask in grid.receivers.values()
        ):
            return name, level * direction, grid.mass**power
    for sign in (-1, 1):
        of_sign = np.sign(g[grid.within & (np.sign(grid.charge) == sign)])
        if len(set(of_sign)) > 1:
            raise Unlike("a gauge that changes its sign within the data")
    return "other", direction, g


def match(expression: str, system: System) -> dict[str, Match]:
    """The expression against the law in each gauge."""
    law, names = get_law(system.law), input_names(system.dim)
    grid = regions.grid(law, system)
    message = _Message.of(parse(expression, names), names, grid)
    if message is None:
        nothing = Match(False, np.inf, np.inf, 0.0, np.zeros(system.dim), np.zeros(grid.within.sum()), np.inf, "no value")
        return dict.fromkeys(GAUGES, nothing)
    comparison = _Comparison(message, law, grid)
    starts = [comparison.law(softening) for softening in (SOFTENING, 0.0, MOST_SOFTENED)]
    found = min(starts, key=lambda start: grid.largest(comparison.deviations(start)))
    if grid.largest(comparison.deviations(found)) <= ROUGHLY:
        found = comparison.nearest(found)
    deviation, gauge, reason = grid.largest(comparison.deviations(found)), "other", None
    slopes = comparison.slopes(found)
    try:
        if not deviation <= MEMBER:
            raise Unlike("another form than the law's")
        _check(comparison, found)
        gauge = _gauge_of(slopes, grid)[0]
    except Unlike as unlike:
        reason = str(unlike)
    softening = dict(zip((p.name for p in comparison.family.parameters), found, strict=True)).get("softening", 0.0)
    law_like = comparison.law(float(np.clip(softening, 0, MOST_SOFTENED)))
    accepted = {name: reason is None and name in (gauge, "other") for name in GAUGES}
    return {
        name: _measured(comparison, law_like, power, accepted[name], float(softening), deviation, reason)
        for name, power in GAUGES.items()
    }


def _measured(
    comparison: _Comparison,
    law: np.ndarray,
    power: float | None,
    accepted: bool,
    softening: float,
    deviation: float,
    reason: str | None,
) -> Match:
    """The match in a gauge with what the law leaves unexplained, g and h being those of the references."""
    grid, message = comparison.grid, comparison.message
    slopes = np.nan_to_num(comparison.slopes(law))
    if power is None:
        direction = np.linalg.svd(slopes[grid.within], full_matrices=False)[2][0]
        gauge = slopes @ direction
    else:
        gauge = grid.mass**power
        direction = np.median(slopes[grid.within] / gauge[grid.within, None], axis=0)
        slopes = gauge[:, None] * direction
    with np.errstate(all="ignore"):
        fitted = comparison.fitted(law, slopes)
    centre = np.broadcast_to(message.offset[:, None], fitted.shape)
    clear = np.any([*grid.masks.values()], axis=0)
    inside = np.outer(grid.within, grid.senders_within) & clear
    fractions = [unexplained(message.judged[mask], fitted[mask], centre[mask]) for mask in (inside, ~inside & clear)]
    return Match(
        accepted,
        *fractions,
        softening,
        direction @ grid.axes,
        unit(gauge[grid.within]),
        deviation,
        None if accepted else reason,
    )
