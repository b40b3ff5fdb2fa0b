"""Constants of expressions, fitted once more to what they are for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import sympy
from scipy.optimize import least_squares
from sympy.core.relational import Relational

Function = Callable[..., np.ndarray]
"""Of the inputs' columns, one argument each."""


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
    opened, spans, start = [], [], []
    for expression, inputs in zip(expressions, names, strict=True):
        conditions = (condition.atoms(sympy.Float) for condition in expression.atoms(Relational))
        numbers = sorted(expression.atoms(sympy.Float).difference(*conditions), key=float)
        symbols = sympy.symbols(f"constant:{len(numbers)}", real=True)
        form = expression.xreplace(dict(zip(numbers, symbols, strict=True)))
        columns = [sympy.Symbol(name, real=True) for name in inputs]
        opened.append((form, symbols, sympy.lambdify([*symbols, *columns], form, "numpy")))
        spans.append(slice(len(start), len(start) + len(numbers)))
        start += [float(number) for number in numbers]
    begin = np.array(start)

    def error(relative: np.ndarray) -> np.ndarray:
        values = relative * begin
        with np.errstate(all="ignore"):
            found = residual(*(partial(function, *values[span]) for (_, _, function), span in zip(opened, spans, strict=True)))
        return np.nan_to_num(found, nan=1e6, posinf=1e6, neginf=-1e6).ravel()

    one = np.ones(len(begin))
    if not len(begin):
        return expressions
    fit = least_squares(error, one, loss="soft_l1", f_scale=scale, x_scale="jac", max_nfev=100)
    if np.abs(error(fit.x)).mean() >= np.abs(error(one)).mean():
        return expressions
    values = fit.x * begin
    return [
        form.xreplace({symbol: sympy.Float(value) for symbol, value in zip(symbols, values[span], strict=True)})
        for (form, symbols, _), span in zip(opened, spans, strict=True)
    ]
