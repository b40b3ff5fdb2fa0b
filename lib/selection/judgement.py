"""The verdict on an announced law: right, wrong, or none announced. It alone knows the truth, and it comes last.

An announcement is right if it is the registry's law, in whatever algebraic form:

- **Structure.** With its own constants free, the announced formula becomes the law exactly, by changes of its constants
  within tolerance, and no constant that does something vanishes on the way. A term that the law lacks has to vanish, so
  it makes a formula wrong however small it is, down to `NEGLIGIBLE`, which counts as simplified away. A form that only
  resembles the law (a pole, a polynomial, a smooth step) does not become it.
- **Constants.** Of the law's formula with every constant and exponent free, the member nearest to the announced one has
  exponents within `EXPONENT` of the law's, and constants within `CONSTANT`, or three of their standard errors, of the law's.
- **Numbers.** The announced values agree with the law's to `AGREEMENT`, or three standard errors, in every region by itself:
  receivers of each decade of mass, and lighter and heavier than the data; pairs that are near, close, neither, far, and
  farther than the data; charges of either sign.

Distances are softened, s = r + 0.01. The 0.01 of r + c is a constant as any other, and of a linear force it is part of the
rest length, 0.99 in r. No softening, or sqrt(r^2 + c^2), is right only if all else is, and the data could not tell it from
the law: on pairs as the data have them, for receivers of each decade of mass, close pairs (the closest twentieth) and others
apart, what one pair adds to the acceleration differs from the law by at most the announced noise, or by `CONSTANT` of it.

A quantity that never varies in the data, such as the masses of the string, is held at its value everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational

from lib.distillation import law_family, regions
from lib.distillation.likeness import CONSTANT, ERRORS, NEGLIGIBLE, Formula, Unlike, compare, known_errors
from lib.distillation.regions import Regions
from lib.physics.bodies import Bodies
from lib.physics.forces import Pairs
from lib.physics.laws import Law as Truth
from lib.physics.laws import get_law
from lib.runs import System
from lib.selection.law import Announcement, Law

TOLD = "another softening, which the data tell from the law's"


@dataclass(frozen=True)
class Judgement:
    """What the verdict says of an announcement."""

    outcome: str
    """`right`, `wrong` or `none`."""
    reason: str | None = None
    """Why it is wrong, or why none was announced."""
    softening: str | None = None
    """The form of softening that was announced, one of `law_family.SOFTENINGS`, where the outcome is right."""
    error: float | None = None
    """Largest deviation from the law in any region, relative to the sizes of the law's terms; None where none was announced."""
    constants: dict[str, list[float]] = field(default_factory=dict)
    """By name: announced, standard error, and the law's."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def judge(announcement: Announcement, system: System) -> Judgement:
    """The verdict on what is announced of a registered system's data."""
    if not announcement.announced:
        return Judgement("none", announcement.reason)
    truth, law = get_law(system.law), announcement.law
    try:
        _check_frame(announcement, system, truth)
        single = _judge_single(announcement, system, truth)
        found = _judge_pair(announcement, system, truth)
    except Unlike as wrong:
        return Judgement("wrong", str(wrong), error=_error(law, system, truth))
    return Judgement("right", None, found[0], _error(law, system, truth), found[1] | single)


def _check_frame(announcement: Announcement, system: System, truth: Truth) -> None:
    """Raise unless order, dimension, ties, box and frame are the law's."""
    law = announcement.law
    if (law.order, law.dim) != (2, system.dim):
        raise Unlike(f"order {law.order} in {law.dim} dimensions, not order 2 in {system.dim}")
    if announcement.box is not None or announcement.frame != "inertial":
        raise Unlike("the law has no periodic box, and an inertial frame")
    ties = announcement.ties
    n = max([regions.BODIES, *(1 + max(pair) for pair in ties or ())])
    everything = {(i, j) for i in range(n) for j in range(i + 1, n)}
    if (everything if ties is None else {(min(p), max(p)) for p in ties}) != {tuple(map(int, pair)) for pair in truth.pairs(n)}:
        raise Unlike("other pairs act on each other")


def _known(announcement: Announcement) -> list[tuple[float, float]]:
    """The announced constants with their standard errors."""
    return [(constant.value, constant.standard_error or 0.0) for constant in announcement.constants]


def _pair_formula(law: Law, names: list[str], known: Sequence[tuple[float, float]] = ()) -> Formula:
    """The pair's part as it is announced: a force if it is divided by the mass, else an acceleration."""
    if unknown := {str(s) for s in law.radial.free_symbols} - set(names):
        raise Unlike(f"the pair's part holds {', '.join(sorted(unknown))}")
    return Formula.of(law.radial, names, known)


