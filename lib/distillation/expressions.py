"""Expressions: from text and back, evaluated, simplified and with shorter constants."""

from __future__ import annotations

import numpy as np
import sympy


def symbols(names: list[str]) -> dict[str, sympy.Symbol]:
    """Real symbols of the inputs."""
    return {name: sympy.Symbol(name, real=True) for name in names}


def parse(text: str, names: list[str]) -> sympy.Expr:
    """Expression of its text in the inputs' names."""
    return sympy.sympify(text, locals=symbols(names))


def evaluate(expression: sympy.Expr, x: np.ndarray, names: list[str]) -> np.ndarray:
    """Values [rows] of an expression at inputs [rows, inputs]; not finite where it has none."""
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
        return np.full(len(x), np.nan)
    function = sympy.lambdify(list(symbols(names).values()), expression, "numpy")
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(function(*x.T), float), len(x))


def complexity(expression: sympy.Expr) -> int:
    """Nodes of the expression's SymPy tree."""
    return sum(1 for _ in sympy.preorder_traversal(expression))


def factor_leading_constants(expression: sympy.Expr) -> sympy.Expr:
    """The expression with the leading constant of every sum in a product drawn out: (2 r - 1) x to 2 (r - 0.5) x."""
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
            constant = leading.as_coeff_Mul()[0]
            factor *= constant**exponent
            base = sympy.Add(*(term / constant for term in base.args))
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


def rounded(expression: sympy.Expr, digits: int) -> sympy.Expr:
    """The expression with its constants to so many significant digits, and a constant that is 1 left out."""

    def short(number: sympy.Float) -> sympy.Number:
        value = float(f"{float(number):.{digits - 1}e}")
        return sympy.Integer(value) if abs(value) == 1 else sympy.Float(value)

    return expression.xreplace({number: short(number) for number in expression.atoms(sympy.Float)})


def signs(x: np.ndarray, names: list[str]) -> list[sympy.Symbol]:
    """The inputs that are -1 or +1 in all rows [rows, inputs]."""
    return [symbol for symbol, column in zip(symbols(names).values(), x.T, strict=True) if (np.abs(column) == 1).all()]


def reduce_sign_powers(expression: sympy.Expr, of: list[sympy.Symbol]) -> sympy.Expr:
    """The expression with the powers of signs taken down to 0 or 1: q2/q1 and q1*q2 are one where charges are -1 or +1."""
    return expression.replace(
        lambda e: e.is_Pow and e.base in of and e.exp.is_Integer, lambda e: e.base if e.exp % 2 else sympy.Integer(1)
    )
