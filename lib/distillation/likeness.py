"""Likeness: whether a formula is the law, or only resembles it.

Two questions, both answered by numbers on the pairs of every region: which member of the law's family is nearest to the
formula, and whether the formula, its own constants free, becomes the law without losing a part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from scipy.optimize import brentq

from lib.distillation.law_family import Family, Parameter
from lib.distillation.refit import with_free_constants
from lib.distillation.regions import Regions
from lib.physics.laws import M1, M2

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
FAR, STEPS, HALVINGS, SMALL = 1e3, 30, 8, 1e-7
"""Residual where a formula has no value; steps from it to the law, how often each is halved, and that of a difference."""
LINES = 12
"""Lines through the regions, along each quantity, on which poles are looked for."""
SAME_NUMBER = 1e-3
"""Relative difference up to which a number in a formula is taken for an announced constant."""

Columns = Mapping[str, np.ndarray]
"""Inputs by name, each [points]."""


class Unlike(Exception):
    """Why a formula is not the law."""


@dataclass(frozen=True)
class Formula:
    """An expression with its constants free."""

    expression: sympy.Expr
    symbols: list[sympy.Symbol]
    values: np.ndarray
    """[constants]"""
    errors: np.ndarray
    """[constants, known], by how much each grows with a standard error of a known number: a number that stands twice is off
    twice alike."""
    exponents: np.ndarray
    """[constants], by how much the exponent in which it stands grows with it; 0 where it stands in none."""
    of_mass: np.ndarray
    """[constants; bool], whether it stands in the exponent of a mass, of which there may be several: m^1.002/m^0.002."""
    names: list[str]
    function: Callable[..., np.ndarray]

    @classmethod
    def of(cls, expression: sympy.Expr, names: list[str], known: Sequence[tuple[float, float]] = ()) -> Formula:
        """Of an expression in names; `known`: numbers with their standard errors."""
        (freed,), symbols, values = with_free_constants([expression])
        exponents, of_mass = np.zeros(len(values)), np.zeros(len(values), bool)
        at = dict(zip(symbols, values, strict=True))
        for power in freed.atoms(sympy.Pow):
            if power.exp.free_symbols and power.exp.free_symbols <= set(symbols) and power.base is not sympy.E:
                exponents += [abs(float(sympy.diff(power.exp, s).subs(at))) for s in symbols]
                of_mass |= np.array([s in power.exp.free_symbols and power.base in (M1, M2) for s in symbols], bool)
        function = sympy.lambdify([*symbols, *(sympy.Symbol(name, real=True) for name in names)], freed, "numpy", cse=True)
        errors = np.array([known_errors(value, known) for value in values]).reshape(len(values), len(known))
        return cls(freed, symbols, values, errors, exponents, of_mass, names, function)

    def __call__(self, values: np.ndarray, columns: Columns) -> np.ndarray:
        """Values [points] with other constants; NaN where they are not real."""
        with np.errstate(all="ignore"):
            found = np.asarray(self.function(*values, *(columns[name] for name in self.names)))
        return np.broadcast_to(np.nan if np.iscomplexobj(found) else found.astype(float), columns[self.names[0]].shape)

    def slopes(self, columns: Columns) -> np.ndarray:
        """Derivatives [points, constants]."""
        steps = np.diag(1e-6 * np.where(self.values != 0, np.abs(self.values), 1.0))
        moved = [(self(self.values + s, columns) - self(self.values - s, columns)) / (2 * s.sum()) for s in steps]
        return np.array(moved).reshape(len(steps), len(columns[self.names[0]])).T


def known_errors(value: float, known: Sequence[tuple[float, float]]) -> np.ndarray:
    """By how much a number grows with a standard error of each known one: of the one that it is, if any."""
    found = np.zeros(len(known))
    off = np.array([abs(abs(value) - abs(number)) for number, _ in known])
    if len(off) and off.min() <= SAME_NUMBER * abs(value):
        k = int(np.argmin(off))
        found[k] = np.sign(value * known[k][0]) * known[k][1]
    return found


def check_parameter(parameter: Parameter, value: float, error: float = 0.0) -> None:
    """Raise `Unlike` unless the parameter of the nearest member is the law's."""
    if parameter.kind == "free":
        return
    within = max(CONSTANT * abs(parameter.value), ERRORS * error)
    if parameter.kind == "exponent":
        within = EXPONENT if parameter.value else ABSENT
    if not abs(value - parameter.value) <= within * (1 + 1e-6):
        raise Unlike(f"{parameter.name}: {value:.4g}, not {parameter.value:g}")