def _judge_pair(announcement: Announcement, system: System, truth: Truth) -> tuple[str, dict[str, list[float]]]:
    """The form of softening and the constants of a pair's part that is right; raises `Unlike` of the likeliest form."""
    law = announcement.law
    points = regions.of_pairs(truth, system)
    if law.transverse != 0:
        size = law_family.of_pair(truth, "r + c").sizes(points.columns)
        _check_nothing(law.transverse, points, np.full(len(size), np.median(size)), "transverse part")
    formula = _pair_formula(law, list(points.columns), _known(announcement))
    conditions = {float(n) for condition in law.radial.atoms(Relational) for n in condition.atoms(sympy.Float)}
    errors = [np.abs(known_errors(number, _known(announcement))).max(initial=0.0) for number in conditions]
    at = regions.thresholds(truth)
    points = regions.without(points, at, max([CONSTANT, *(ERRORS * error / min(at) for error in errors if at)]))
    reasons = []
    for softening in law_family.SOFTENINGS:
        family = law_family.of_pair(
            truth, softening, divided=not law.divides_by_mass, masses_vary=np.ptp(points.columns["m1"]) > 0
        )
        try:
            constants = compare(formula, family, points)
            if softening != "r + c":
                _check_untold(law, announcement.noise, system, truth)
            return softening, constants
        except Unlike as wrong:
            reasons.append(str(wrong))
    raise Unlike(TOLD if TOLD in reasons else reasons[0])


def _judge_single(announcement: Announcement, system: System, truth: Truth) -> dict[str, list[float]]:
    """The constants of everything else that accelerates a body; raises `Unlike`."""
    points = regions.of_bodies(truth, system)
    families = law_family.of_single(truth, system.dim, regions.BODIES, np.ptp(points.columns["m1"]) > 0)
    if families is None:
        raise Unlike("friction differs by body, which no formula of a body's mass and charge tells")
    typical = np.median(law_family.of_pair(truth, "r + c").sizes(regions.of_pairs(truth, system).columns))
    found: dict[str, list[float]] = {}
    for expression, family in zip(announcement.law.single or (sympy.S.Zero,) * system.dim, families, strict=True):
        if unknown := {str(s) for s in expression.free_symbols} - set(points.columns):
            raise Unlike(f"a single body's part holds {', '.join(sorted(unknown))}")
        if not family.terms:
            _check_nothing(expression, points, np.full(len(points.columns["m1"]), typical), "part of single bodies")
        else:
            found |= compare(Formula.of(expression, list(points.columns), _known(announcement)), family, points)
    return found


def _check_nothing(expression: sympy.Expr, points: Regions, scale: np.ndarray, what: str) -> None:
    values = Formula.of(expression, list(points.columns))
    if not np.abs(values(values.values, points.columns) / scale).max() <= NEGLIGIBLE:
        raise Unlike(f"a {what} that the law lacks")


def _check_untold(announced: Law, noise: float, system: System, truth: Truth) -> None:
    """Raise unless data of this noise could not tell the expression from the law, see above."""
    inputs = regions.drawn_pairs(truth, regions.drawn_bodies(system))
    pairs = Pairs(inputs)
    columns = {name: getattr(pairs, name) for name in ("r", "m1", "m2", "q1", "q2")}
    family = law_family.of_pair(truth, "r + c")
    law = family(family.law, columns)
    formula = _pair_formula(announced, list(columns))
    differs = formula(formula.values, columns) / (pairs.m1 if announced.divides_by_mass else 1.0) - law
    close = pairs.r < np.quantile(pairs.r, regions.CLOSE)
    for low, high in regions.spans(Bodies(regions.drawn_bodies(system)).mass).values():
        for near in (close, ~close):
            mask = near & (pairs.m1 >= low) & (pairs.m1 <= high)
            if mask.any() and not np.linalg.norm(differs[mask]) <= max(
                noise * np.sqrt(mask.sum()), CONSTANT * np.linalg.norm(law[mask])
            ):
                raise Unlike(TOLD)


def _error(law: Law, system: System, truth: Truth) -> float:
    """Largest deviation of the pair's part from the law, in any region; infinite where it has no value."""
    points = regions.without(regions.of_pairs(truth, system), regions.thresholds(truth), CONSTANT)
    family = law_family.of_pair(truth, "r + c", divided=not law.divides_by_mass)
    try:
        formula = _pair_formula(law, list(points.columns))
    except Unlike:
        return float("inf")
    values = formula(formula.values, points.columns)
    return points.largest((values - family(family.law, points.columns)) / family.sizes(points.columns))
