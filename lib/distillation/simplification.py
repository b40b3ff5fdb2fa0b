"""Expressions made shorter: equal forms of fewer nodes, and constants of fewer digits where a loss allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import sympy

from lib.distillation.digits import fewest_digits, short
from lib.distillation.expressions import complexity, symbols

Loss = Callable[[sympy.Expr], float]
SLACK = 0.01
"""Part of its loss by which shortening may raise it."""
ROUNDING = 1e-28
"""Loss, in units of the target's variance, that is but the rounding of floating-point numbers."""


def factor_leading_constants(expression: sympy.Expr) -> sympy.Expr:
    """The expression with the leading constant of every sum in a product factored out: (2 r - 1) x to 2 (r - 0.5) x."""
    if not expression.args:
        return expression
    arguments = [factor_leading_constants(argument) for argument in expression.args]
    if not expression.is_Mul:
        return expression.func(*arguments)
    factor, factors = sympy.Integer(1), []
    for argument in arguments:
        base, exponent = argument.as_base_exp()
        if base.is_Add and exponent.is_Integer:
            leading = min((term for term in base.args if not term.is_number), key=sympy.default_sort_key, default=base)
            constant, bare = leading.as_coeff_Mul()
            factor *= constant**exponent
            base = sympy.Add(*(bare if term is leading else term / constant for term in base.args))
        factors.append(base**exponent)
    return sympy.Mul(factor, *factors)


REWRITES = (
    sympy.expand,
    sympy.together,
    sympy.factor_terms,
    lambda e: sympy.factor_terms(sympy.expand(e)),
    lambda e: sympy.cancel(sympy.together(e)),
    lambda e: sympy.collect(sympy.expand(e), sorted(e.free_symbols, key=str)),
)


def simplest(expression: sympy.Expr) -> sympy.Expr:
    """The least complex of the expression's equal forms."""
    forms = [expression, factor_leading_constants(expression)]
    for rewrite in REWRITES:
        try:
            form = rewrite(expression)
            forms += [form, factor_leading_constants(form)]
        except (sympy.PolynomialError, NotImplementedError, ZeroDivisionError):
            continue
    return min(forms, key=lambda form: (complexity(form), str(form)))


def _with_numbers(expression: sympy.Expr, numbers: list[sympy.Float], values: Iterable[float]) -> sympy.Expr:
    """The expression with other values in place of its constants, and a constant that is 1 left out."""
    found = (sympy.Integer(value) if abs(value) == 1 else sympy.Float(value) for value in map(float, values))
    return expression.xreplace(dict(zip(numbers, found, strict=True)))


def rounded(expression: sympy.Expr, digits: int) -> sympy.Expr:
    """The expression with its constants to so many significant digits, and a constant that is 1 left out."""
    numbers = list(expression.atoms(sympy.Float))
    return _with_numbers(expression, numbers, (short(float(number), digits) for number in numbers))


def round_constants(expression: sympy.Expr, loss: Loss, limit: float) -> sympy.Expr:
    """The expression with the fewest digits whose loss is within a limit."""
    numbers = list(expression.atoms(sympy.Float))
    values = fewest_digits(np.array(numbers, float), lambda values: loss(_with_numbers(expression, numbers, values)) <= limit)
    return _with_numbers(expression, numbers, values)


def drop_negligible_terms(expression: sympy.Expr, loss: Loss, limit: float) -> sympy.Expr:
    """The expression without those terms of its sums that its loss, within a limit, does not need."""
    for total in sorted(expression.atoms(sympy.Add), key=sympy.default_sort_key):
        for term in total.args:
            shorter = expression.xreplace({total: total - term})
            if loss(shorter) <= limit:
                return drop_negligible_terms(shorter, loss, limit)
    return expression


def shortened(expression: sympy.Expr, loss: Loss) -> sympy.Expr:
    """The simplest form of the expression, with fewer terms and digits as far as its loss hardly rises."""
    expression = simplest(expression)
    limit = loss(expression) * (1 + SLACK) + ROUNDING
    if not np.isfinite(limit):
        return expression
    short = simplest(round_constants(drop_negligible_terms(expression, loss, limit), loss, limit))
    # a form that divides by one of its constants has long ones again
    return round_constants(short, loss, limit)


def signs(x: np.ndarray, names: list[str]) -> list[sympy.Symbol]:
    """The inputs that are -1 or +1 in all rows [rows, inputs]."""
    return [symbol for symbol, column in zip(symbols(names).values(), x.T, strict=True) if (np.abs(column) == 1).all()]


def reduce_sign_powers(expression: sympy.Expr, of: list[sympy.Symbol]) -> sympy.Expr:
    """The expression with powers of signs reduced to 0 or 1: q2/q1 and q1*q2 are one where charges are -1 or +1."""
    return expression.replace(
        lambda e: e.is_Pow and e.base in of and e.exp.is_Integer, lambda e: e.base if e.exp % 2 else sympy.Integer(1)
    )
