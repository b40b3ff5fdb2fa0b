"""Radial forms: formulas that a spline of the distance may stand for, fitted to it by their own constants.

Each is a sum of functions with free coefficients; constants inside the functions are scanned and refined (variable
projection).
No form is of a particular law: they are the products and sums of powers, exponentials, logarithms and waves.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import sympy
from scipy.optimize import least_squares

from lib.registry import Registry

R = sympy.Symbol("r", real=True)

Basis = Callable[..., list[sympy.Expr]]
"""Of the inner constants, the functions of the distance whose sum is the form."""


@dataclass(frozen=True)
class Form:
    """A kind of radial formula."""

    functions: Basis
    """Of (distance, inner constants...): expressions to be added with free coefficients."""
    starts: Callable[[float, float], Iterable[tuple[float, ...]]] = lambda low, high: [()]
    """Of the range of distances: values of the inner constants to start from."""


def _lengths(low: float, high: float, count: int = 4) -> list[float]:
    """Lengths over the range of distances."""
    return list(np.geomspace(max(low, high / 30), high, count))


EXPONENTS = (-6.0, -3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)

SHAPES: dict[str, Callable[[sympy.Expr], sympy.Expr]] = {
    "screened power": lambda u: sympy.exp(-u),
    "Gaussian power": lambda u: sympy.exp(-(u**2)),
    "power times log(1 + r/l)": lambda u: sympy.log(1 + u),
    "power times 1 - exp(-r/l)": lambda u: 1 - sympy.exp(-u),
    "power times tanh(r/l)": sympy.tanh,
    "power times atan(r/l)": sympy.atan,
    "power over 1 + r/l": lambda u: 1 / (1 + u),
    "power over 1 + (r/l)^2": lambda u: 1 / (1 + u**2),
    "power over sqrt(1 + (r/l)^2)": lambda u: 1 / sympy.sqrt(1 + u**2),
    "power over (1 + (r/l)^2)^(3/2)": lambda u: 1 / sympy.sqrt(1 + u**2) ** 3,
    "power times cos(r/l)": sympy.cos,
    "power times sin(r/l)": sympy.sin,
}
"""Functions of r / l that a power of the distance is multiplied with."""


def _shaped(shape: Callable[[sympy.Expr], sympy.Expr]) -> Form:
    """A power of the distance times a function of r / l."""
    return Form(
        lambda r, p, l: [r**p * shape(r / l)],
        lambda low, high: [(p, l) for p in (-2.0, -1.0, 0.0, 1.0) for l in _lengths(low, high)],
    )


FORMS: Registry[Form] = Registry(
    "radial form",
    {
        **{name: _shaped(shape) for name, shape in SHAPES.items()},
        "constant": Form(lambda r: [sympy.Integer(1)]),
        "power": Form(lambda r, p: [r**p], lambda low, high: [(p,) for p in EXPONENTS]),
        "power and constant": Form(lambda r, p: [r**p, sympy.Integer(1)], lambda low, high: [(p,) for p in EXPONENTS]),
        "two powers": Form(
            lambda r, p, q: [r**p, r**q],
            lambda low, high: [
                *((p, q) for p, q in itertools.combinations((-3.0, -2.0, -1.0, 1.0, 2.0, 3.0), 2)),
                (-13.0, -7.0),
                (-12.0, -6.0),
                (-9.0, -5.0),
                (-7.0, -3.0),
                (-4.0, -2.0),
            ],
        ),
        "screened power, two terms": Form(
            lambda r, p, l: [r**p * sympy.exp(-r / l), r ** (p + 1) * sympy.exp(-r / l)],
            lambda low, high: [(p, l) for p in (-3.0, -2.0, -1.0, 0.0) for l in _lengths(low, high)],
        ),
        "screened power and power": Form(
            lambda r, p, l, q: [r**p * sympy.exp(-r / l), r**q],
            lambda low, high: [(p, l, q) for p in (-2.0, 0.0) for l in _lengths(low, high, 3) for q in (-2.0, 0.0, 1.0)],
        ),
        "Gaussian shell": Form(
            lambda r, a, l: [sympy.exp(-(((r - a) / l) ** 2))],
            lambda low, high: [(a, l) for a in _lengths(low, high) for l in _lengths(low, high, 3)],
        ),
        "exponential and its square": Form(
            lambda r, l: [sympy.exp(-r / l), sympy.exp(-2 * r / l)], lambda low, high: [(l,) for l in _lengths(low, high)]
        ),
        "two exponentials": Form(
            lambda r, l, k: [sympy.exp(-r / l), sympy.exp(-r / k)],
            lambda low, high: itertools.combinations(_lengths(low, high), 2),
        ),
        "two Gaussians times distance": Form(
            lambda r, l, k: [r * sympy.exp(-((r / l) ** 2)), r * sympy.exp(-((r / k) ** 2))],
            lambda low, high: itertools.combinations(_lengths(low, high), 2),
        ),
        "logarithm": Form(lambda r: [sympy.log(r), sympy.Integer(1)]),
        "power times logarithm": Form(
            lambda r, p: [r**p * sympy.log(r), r**p], lambda low, high: [(p,) for p in (-2.0, -1.0, 1.0, 2.0)]
        ),
        "wave": Form(
            lambda r, k: [sympy.sin(k * r), sympy.cos(k * r)], lambda low, high: [(k,) for k in np.geomspace(1, 30, 8) / high]
        ),
        "wave over power": Form(
            lambda r, k, p: [r**p * sympy.sin(k * r), r**p * sympy.cos(k * r)],
            lambda low, high: [(k, p) for k in np.geomspace(1, 30, 8) / high for p in (-2.0, -1.0)],
        ),
        "quadratic": Form(lambda r: [sympy.Integer(1), r, r**2]),
        "cubic": Form(lambda r: [r, r**2, r**3]),
        "odd cubic": Form(lambda r: [r, r**3]),
        "three powers": Form(
            lambda r, p: [r**p, r ** (p + 1), r ** (p + 2)], lambda low, high: [(p,) for p in (-3.0, -2.0, -1.0)]
        ),
    },
)

SOFTENED = {
    "none": lambda r, c: r,
    "r + c": lambda r, c: r + c,
    "sqrt(r^2 + c^2)": lambda r, c: sympy.sqrt(r**2 + c**2),
}
"""Distances that a formula may hold in place of r, with a constant c that is fitted."""


POINTS_COUNT, CONSTANT = 30, 4.0
"""Independent points of a profile, and what a constant costs besides."""
ACCURATE = 1e-6
"""Relative square error of a spline that is good."""


@dataclass(frozen=True)
class Fitted:
    """A form with constants."""

    name: str
    expression: sympy.Expr
    """In r; its constants are floats."""
    error: float
    """Weighted mean square of what is left of the spline, over that of the spline."""

    @property
    def cost(self) -> float:
        """The error against the number of constants (a Bayesian information criterion), by which forms are tried first."""
        return POINTS_COUNT * float(np.log(self.error + ACCURATE)) + len(self.expression.atoms(sympy.Float)) * CONSTANT


def fit_forms(r: np.ndarray, values: np.ndarray, deviation: np.ndarray, low: float, high: float) -> list[Fitted]:
    """Every form fitted to a function given at distances [points], with standard deviations [points]; best first.

    Forms with exponents (inner constants called p and q) are there twice: with free ones, and with whole numbers near these.
    """
    found = []
    for name, form in FORMS.items():
        inner = list(inspect.signature(form.functions).parameters)[1:]
        best = _best(form, inner, form.starts(low, high), r, values, deviation)
        found.append(_fitted(name, form, inner, best, values / deviation))
        powers = [k for k, one in enumerate(inner) if one in ("p", "q")]
        if powers:
            near = [sorted({np.floor(best.inner[k]), np.ceil(best.inner[k])}) for k in powers]
            for whole in itertools.product(*near):
                known = {inner[k]: sympy.Integer(int(v)) for k, v in zip(powers, whole, strict=True)}
                rest = [one for one in inner if one not in known]
                fixed = Form(partial(_with, form.functions, inner, known))
                start = tuple(v for k, v in enumerate(best.inner) if k not in powers)
                again = _best(fixed, rest, [start], r, values, deviation)
                found.append(_fitted(f"{name}, whole exponents", fixed, rest, again, values / deviation))
    return sorted(found, key=lambda one: one.cost)


@dataclass(frozen=True)
class _Best:
    inner: tuple[float, ...]
    coefficients: np.ndarray
    error: float


def _with(
    functions: Basis, names: list[str], known: dict[str, sympy.Expr], r: sympy.Expr, *rest: sympy.Expr
) -> list[sympy.Expr]:
    """The functions with some of their inner constants known."""
    supply = iter(rest)
    return functions(r, *(known[name] if name in known else next(supply) for name in names))


def _best(
    form: Form, inner: list[str], starts: Iterable[tuple[float, ...]], r: np.ndarray, values: np.ndarray, deviation: np.ndarray
) -> _Best:
    """Inner constants and coefficients with the least squares: the best of the starts, refined."""
    symbols = [sympy.Symbol(name, real=True) for name in inner]
    evaluate = sympy.lambdify([R, *symbols], form.functions(R, *symbols), "numpy", cse=True)
    target = values / deviation

    def solve(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            columns = [np.broadcast_to(np.asarray(one, float), r.shape) for one in evaluate(r, *theta)]
            matrix = np.nan_to_num(np.stack(columns, axis=1) / deviation[:, None], posinf=0.0, neginf=0.0)
            scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-150)
            coefficients = np.linalg.lstsq(matrix / scale, target, rcond=1e-12)[0]
            return target - (matrix / scale) @ coefficients, coefficients / scale

    def found(theta: np.ndarray) -> _Best:
        residual, coefficients = solve(theta)
        return _Best(tuple(float(t) for t in theta), coefficients, float(residual @ residual))

    best = min((found(np.array(start)) for start in starts), key=lambda one: one.error)
    if inner:
        theta = np.array(best.inner)
        try:
            refined = least_squares(lambda t: solve(t)[0], theta, x_scale=np.abs(theta) + 0.1, max_nfev=60).x
            best = min(best, found(refined), key=lambda one: one.error)
        except (np.linalg.LinAlgError, ValueError):
            pass  # the start stays
    return best


def _fitted(name: str, form: Form, inner: list[str], best: _Best, target: np.ndarray) -> Fitted:
    functions = form.functions(R, *(sympy.Float(value) for value in best.inner))
    expression = sum((sympy.Float(c) * one for c, one in zip(best.coefficients, functions, strict=True)), sympy.S.Zero)
    return Fitted(name, sympy.sympify(expression), best.error / float(target @ target))
