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

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import sympy
from sympy.core.relational import Relational

from lib.distillation import law_family, regions
from lib.distillation.law_family import Family
from lib.distillation.refit import with_free_constants
from lib.distillation.regions import Regions
from lib.physics.bodies import Bodies
from lib.physics.forces import Pairs
from lib.physics.laws import M1, M2, get_law
from lib.physics.laws import Law as Truth
from lib.runs import System
from lib.selection.law import Announcement, Constant, Law

EXPONENT = 0.005
"""How far an exponent may be off."""
ABSENT = 5e-4
"""The same where the law has no such factor."""
CONSTANT = 0.01
"""How far a constant may be off, relative to the law's."""
ERRORS = 3.0
"""Standard errors within which a constant agrees."""
MEMBER = 0.01
"""How far the announced values may be from the nearest member of the law's family, in any region: constants that stand
twice may differ by their tolerance."""
AGREEMENT = 0.1
"""How far they may be from the law's, in any region: what three exponents off by `EXPONENT` make of bodies of mass 100."""
EXACT, NEGLIGIBLE = 1e-7, 1e-6
"""Relative residual at which a formula has become the law, and below which a part of it counts as simplified away."""
MOVED = 0.03
"""How far a single constant may have to move, relative to itself: that of a product of three moves by three tolerances."""
TOLD = "another softening, which the data tell from the law's"
FAR, STEPS, HALVINGS, SMALL = 1e3, 30, 8, 1e-7
"""Residual where a formula has no value; steps from it to the law, how often each is halved, and that of a difference."""
SAME_NUMBER = 1e-3
"""Relative difference up to which a number in a formula is taken for an announced constant."""


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


class _Wrong(Exception):
    """Why an announcement is wrong."""


