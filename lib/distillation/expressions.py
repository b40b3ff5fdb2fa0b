"""Expressions: read from text by a whitelist of syntax, evaluated, and counted."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy

from lib.errors import InputError

MAX_TEXT = 10_000
"""Characters of an expression's text."""
MAX_INTEGER_EXPONENT, MAX_EXPONENT = 100, 1_000.0
"""Sizes of constant exponents; powers to an integer are expanded when an expression is simplified."""
MAX_NUMBER = 1e300
"""Size of a constant."""
MAX_INTEGER = 2**53
"""Size of an integer that is kept as one."""

OPERATORS: dict[type, Callable[[sympy.Expr, sympy.Expr], sympy.Expr]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
RELATIONS: dict[type, Callable[[sympy.Expr, sympy.Expr], sympy.Basic]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    **{name: getattr(sympy, name) for name in ("log", "exp", "sqrt", "cbrt", "Abs", "sign", "Max", "Min")},
    **{name: getattr(sympy, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")},
    "abs": sympy.Abs,
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "inv": lambda x: 1 / x,
    "neg": lambda x: -x,
}
"""By the names that SymPy and the engines write."""


def symbols(names: list[str]) -> dict[str, sympy.Symbol]:
    """Real symbols of the inputs."""
    return {name: sympy.Symbol(name, real=True) for name in names}


def parse(text: str, names: list[str]) -> sympy.Expr:
    """The expression that a text in the inputs' names says, in SymPy's or an engine's syntax (`^` is a power).

    Nothing is executed: numbers, the names, + - * / **, `FUNCTIONS`, and Piecewise of comparisons are all that there is.
    Raises `InputError` for anything else, and for numbers beyond all bounds.
    """
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    if len(text) > MAX_TEXT:
        raise InputError(f"expression of {len(text)} characters, more than {MAX_TEXT}: {shown!r}")
    try:
        return _value(ast.parse(text.strip().replace("^", "**"), mode="eval").body, symbols(names))
    except InputError as error:
        raise InputError(f"{error}, in expression {shown!r}") from None
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise InputError(f"not an expression: {shown!r} ({type(error).__name__})") from None


def _value(node: ast.expr, known: dict[str, sympy.Symbol]) -> sympy.Expr:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(sympy.sympify(number))
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name):
            raise InputError(f"unknown name {name!r}: choose of {', '.join(known)}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, known)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, known)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            one, other = _value(left, known), _value(right, known)
            if isinstance(op, ast.Pow):
                _check_exponent(other)
            found = _bounded(OPERATORS[type(op)](one, other))
            # powers of powers are one power
            _check_exponent(found.as_base_exp()[1])
            return found
        case ast.Call(func=ast.Name(id="Piecewise"), args=[_, *_] as cases, keywords=[]):
            return sympy.Piecewise(*(_case(case, known) for case in cases))
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as arguments, keywords=[]) if name in FUNCTIONS:
            return _bounded(FUNCTIONS[name](*(_value(argument, known) for argument in arguments)))
        case ast.Call(func=ast.Name(id=name)):
            raise InputError(f"unknown function {name!r}: choose of {', '.join(FUNCTIONS)}, Piecewise")
    raise InputError(f"{type(node).__name__} is no part of an expression")


def _case(node: ast.expr, known: dict[str, sympy.Symbol]) -> tuple[sympy.Expr, sympy.Basic | bool]:
    match node:
        case ast.Tuple(elts=[value, ast.Constant(value=bool() as always)]):
            return _value(value, known), always
        case ast.Tuple(elts=[value, ast.Compare(left=left, ops=[op], comparators=[right])]) if type(op) in RELATIONS:
            return _value(value, known), RELATIONS[type(op)](_value(left, known), _value(right, known))
    raise InputError("a case of Piecewise is (expression, comparison) or (expression, True)")


def _check_exponent(exponent: sympy.Expr) -> None:
    if exponent.is_Number:
        most = MAX_INTEGER_EXPONENT if exponent.is_Integer else MAX_EXPONENT
        if not abs(exponent) <= most:
            raise InputError(f"exponent beyond {most:g}")


def _bounded(found: sympy.Expr) -> sympy.Expr:
    """What was found, if it is a constant, as a number of bounded size; zoo and nan, which have no value, stay."""
    if not found.is_number or found.has(sympy.zoo, sympy.nan):
        return found
    try:
        size = abs(complex(found))
    except OverflowError:
        size = np.inf
    if not size <= MAX_NUMBER or (size == 0 and found.is_Number and not found.is_zero):
        raise InputError(f"number beyond {MAX_NUMBER:g} or below the least that there is")
    # a longer fraction is a number that no digit is missed of
    if found.is_Rational and max(abs(found.p), found.q) > MAX_INTEGER:
        return sympy.Float(found)
    return found


def evaluate(expression: sympy.Expr, x: np.ndarray, names: list[str]) -> np.ndarray:
    """Values [rows] of an expression at inputs [rows, inputs]; not finite where it has none."""
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
        return np.full(len(x), np.nan)
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(_function(expression, tuple(names))(*x.T), float), len(x))


@lru_cache(maxsize=100)
def _function(expression: sympy.Expr, names: tuple[str, ...]) -> Callable[..., Any]:
    """An expression as a function of arrays; kept, since integrations ask for one many thousand times."""
    return sympy.lambdify(list(symbols(list(names)).values()), expression, "numpy")


def complexity(expression: sympy.Expr) -> int:
    """Nodes of the expression's SymPy tree."""
    return sum(1 for _ in sympy.preorder_traversal(expression))