def compare(formula: Formula, family: Family, points: Regions) -> dict[str, list[float]]:
    """The constants of a formula by name, each with its standard error and the law's; raises `Unlike` unless it is the law."""
    columns, scale = points.columns, family.sizes(points.columns)
    values = formula(formula.values, columns)
    if not np.isfinite(values).all():
        raise Unlike("no value at some pairs")
    nearest = family.nearest(values, scale, columns)
    spread = _finite(formula.slopes(columns) / scale[:, None]) @ formula.errors
    errors = np.linalg.norm(
        np.linalg.pinv(_finite(family.slopes(nearest, columns) / scale[:, None]), rcond=1e-10) @ spread, axis=1
    )
    for parameter, value, error in zip(family.parameters, nearest, errors, strict=True):
        check_parameter(parameter, value, error)
    if not points.largest((values - family(nearest, columns)) / scale) <= MEMBER:
        raise Unlike("another form than the law's")
    # a softening that the law has not is judged by what the data could tell
    law = np.where([p.kind == "free" for p in family.parameters], nearest, family.law)
    off = (values - family(law, columns)) / scale
    if not points.largest(off) <= max(AGREEMENT, ERRORS * points.largest(np.linalg.norm(spread, axis=1))):
        raise Unlike("other values than the law's")
    _check_structure(formula, lambda constants: (formula(constants, columns) - family(law, columns)) / scale)
    _check_poles(formula, family, law, points)
    told = zip(family.parameters, nearest, errors, strict=True)
    return {p.name: [float(value), float(error), p.value] for p, value, error in told}


def _finite(numbers: np.ndarray) -> np.ndarray:
    return np.nan_to_num(numbers, posinf=0.0, neginf=0.0)


def _check_structure(formula: Formula, deviation: Callable[[np.ndarray], np.ndarray]) -> None:
    """Raise unless the formula becomes the law by changes of its constants, none of which vanishes."""

    def residual(constants: np.ndarray) -> np.ndarray:
        return np.nan_to_num(deviation(constants), nan=FAR, posinf=FAR, neginf=-FAR)

    start = formula.values
    units = np.where(start != 0, np.abs(start), 1.0)
    for k in range(len(start)):
        if np.abs(residual(np.where(np.arange(len(start)) == k, 0.0, start)) - residual(start)).max() <= NEGLIGIBLE:
            units[k] = 0.0
    found = _becoming(start, units, residual)
    if not np.abs(residual(found)).max() <= max(EXACT, 2 * NEGLIGIBLE):
        raise Unlike("another structure than the law's: no constants make the law of it")
    moved = np.abs(found - start)
    # exponents of masses are told one by one by the nearest member
    vanished = (units > 0) & (start != 0) & (np.abs(found) <= 1e-3 * units) & ~formula.of_mass
    allowed = np.where(formula.exponents > 0, np.inf, MOVED * units + ERRORS * np.abs(formula.errors).sum(axis=1))
    if vanished.any() or (moved > allowed).any() or (formula.exponents * moved > 2 * EXPONENT).any():
        raise Unlike("another structure than the law's: what it has more has to vanish, or to be another constant")


def _becoming(start: np.ndarray, units: np.ndarray, residual: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Constants [constants] near `start` without residuals: steps of Gauss and Newton, in units [constants], each the shortest.

    Of constants that do the same, such as two factors, each moves by a part; other solvers let them drift apart.
    """
    free = units > 0
    found, left = start, residual(start)
    for _ in range(STEPS if free.any() else 0):
        if np.abs(left).max() <= EXACT:
            break
        slopes = np.array([(residual(found + SMALL * by) - left) / SMALL for by in np.diag(units)[free]]).T
        step = np.zeros(len(units))
        step[free] = np.linalg.lstsq(slopes, -left, rcond=1e-7)[0]
        for half in 0.5 ** np.arange(HALVINGS):
            moved = found + half * step * units
            after = residual(moved)
            if np.linalg.norm(after) < np.linalg.norm(left):
                break
        else:
            break
        found, left = moved, after
    return found


def _check_poles(formula: Formula, family: Family, law: np.ndarray, points: Regions) -> None:
    """Raise if what the formula divides by is zero somewhere in the regions, and the formula is not the law beside it."""
    values = dict(zip(formula.symbols, formula.values, strict=True))
    powers = [power for power in formula.expression.atoms(sympy.Pow) if power.exp.could_extract_minus_sign()]
    some = np.random.default_rng(0).integers(len(next(iter(points.columns.values()))), size=LINES)
    for divisor in sorted({power.base.xreplace(values) for power in powers}, key=str):
        base = Formula.of(divisor, formula.names)
        for name in sorted(map(str, divisor.free_symbols)):
            along = np.linspace(points.columns[name].min(), points.columns[name].max(), 400)
            for k in some:
                fixed = {other: column[k : k + 1] for other, column in points.columns.items()}
                for root in _zeros(base, fixed, name, along):
                    beside = fixed | {name: np.array([root * (1 + 1e-9) + 1e-12])}
                    off = (formula(formula.values, beside) - family(law, beside)) / family.sizes(beside)
                    if not abs(off[0]) <= 1:
                        raise Unlike(f"a pole at {name} = {root:.3g}")


def _zeros(base: Formula, fixed: Columns, name: str, along: np.ndarray) -> list[float]:
    """Where an expression changes its sign along one input, the others fixed."""

    def value(x: np.ndarray) -> np.ndarray:
        columns = {other: np.broadcast_to(number, np.shape(x)) for other, number in fixed.items()} | {name: x}
        return base(base.values, columns)

    signs = np.sign(value(along))
    changes = np.flatnonzero(signs[1:] * signs[:-1] < 0)
    return [brentq(lambda x: float(value(np.array([x]))[0]), along[k], along[k + 1], xtol=1e-13) for k in changes]
