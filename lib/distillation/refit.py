"""Constants of expressions, fitted once more to what they are for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import sympy
from scipy.optimize import least_squares
from sympy.core.relational import Relational

WITHOUT_VALUE = 1e7
"""Residual, in units of its scale, where a form has no value."""

Residual = Callable[[np.ndarray], np.ndarray]
"""Of constants [constants], as many numbers as there are data."""
Function = Callable[..., np.ndarray]
"""Of the inputs' columns, one argument each."""


def fit_constants(
    residual: Residual, start: np.ndarray, free: np.ndarray, scale: float, jacobian: Residual | None = None
) -> np.ndarray:
    """Constants [constants] with the least residuals; as they start if that does not help, and those that are not `free`.

    Residuals beyond `scale` count by their size instead of their square. The jacobian is [data, constants], by differences
    where it is not given.
    """
    # in units of themselves, so that small constants are moved by small steps
    units = np.where(start != 0, np.abs(start), 1.0)
    far = WITHOUT_VALUE * scale

    def constants(relative: np.ndarray) -> np.ndarray:
        values = start.copy()
        values[free] = units[free] * relative
        return values

    def error(relative: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.nan_to_num(residual(constants(relative)), nan=far, posinf=far, neginf=-far).ravel()

    def slopes(relative: np.ndarray) -> np.ndarray:
        return np.nan_to_num(jacobian(constants(relative))[:, free] * units[free], posinf=0.0, neginf=0.0)

    if not free.any() or (jacobian is not None and not np.isfinite(jacobian(start)).all()):
        return start
    first = (start / units)[free]
    try:
        fit = least_squares(
            error,
            first,
            "2-point" if jacobian is None else slopes,
            loss="soft_l1",
            f_scale=scale,
            x_scale="jac",
            max_nfev=100,
        )
    except np.linalg.LinAlgError:
        return start
    return constants(fit.x) if np.abs(error(fit.x)).mean() < np.abs(error(first)).mean() else start


def with_free_constants(expressions: list[sympy.Expr]) -> tuple[list[sympy.Expr], list[sympy.Symbol], np.ndarray]:
    """Expressions with a symbol in place of each of their constants, these symbols, and the constants' values."""
    values: list[float] = []
    symbols: list[sympy.Symbol] = []

    def freed(expression: sympy.Basic) -> sympy.Basic:
        if isinstance(expression, sympy.Float):
            values.append(float(expression))
            symbols.append(sympy.Symbol(f"constant{len(symbols)}", real=True))
            return symbols[-1]
        return expression.func(*map(freed, expression.args)) if expression.args else expression

    return [freed(e) for e in expressions], symbols, np.array(values)


def in_conditions(forms: list[sympy.Expr], symbols: list[sympy.Symbol]) -> np.ndarray:
    """Which of the symbols stand in a condition of a form: where it is discontinuous, it has no slope in them."""
    conditions = {s for form in forms for condition in form.atoms(Relational) for s in condition.free_symbols}
    return np.array([symbol in conditions for symbol in symbols], bool)


def refitted(
    expressions: list[sympy.Expr], names: list[list[str]], residual: Callable[..., np.ndarray], scale: float
) -> list[sympy.Expr]:
    """Expressions with the constants that make a residual least; as they were if that does not help.

    `residual(f, g, ...)` takes a function for each expression, of the columns that its `names` say; for `scale` see
    `fit_constants`. Constants of conditions stay, as a residual has no slope in them.
    """
    forms, symbols, start = with_free_constants(expressions)
    functions = [
        sympy.lambdify([*symbols, *(sympy.Symbol(name, real=True) for name in inputs)], form, "numpy")
        for form, inputs in zip(forms, names, strict=True)
    ]

    def error(constants: np.ndarray) -> np.ndarray:
        return residual(*(partial(function, *constants) for function in functions))

    constants = fit_constants(error, start, ~in_conditions(forms, symbols), scale)
    found = dict(zip(symbols, map(sympy.Float, constants), strict=True))
    return [form.xreplace(found) for form in forms]