@dataclass(frozen=True)
class _Formula:
    """An announced expression with its constants free."""

    expression: sympy.Expr
    values: np.ndarray
    """[constants]"""
    errors: np.ndarray
    """[constants], standard errors; 0 where none is announced."""
    exponents: np.ndarray
    """[constants], by how much the exponent in which it stands grows with it; 0 where it stands in none."""
    of_mass: np.ndarray
    """[constants; bool], whether it stands in the exponent of a mass, of which there may be several: m^1.002/m^0.002."""
    function: Any

    @classmethod
    def of(cls, expression: sympy.Expr, names: list[str], constants: tuple[Constant, ...]) -> _Formula:
        (freed,), symbols, values = with_free_constants([expression])
        exponents, of_mass = np.zeros(len(values)), np.zeros(len(values), bool)
        for power in freed.atoms(sympy.Pow):
            if power.exp.free_symbols and power.exp.free_symbols <= set(symbols) and power.base is not sympy.E:
                at = dict(zip(symbols, values, strict=True))
                exponents += [abs(float(sympy.diff(power.exp, s).subs(at))) for s in symbols]
                of_mass |= np.array([s in power.exp.free_symbols and power.base in (M1, M2) for s in symbols], bool)
        inputs = [sympy.Symbol(name, real=True) for name in names]
        function = sympy.lambdify([*symbols, *inputs], freed, "numpy", cse=True)
        errors = np.array([_standard_error(value, constants) for value in values])
        return cls(freed, values, errors, exponents, of_mass, function)

    def __call__(self, values: np.ndarray, columns: dict[str, np.ndarray]) -> np.ndarray:
        first = next(iter(columns.values()))
        with np.errstate(all="ignore"):
            found = np.asarray(self.function(*values, *columns.values()))
        return np.broadcast_to(found.astype(float) if not np.iscomplexobj(found) else np.nan, first.shape)

    def slopes(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Derivatives [points, constants] at the announced constants."""
        steps = 1e-6 * np.where(self.values != 0, np.abs(self.values), 1.0)
        moved = [
            (self(self.values + step * unit, columns) - self(self.values - step * unit, columns)) / (2 * step)
            for step, unit in zip(steps, np.eye(len(steps)), strict=True)
        ]
        return np.stack(moved, axis=1) if moved else np.zeros((len(next(iter(columns.values()))), 0))


def _standard_error(value: float, constants: tuple[Constant, ...]) -> float:
    """Of the announced constant that is this number, if any."""
    near = [c for c in constants if c.standard_error and abs(abs(value) - abs(c.value)) <= SAME_NUMBER * abs(value)]
    return float(min(near, key=lambda c: abs(abs(value) - abs(c.value))).standard_error) if near else 0.0


def judge(announcement: Announcement, system: System) -> Judgement:
    """The verdict on what is announced of a registered system's data."""
    if not announcement.announced:
        return Judgement("none", announcement.reason)
    truth, law = get_law(system.law), announcement.law
    try:
        _check_frame(announcement, system, truth)
        single = _judge_single(law, announcement.constants, system, truth)
        found = _judge_pair(announcement, system, truth)
    except _Wrong as wrong:
        return Judgement("wrong", str(wrong), error=_error(law, system, truth))
    return Judgement("right", None, found[0], _error(law, system, truth), found[1] | single)


def _check_frame(announcement: Announcement, system: System, truth: Truth) -> None:
    """Raise unless order, dimension, ties, box and frame are the law's."""
    law = announcement.law
    if (law.order, law.dim) != (2, system.dim):
        raise _Wrong(f"order {law.order} in {law.dim} dimensions, not order 2 in {system.dim}")
    if announcement.box is not None or announcement.frame != "inertial":
        raise _Wrong("the law has no periodic box, and an inertial frame")
    ties = announcement.ties
    n = max([regions.BODIES, *(1 + max(pair) for pair in ties or ())])
    everything = {(i, j) for i in range(n) for j in range(i + 1, n)}
    if (everything if ties is None else {(min(p), max(p)) for p in ties}) != {tuple(map(int, pair)) for pair in truth.pairs(n)}:
        raise _Wrong("other pairs act on each other")


def _pair_formula(law: Law, names: list[str], constants: tuple[Constant, ...] = ()) -> _Formula:
    """The pair's part as it is announced: a force if it is divided by the mass, else an acceleration."""
    if unknown := {str(s) for s in law.radial.free_symbols} - set(names):
        raise _Wrong(f"the pair's part holds {', '.join(sorted(unknown))}")
    return _Formula.of(law.radial, names, constants)


def _judge_pair(announcement: Announcement, system: System, truth: Truth) -> tuple[str, dict[str, list[float]]]:
    """The form of softening and the constants of a pair's part that is right; raises `_Wrong` of the likeliest form."""
    law = announcement.law
    points = regions.of_pairs(truth, system)
    if law.transverse != 0:
        size = law_family.of_pair(truth, "r + c").sizes(points.columns)
        _check_nothing(law.transverse, points, np.full(len(size), np.median(size)), "transverse part")
    formula = _pair_formula(law, list(points.columns), announcement.constants)
    conditions = {float(n) for condition in law.radial.atoms(Relational) for n in condition.atoms(sympy.Float)}
    errors = [_standard_error(number, announcement.constants) for number in conditions]
    at = regions.thresholds(truth)
    points = regions.without(points, at, max([CONSTANT, *(ERRORS * error / min(at) for error in errors if at)]))
    reasons = []
    for softening in law_family.SOFTENINGS:
        family = law_family.of_pair(
            truth, softening, divided=not law.divides_by_mass, masses_vary=np.ptp(points.columns["m1"]) > 0
        )
        try:
            constants = _compare(formula, family, points)
            if softening != "r + c":
                _check_untold(law, announcement.noise, system, truth)
            return softening, constants
        except _Wrong as wrong:
            reasons.append(str(wrong))
    raise _Wrong(TOLD if TOLD in reasons else reasons[0])


def _judge_single(law: Law, constants: tuple[Constant, ...], system: System, truth: Truth) -> dict[str, list[float]]:
    """The constants of everything else that accelerates a body; raises `_Wrong`."""
    points = regions.of_bodies(truth, system)
    families = law_family.of_single(truth, system.dim, regions.BODIES, np.ptp(points.columns["m1"]) > 0)
    if families is None:
        raise _Wrong("friction differs by body, which no formula of a body's mass and charge tells")
    typical = np.median(law_family.of_pair(truth, "r + c").sizes(regions.of_pairs(truth, system).columns))
    found: dict[str, list[float]] = {}
    for expression, family in zip(law.single or (sympy.S.Zero,) * system.dim, families, strict=True):
        if unknown := {str(s) for s in expression.free_symbols} - set(points.columns):
            raise _Wrong(f"a single body's part holds {', '.join(sorted(unknown))}")
        if not family.terms:
            _check_nothing(expression, points, np.full(len(points.columns["m1"]), typical), "part of single bodies")
        else:
            found |= _compare(_Formula.of(expression, list(points.columns), constants), family, points)
    return found


def _check_nothing(expression: sympy.Expr, points: Regions, scale: np.ndarray, what: str) -> None:
    values = _Formula.of(expression, list(points.columns), ())
    if not np.abs(values(values.values, points.columns) / scale).max() <= NEGLIGIBLE:
        raise _Wrong(f"a {what} that the law lacks")


def _compare(formula: _Formula, family: Family, points: Regions) -> dict[str, list[float]]:
    """The constants of a formula as the law's family has them; raises `_Wrong` unless it is the law."""
    columns, scale = points.columns, family.sizes(points.columns)
    # where the law is nothing, it is measured by what it is elsewhere
    values = formula(formula.values, columns)
    if not np.isfinite(values).all():
        raise _Wrong("no value at some pairs")
    nearest = family.nearest(values, scale, columns)
    slopes = formula.slopes(columns)
    spread = formula.errors * np.nan_to_num(slopes / scale[:, None], posinf=0.0, neginf=0.0)
    turned = np.linalg.pinv(
        np.nan_to_num(family.slopes(nearest, columns) / scale[:, None], posinf=0.0, neginf=0.0), rcond=1e-10
    )
    errors = np.linalg.norm(turned @ spread, axis=1) if len(formula.values) else np.zeros(len(nearest))
    softened = family.law.copy()
    for k, (parameter, value, error) in enumerate(zip(family.parameters, nearest, errors, strict=True)):
        if parameter.kind == "free":
            softened[k] = value  # judged by what the data could tell
        elif parameter.kind == "exponent" and parameter.value == 0:
            if abs(value) > ABSENT:
                raise _Wrong(f"{parameter.name}: {value:.4g}, where the law has none")
        elif parameter.kind == "exponent":
            if not abs(value - parameter.value) <= EXPONENT * (1 + 1e-6):
                raise _Wrong(f"{parameter.name}: {value:.4g}, not {parameter.value:g}")
        elif not abs(value - parameter.value) <= max(CONSTANT * abs(parameter.value), ERRORS * error) * (1 + 1e-6):
            raise _Wrong(f"{parameter.name}: {value:.4g}, not {parameter.value:g}")
    if not points.largest((values - family(nearest, columns)) / scale) <= MEMBER:
        raise _Wrong("another form than the law's")
    _check_structure(formula, family(softened, columns), scale, points)
    allowed = max(AGREEMENT, ERRORS * points.largest(np.linalg.norm(spread, axis=1)))
    if not points.largest((values - family(softened, columns)) / scale) <= allowed:
        raise _Wrong("other values than the law's")
    return {
        p.name: [float(value), float(error), p.value]
        for p, value, error in zip(family.parameters, nearest, errors, strict=True)
    }


def _check_structure(formula: _Formula, law: np.ndarray, scale: np.ndarray, points: Regions) -> None:
    """Raise unless the formula becomes the law by changes of its constants, none of which vanishes."""
    columns, start = points.columns, formula.values.copy()
    first = formula(start, columns)
    free = np.zeros(len(start), bool)
    for k in range(len(start)):
        without = start.copy()
        without[k] = 0.0
        change = np.abs(formula(without, columns) - formula(start, columns)) / scale
        if np.isfinite(change).all() and change.max() <= NEGLIGIBLE:
            start = without
        else:
            free[k] = True
    if not np.abs((formula(start, columns) - first) / scale).max() <= 10 * NEGLIGIBLE:
        start, free = formula.values, np.ones(len(start), bool)
    units = np.where(start != 0, np.abs(start), 1.0)
    found = _becoming(formula, start, units * free, law, scale, points)
    if not np.abs((formula(found, columns) - law) / scale).max() <= max(EXACT, 2 * NEGLIGIBLE):
        raise _Wrong("another structure than the law's: no constants make the law of it")
    moved = np.abs(found - start)
    # exponents of masses are told one by one by the nearest member
    vanished = (np.abs(found) <= 1e-3 * units) & (start != 0) & ~formula.of_mass
    allowed = np.where(formula.exponents > 0, np.inf, np.maximum(MOVED * units, ERRORS * formula.errors))
    if vanished.any() or (moved > allowed).any() or (formula.exponents * moved > 2 * EXPONENT).any():
        raise _Wrong("another structure than the law's: what it has more has to vanish, or to be another constant")


def _becoming(
    formula: _Formula, start: np.ndarray, units: np.ndarray, law: np.ndarray, scale: np.ndarray, points: Regions
) -> np.ndarray:
    """Constants [constants] near `start` that bring a formula to the law: Gauss and Newton's steps, each the shortest.

    Of constants that do the same, such as two factors, each moves by a part; other solvers let them drift apart.
    """

    def residual(constants: np.ndarray) -> np.ndarray:
        found = (formula(constants, points.columns) - law) / scale
        return np.nan_to_num(found, nan=FAR, posinf=FAR, neginf=-FAR)

    found, left = start, residual(start)
    for _ in range(STEPS):
        if not units.any() or np.abs(left).max() <= EXACT:
            break
        small = 1e-7 * np.diag(units)[units > 0]
        slopes = (
            np.stack([(residual(found + by) - left) / 1e-7 for by in small], axis=1) if len(small) else np.zeros((len(left), 0))
        )
        step = np.zeros(len(units))
        step[units > 0] = np.linalg.lstsq(slopes, -left, rcond=1e-7)[0]
        for _ in range(HALVINGS):
            moved = found + step * units
            after = residual(moved)
            if np.linalg.norm(after) < np.linalg.norm(left):
                break
            step = step / 2
        else:
            break
        found, left = moved, after
    return found


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
                raise _Wrong(TOLD)


def _error(law: Law, system: System, truth: Truth) -> float:
    """Largest deviation of the pair's part from the law, in any region; infinite where it has no value."""
    points = regions.without(regions.of_pairs(truth, system), regions.thresholds(truth), CONSTANT)
    family = law_family.of_pair(truth, "r + c", divided=not law.divides_by_mass)
    try:
        formula = _pair_formula(law, list(points.columns))
    except _Wrong:
        return float("inf")
    values = formula(formula.values, points.columns)
    return points.largest((values - family(family.law, points.columns)) / family.sizes(points.columns))
