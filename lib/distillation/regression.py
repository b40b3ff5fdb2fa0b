"""Symbolic regression: from numbers to a front of ever more complex, ever better expressions."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sympy
from tqdm import tqdm

from lib.distillation.engines import STOPPED, Candidates, describe, get_engine
from lib.distillation.expressions import complexity, evaluate, parse, reduce_sign_powers, rounded, signs, simplest, symbols
from lib.errors import InputError
from lib.messages.discontinuities import Discontinuity

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
        expression = simplest(round_constants(simplest(reduce_sign_powers(parse(text, names), of)), loss))
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


def joined(beyond: str, within: str, at: float, names: list[str]) -> sympy.Expr:
    """The expression that is `beyond` at distances above `at` and `within` below, both in the inputs' names."""
    distance = symbols(names)["r"]
    return sympy.Piecewise((parse(beyond, names), distance > at), (parse(within, names), True))


def _both_sides(
    search: Callable[..., pd.DataFrame], discontinuity: Discontinuity, x: np.ndarray, y: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """The front of all pairs of what a search finds beyond a jump and within."""
    sides = discontinuity.sides(x)
    fronts = [search(x[there], y[there]) for there in sides]
    # a mean square over all rows is the sides' own, each by its share of the rows
    parts = [there.mean() * (y[there].var() or 1.0) / (y.var() or 1.0) for there in sides]
    rows = []
    for beyond, within in itertools.product(*(front.itertuples() for front in fronts)):
        expression = joined(beyond.expression, within.expression, discontinuity.at, names)
        rows.append((complexity(expression), parts[0] * beyond.loss + parts[1] * within.loss, str(expression)))
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
    discontinuity: Discontinuity | None = None,
    workers: int = 2,
) -> list[Front]:
    """A front for each target [rows, targets] over inputs [rows, inputs], searched side by side.

    Interrupted, it gives what was found so far.
    `functions` may stand in expressions besides sums, products and quotients: any that the engine and SymPy both name.
    Of edges' inputs the targets may have a `jump`: each of its sides is then searched by itself, with half the evaluations.
    """
    candidates = get_engine(engine)
    budget = evaluations if discontinuity is None else evaluations // 2

    def search(column: int) -> Front:
        started = time.monotonic()
        y = targets[:, column].astype(float)

        def front(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
            return pareto(candidates(x, y, names, budget, seed + column, functions), x, y, names)

        table = front(x, y) if discontinuity is None else _both_sides(front, discontinuity, x, y, names)
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
