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

Function = Callable[..., np.ndarray]
"""Of the inputs' columns, one argument each."""


def with_free_constants(expressions: list[sympy.Expr]) -> tuple[list[sympy.Expr], list[sympy.Symbol], np.ndarray]:
    """Expressions with a symbol in place of each of their constants, these symbols, and the constants' values."""
    values: list[float] = []
    symbols: list[sympy.Symbol] = []

    def open_up(expression: sympy.Basic) -> sympy.Basic:
        if isinstance(expression, sympy.Float):
            values.append(float(expression))
            symbols.append(sympy.Symbol(f"constant{len(symbols)}", real=True))
            return symbols[-1]
        return expression.func(*map(open_up, expression.args)) if expression.args else expression

    return [open_up(e) for e in expressions], symbols, np.array(values)


def in_conditions(forms: list[sympy.Expr], symbols: list[sympy.Symbol]) -> np.ndarray:
    """Which of the symbols stand in a condition of a form: where it jumps, it has no slope in them."""
    conditions = {s for form in forms for condition in form.atoms(Relational) for s in condition.free_symbols}
    return np.array([symbol in conditions for symbol in symbols], bool)


def refitted(
    expressions: list[sympy.Expr],
    names: list[list[str]],
    residual: Callable[..., np.ndarray],
    scale: float,
) -> list[sympy.Expr]:
    """Expressions with the constants that make a residual least; as they were if that does not help.

    Constants of conditions stay, as a residual has no slope in them.

    `residual(f, g, ...)` takes a function for each expression, of the columns that its `names` say. Residuals beyond
    `scale` count by their size instead of their square.
    """
    forms, symbols, begin = with_free_constants(expressions)
    free = ~in_conditions(forms, symbols)
    functions = [
        sympy.lambdify([*symbols, *(sympy.Symbol(name, real=True) for name in inputs)], form, "numpy")
        for form, inputs in zip(forms, names, strict=True)
    ]

    far = WITHOUT_VALUE * scale

    def constants(relative: np.ndarray) -> np.ndarray:
        values = begin.copy()
        values[free] *= relative
        return values

    def error(relative: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = residual(*(partial(function, *constants(relative)) for function in functions))
        return np.nan_to_num(found, nan=far, posinf=far, neginf=-far).ravel()

    if not free.any():
        return expressions
    one = np.ones(int(free.sum()))
    fit = least_squares(error, one, loss="soft_l1", f_scale=scale, x_scale="jac", max_nfev=100)
    if np.abs(error(fit.x)).mean() >= np.abs(error(one)).mean():
        return expressions
    found = dict(zip(symbols, map(sympy.Float, constants(fit.x)), strict=True))
    return [form.xreplace(found) for form in forms]
