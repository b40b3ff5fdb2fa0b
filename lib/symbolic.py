"""Symbolic regression: from numbers to a front of ever more complex, ever better expressions."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import sympy
from tqdm import tqdm

from lib.engines import STOPPED, Candidates, describe, get_engine
from lib.errors import InputError

if TYPE_CHECKING:
    from lib.jumps import Jump

log = logging.getLogger(__name__)

COLUMNS = ["complexity", "loss", "expression", "chosen"]


@dataclass(frozen=True)
class Front:
    """The best expressions found for one target, and how they were found."""

    table: pd.DataFrame
    """complexity, loss (1 - R^2), expression (SymPy text), chosen (by the rule of `choose`)."""
    engine: str
    seed: int
    seconds: float


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


def monic(expression: sympy.Expr) -> sympy.Expr:
    """The expression with the leading constant of every sum in a product drawn out: (2 r - 1) x to 2 (r - 0.5) x."""
    if not expression.args:
        return expression
    arguments = [monic(argument) for argument in expression.args]
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
    forms = [expression, monic(expression)]
    for rewrite in REWRITES:
        try:
            form = rewrite(expression)
            forms += [form, monic(form)]
        except (sympy.PolynomialError, NotImplementedError, ZeroDivisionError):
            continue
    return min(forms, key=lambda form: (complexity(form), str(form)))


def rounded(expression: sympy.Expr, digits: int) -> sympy.Expr:
    """The expression with its constants to so many significant digits, and a constant that is 1 left out."""

    def short(number: sympy.Float) -> sympy.Number:
        value = float(f"{float(number):.{digits - 1}e}")
        return sympy.Integer(value) if abs(value) == 1 else sympy.Float(value)

    return expression.xreplace({number: short(number) for number in expression.atoms(sympy.Float)})


def round_constants(expression: sympy.Expr, loss: Callable[[sympy.Expr], float], slack: float = 0.01) -> sympy.Expr:
    """The expression with the fewest digits that raise its loss by no more than `slack` of it."""
    best = loss(expression)
    for digits in range(2, 8):
        short = rounded(expression, digits)
        if loss(short) <= best * (1 + slack):
            return short
    return expression


def choose(table: pd.DataFrame) -> int:
    """Row of the front that PySR's rule `best` picks: steepest fall of log loss among the accurate ones."""
    losses = np.maximum(table["loss"].to_numpy(), 1e-300)
    gain = -np.diff(np.log(losses), prepend=np.log(losses[0])) / np.diff(table["complexity"], prepend=0)
    accurate = losses <= 1.5 * losses.min()
    return int(np.argmax(np.where(accurate, gain, -np.inf)))


def signs(x: np.ndarray, names: list[str]) -> list[sympy.Symbol]:
    """The inputs that are -1 or +1 in all rows [rows, inputs]."""
    return [symbol for symbol, column in zip(symbols(names).values(), x.T, strict=True) if (np.abs(column) == 1).all()]


def lowered(expression: sympy.Expr, of: list[sympy.Symbol]) -> sympy.Expr:
    """The expression with the powers of signs taken down to 0 or 1: q2/q1 and q1*q2 are one where charges are -1 or +1."""
    return expression.replace(
        lambda e: e.is_Pow and e.base in of and e.exp.is_Integer, lambda e: e.base if e.exp % 2 else sympy.Integer(1)
    )


def pareto(candidates: Candidates, x: np.ndarray, y: np.ndarray, names: list[str]) -> pd.DataFrame:
    """The front of the candidates: simplified, rounded, scored anew, and only those that no simpler one beats.

    A loss is a mean square in units of the variance of y [rows], or as it is where y does not vary.
    """
    unit = y.var() or 1.0

    def loss(expression: sympy.Expr) -> float:
        error = float(np.mean((evaluate(expression, x, names) - y) ** 2) / unit)
        return error if np.isfinite(error) else np.inf

    rows, of = [], signs(x, names)
    for text in candidates:
        expression = simplest(round_constants(simplest(lowered(parse(text, names), of)), loss))
        rows.append((complexity(expression), loss(expression), str(expression)))
    return _front(rows)


def _front(rows: list[tuple[int, float, str]]) -> pd.DataFrame:
    """Of complexities, losses and expressions those that no simpler one beats."""
    front: list[tuple[int, float, str]] = []
    for row in sorted(set(rows)):
        if np.isfinite(row[1]) and (not front or row[1] < front[-1][1]):
            if front and front[-1][0] == row[0]:
                front.pop()
            front.append(row)
    if not front:
        raise InputError("the search found no expression that has a value on all of its data")
    table = pd.DataFrame(front, columns=COLUMNS[:3])
    table["chosen"] = np.arange(len(table)) == choose(table)
    return table


def _both_sides(
    search: Callable[..., pd.DataFrame], jump: Jump, x: np.ndarray, y: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """The front of all pairs of what a search finds beyond a jump and within."""
    sides = jump.sides(x)
    fronts = [search(x[there], y[there]) for there in sides]
    # a mean square over all rows is the sides' own, each by its share of the rows
    parts = [there.mean() * (y[there].var() or 1.0) / (y.var() or 1.0) for there in sides]
    rows = []
    for beyond, within in itertools.product(*(front.itertuples() for front in fronts)):
        joined = jump.joined(beyond.expression, within.expression, names)
        rows.append((complexity(joined), parts[0] * beyond.loss + parts[1] * within.loss, str(joined)))
    return _front(rows)


def regress(
    x: np.ndarray,
    targets: np.ndarray,
    names: list[str],
    *,
    evaluations: int,
    seed: int = 0,
    engine: str = "operon",
    functions: Sequence[str] = (),
    jump: Jump | None = None,
    workers: int = 2,
) -> list[Front]:
    """A front for each target [rows, targets] over inputs [rows, inputs], searched side by side.

    Interrupted, it gives what was found so far.
    `functions` may stand in expressions besides sums, products and quotients: any that the engine and SymPy both name.
    Of edges' inputs the targets may have a `jump`: each of its sides is then searched by itself, with half the evaluations.
    """
    candidates = get_engine(engine)
    budget = evaluations if jump is None else evaluations // 2

    def search(column: int) -> Front:
        started = time.monotonic()
        y = targets[:, column].astype(float)

        def front(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
            return pareto(candidates(x, y, names, budget, seed + column, functions), x, y, names)

        table = front(x, y) if jump is None else _both_sides(front, jump, x, y, names)
        return Front(table, describe(engine), seed + column, time.monotonic() - started)

    with ThreadPoolExecutor(workers) as pool, tqdm(total=targets.shape[1], desc=engine, unit="search", leave=False) as bar:
        searches = [pool.submit(search, column) for column in range(targets.shape[1])]
        try:
            for _ in as_completed(searches):
                bar.update()
        except KeyboardInterrupt:
            STOPPED.set()
            log.warning("interrupted: going on with what %s has found so far", engine)
        try:
            return [found.result() for found in searches]
        finally:
            STOPPED.clear()
