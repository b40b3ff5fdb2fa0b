"""Constants of a law, fitted to evidence by weighted robust least squares, with their covariance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy
from scipy.optimize import least_squares, minimize_scalar
from scipy.stats import chi2

from lib.distillation.refit import in_conditions
from lib.selection.evidence import Evidence
from lib.selection.law import Law

ROBUST = 4.0
"""Residual, in standard deviations, beyond which it counts by its size instead of its square."""
EVALUATIONS = 120
"""Of the residuals, at most, in one fit."""
ROUNDING = 1e-6
"""Relative error of numbers that are exact: those of a file have seven digits, and distances are differences of them."""
THRESHOLD_MOVES = 0.02
"""Part of itself by which a threshold is moved at most."""
FAR = 1e6
"""Residual, in standard deviations, of a row where a law has no value."""
STEEP = 1e100
"""Slope, in standard deviations, beyond which slopes count as this: squares of larger ones are no numbers."""


def with_shared_constants(expressions: list[sympy.Expr]) -> tuple[list[sympy.Expr], list[sympy.Symbol], np.ndarray]:
    """Expressions with a symbol in place of each of their floats, these symbols, and the floats' values.

    A float that stands in several places is one constant, such as the softening of all distances.
    """
    values: list[float] = []

    def freed(expression: sympy.Basic) -> sympy.Basic:
        if isinstance(expression, sympy.Float):
            value = float(expression)
            sign = -1 if -value in values else 1
            if sign * value not in values:
                values.append(value)
            return sign * sympy.Symbol(f"constant{values.index(sign * value)}", real=True)
        return expression.func(*map(freed, expression.args)) if expression.args else expression

    found = [freed(e) for e in expressions]
    return found, [sympy.Symbol(f"constant{k}", real=True) for k in range(len(values))], np.array(values)


class Family:
    """Laws that differ in their constants (SymPy's floats): values and slopes on evidence.

    The order of constants is that of radial, transverse, single.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.forms, self.symbols, self.start = with_shared_constants([law.radial, law.transverse, *law.single])
        self.thresholds = in_conditions(self.forms, self.symbols)
        self._functions: dict[tuple[int, tuple[str, ...], bool], tuple[object, list[int]]] = {}

    def _values(
        self, form: int, columns: dict[str, np.ndarray], constants: np.ndarray, sloped: bool
    ) -> tuple[np.ndarray, list[int]]:
        """Value and slopes [1 + some constants, ...] of one form, and the numbers of these constants; or its value alone."""
        key = (form, tuple(columns), sloped)
        if key not in self._functions:
            expression = self.forms[form]
            own = [k for k, one in enumerate(self.symbols) if sloped and expression.has(one) and not self.thresholds[k]]
            # symbols are named, not real or positive: derivatives of powers must not ask
            slopes = [sympy.diff(expression, self.symbols[k]) for k in own]
            names = [*self.symbols, *(sympy.Symbol(name, real=True) for name in columns)]
            self._functions[key] = sympy.lambdify(names, [expression, *slopes], "numpy", cse=True), own
        function, own = self._functions[key]
        inputs = list(columns.values())
        with np.errstate(all="ignore"):
            found = function(*constants, *inputs)
        shape = inputs[0].shape
        return np.stack([np.broadcast_to(np.asarray(one, float), shape) for one in found]), own

    def value(self, evidence: Evidence, constants: np.ndarray) -> np.ndarray:
        """Predicted targets [rows, dim]."""
        return self._predicted(evidence, constants, sloped=False)[0]

    def predict(self, evidence: Evidence, constants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicted targets [rows, dim] and their slopes [rows, dim, constants]."""
        return self._predicted(evidence, constants, sloped=True)

    def _predicted(self, evidence: Evidence, constants: np.ndarray, sloped: bool) -> tuple[np.ndarray, np.ndarray]:
        motion, law = evidence.motion, self.law
        edges, pairs = motion.edges, motion.pair_columns()
        share = 1 / motion.properties["mass"][edges.receiver] if law.divides_by_mass else np.ones(len(edges.r))
        rows, dim = evidence.target.shape
        value, slopes = np.zeros((rows, dim)), np.zeros((rows, dim, len(constants) if sloped else 0))
        for form, along in ((0, edges.line), (1, edges.turned if law.dim == 2 else None)):
            if self.forms[form] == 0:
                continue
            found, own = self._values(form, pairs, constants, sloped)
            for axis in range(dim):
                added = evidence.summed((found * (share * along[:, axis])).T)
                value[:, axis] += added[:, 0]
                slopes[:, axis, own] += added[:, 1:]
        for axis in range(len(self.forms) - 2):
            if self.forms[2 + axis] != 0:
                found, own = self._values(2 + axis, motion.body_columns(), constants, sloped)
                added = evidence.average @ found.T
                value[:, axis] += added[:, 0]
                slopes[:, axis, own] += added[:, 1:]
        return value, slopes

    def with_constants(self, values: np.ndarray) -> Law:
        """The law with such constants."""
        supply: Iterator[float] = iter(values)
        known = {symbol: sympy.Float(next(supply)) for symbol in self.symbols}
        return self.of_forms([form.xreplace(known) for form in self.forms])

    def of_forms(self, forms: list[sympy.Expr]) -> Law:
        """The law with other expressions, in the order of `forms`."""
        radial, transverse, *single = forms
        return replace(self.law, radial=radial, transverse=transverse, single=tuple(single))


@dataclass(frozen=True)
class Fit:
    """A law with fitted constants."""

    family: Family
    constants: np.ndarray
    """[constants]"""
    residual: np.ndarray
    """[rows, dim], target less prediction, in standard deviations."""
    slopes: np.ndarray
    """[rows, dim, constants], of the prediction, in standard deviations."""
    group: np.ndarray
    """[rows]"""

    @cached_property
    def law(self) -> Law:
        """The law."""
        return self.family.with_constants(self.constants)

    @property
    def misfit(self) -> np.ndarray:
        """[rows], negative log likelihood of each row less its constant: half of a robust square."""
        return 0.5 * robust_square(self.residual).sum(axis=1)

    @cached_property
    def information(self) -> np.ndarray:
        """[constants, constants], Fisher information, of robust weights."""
        weight = robust_weight(self.residual)
        flat = self.slopes.reshape(weight.size, len(self.constants)) * np.sqrt(weight).reshape(-1, 1)
        return flat.T @ flat

    @cached_property
    def covariance(self) -> np.ndarray:
        """[constants, constants], of the constants, by groups (a sandwich): residuals of one group may hang together."""
        if not len(self.constants):
            return np.zeros((0, 0))
        weighted = robust_weight(self.residual) * self.residual
        pulls = np.einsum("ra,rap->rp", weighted, self.slopes)
        names, number = np.unique(self.group, return_inverse=True)
        by_group = np.stack([np.bincount(number, column, len(names)) for column in pulls.T], axis=1)
        inverse = inverse_of(self.information)
        found = inverse @ (by_group.T @ by_group) @ inverse
        return found * len(names) / max(len(names) - 1, 1)


def inverse_of(information: np.ndarray) -> np.ndarray:
    """The inverse; large, not zero, in directions that the data do not determine."""
    size = np.diag(information)
    # a threshold has no slope, and so no information of its own
    scale = np.where(size > 0, 1 / np.sqrt(np.where(size > 0, size, 1.0)), 1.0)
    values, vectors = np.linalg.eigh(information * scale[:, None] * scale)
    return scale[:, None] * (vectors / np.maximum(values, 1e-13)) @ vectors.T * scale


def robust_square(residual: np.ndarray) -> np.ndarray:
    """Square of residuals, in standard deviations, that grows as the size beyond `ROBUST`; FAR where there is none."""
    z = np.minimum(np.nan_to_num(np.abs(residual), nan=FAR, posinf=FAR), FAR)
    return 2 * ROBUST**2 * (np.sqrt(1 + (z / ROBUST) ** 2) - 1)


def robust_weight(residual: np.ndarray) -> np.ndarray:
    """Slope of half of `robust_square`, over the residual."""
    return 1 / np.sqrt(1 + (np.nan_to_num(residual, nan=FAR, posinf=FAR, neginf=-FAR) / ROBUST) ** 2)


def fit(law: Law | Family, evidence: Evidence, deviation: np.ndarray, evaluations: int = EVALUATIONS) -> Fit:
    """A law's constants with the least robust squares of residuals in units of `deviation` [rows]."""
    found = fit_in_place(law, evidence, deviation, evaluations)
    for k in np.flatnonzero(found.family.thresholds):
        found = _threshold_moved(found, evidence, deviation, k, evaluations)
    return found


def fit_in_place(law: Law | Family, evidence: Evidence, deviation: np.ndarray, evaluations: int = EVALUATIONS) -> Fit:
    """The same with thresholds where they are."""
    family = law if isinstance(law, Family) else Family(law)
    return _descended(family, evidence, deviation, family.start, evaluations)


def _threshold_moved(found: Fit, evidence: Evidence, deviation: np.ndarray, k: int, evaluations: int) -> Fit:
    """The fit with a threshold moved to where the misfit is least: by search, as it has no slope in it."""
    tried: dict[float, float] = {}

    def misfit(at: float) -> float:
        tried[at] = _misfit_with(found, evidence, deviation, k, at)
        return tried[at]

    grid = np.sort(found.constants[k] * np.linspace(1 - THRESHOLD_MOVES, 1 + THRESHOLD_MOVES, 11))
    if grid[0] == grid[-1]:
        return found
    best = int(np.argmin([misfit(at) for at in (*grid, found.constants[k])][:-1]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    minimize_scalar(misfit, bounds=ends, method="bounded", options={"maxiter": 30, "xatol": 1e-7 * abs(grid[best])})
    constants = _with_constant(found, k, min(tried, key=tried.__getitem__))
    return _descended(found.family, evidence, deviation, constants, evaluations)


def _with_constant(found: Fit, k: int, value: float) -> np.ndarray:
    """The fit's constants with another value of one."""
    constants = found.constants.copy()
    constants[k] = value
    return constants


def _misfit_with(found: Fit, evidence: Evidence, deviation: np.ndarray, k: int, value: float) -> float:
    """What the fit's misfit is with another value of one constant, the others as they are."""
    left = (evidence.target - found.family.value(evidence, _with_constant(found, k, value))) / deviation[:, None]
    return float(0.5 * robust_square(left).sum())


def threshold_range(found: Fit, evidence: Evidence, deviation: np.ndarray, k: int) -> tuple[float, float]:
    """Between which values a threshold fits as well as where it is, within half a nat: by bisection on either side."""
    least, value = found.misfit.sum() + 0.5, found.constants[k]
    ends = []
    for side in (-1, 1):
        inside, outside = 0.0, THRESHOLD_MOVES
        for _ in range(20):
            middle = (inside + outside) / 2
            fits = _misfit_with(found, evidence, deviation, k, value * (1 + side * middle)) <= least
            inside, outside = (middle, outside) if fits else (inside, middle)
        ends.append(value * (1 + side * inside))
    return min(ends), max(ends)


def _descended(family: Family, evidence: Evidence, deviation: np.ndarray, constants: np.ndarray, evaluations: int) -> Fit:
    """Constants, but for thresholds, with the least robust squares from where they start."""
    free = ~family.thresholds
    unit = np.where(constants != 0, np.abs(constants), 1.0)[free]
    cache: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def at(relative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if relative.tobytes() not in cache:
            cache.clear()
            values = constants.copy()
            values[free] = unit * relative
            value, slopes = family.predict(evidence, values)
            residual = (value - evidence.target) / deviation[:, None]
            lost = ~np.isfinite(residual)
            with np.errstate(over="ignore"):
                scaled = slopes / deviation[:, None, None]
            slopes = np.clip(np.where(lost[..., None] | ~np.isfinite(scaled), 0.0, scaled), -STEEP, STEEP)
            cache[relative.tobytes()] = np.where(lost, FAR, residual), slopes
        return cache[relative.tobytes()]

    found = constants.copy()
    if free.any():
        first = constants[free] / unit
        try:
            solution = least_squares(
                lambda relative: np.clip(at(relative)[0], -FAR, FAR).ravel(),
                first,
                lambda relative: (at(relative)[1][..., free] * unit).reshape(-1, free.sum()),
                loss="soft_l1",
                f_scale=ROBUST,
                x_scale="jac",
                max_nfev=evaluations,
            )
            found[free] = unit * solution.x
        except (np.linalg.LinAlgError, ValueError):
            pass
    residual, slopes = at(found[free] / unit)
    return Fit(family, found, -residual, slopes, evidence.group)


def deviations(evidence: Evidence, residual: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Standard deviation [rows] of a component's noise: sqrt(s^2 + (p |prediction|)^2) times the row's spread, fitted.

    To residuals [rows, dim] of a law; p is there for multiplicative noise. Never less than rounding.
    """
    has_value = (np.linalg.norm(residual, axis=1) < FAR * evidence.typical)[:, None]
    prediction, residual = np.where(has_value, prediction, 0.0), np.where(has_value, residual, evidence.typical)
    size = np.linalg.norm(prediction, axis=1)
    square = (residual**2).mean(axis=1) / evidence.spread**2
    floor = 1e-9 * max(float(np.median(size)), 1e-300)
    # medians of squares of dim normal numbers, by bins of size
    order = np.argsort(size)
    bins = np.array_split(order, min(30, max(1, len(order) // 50)))
    x = np.array([np.median(size[b] ** 2) for b in bins])
    y = np.array([np.median(square[b]) for b in bins]) / _median_of_mean_square(residual.shape[1]) + floor**2

    def error(logs: np.ndarray) -> np.ndarray:
        return np.log(np.exp(2 * logs[0]) + np.exp(2 * logs[1]) * x) - np.log(y)

    starts = [
        np.log([np.sqrt(y.min()), 1e-9]),
        np.log([np.sqrt(y.min()), np.sqrt(np.median(y / np.maximum(x, 1e-300))) + 1e-9]),
    ]
    best = min((least_squares(error, start, loss="soft_l1", max_nfev=100) for start in starts), key=lambda one: one.cost)
    fitted = np.sqrt(np.exp(2 * best.x[0]) + np.exp(2 * best.x[1]) * size**2)
    return evidence.spread * np.maximum(fitted, ROUNDING * (size + 0.1 * evidence.typical))


def _median_of_mean_square(dim: int) -> float:
    """Median of the mean square of so many standard normal numbers."""
    return float(chi2.median(dim)) / dim
