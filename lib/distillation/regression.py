"""Symbolic regression: from numbers to a front of ever more complex, ever better expressions."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import sympy
from tqdm import tqdm

from lib.distillation.engines import Candidates, Task, describe, get_engine
from lib.distillation.expressions import complexity, evaluate, parse, symbols
from lib.distillation.scaling import Units, spread
from lib.distillation.simplification import reduce_sign_powers, shortened, signs
from lib.errors import InputError
from lib.messages.discontinuities import Discontinuity
from lib.processors import processors

log = logging.getLogger(__name__)

Result = TypeVar("Result")

COLUMNS = ["complexity", "loss", "expression", "chosen"]


@dataclass(frozen=True)
class Front:
    """The best expressions found for one target, and how they were found."""

    table: pd.DataFrame
    """complexity, loss (1 - R^2), expression (SymPy text), chosen (by the rule of `choose`)."""
    engine: str
    seed: int
    """Of the run; each search has a stream of its own."""
    seconds: float
    evaluations: int | None
    """Spent; None where an engine that was stopped does not tell."""
    interrupted: bool
    """Whether the search was stopped before its evaluations were spent."""


def provenance(fronts: Sequence[Front]) -> dict[str, Any]:
    """How fronts were found, as JSON: engine, seed, evaluations of the shortest search, and whether any was interrupted."""
    spent = [front.evaluations for front in fronts]
    return {
        "engine": fronts[0].engine,
        "regression_seed": fronts[0].seed,
        "evaluations": None if None in spent else min(spent),
        "interrupted": any(front.interrupted for front in fronts),
    }


def choose(table: pd.DataFrame) -> int:
    """Row of the front that PySR's rule `best` picks: steepest fall of log loss among the accurate ones."""
    losses = np.maximum(table["loss"].to_numpy(), 1e-300)
    gain = -np.diff(np.log(losses), prepend=np.log(losses[0])) / np.diff(table["complexity"], prepend=0)
    accurate = losses <= 1.5 * losses.min()
    return int(np.argmax(np.where(accurate, gain, -np.inf)))


def readable(candidates: Candidates, names: list[str]) -> list[sympy.Expr]:
    """Expressions of an engine's texts, less those that are none, such as one with a constant of inf or nan."""
    found = []
    for text in candidates:
        try:
            found.append(parse(text, names))
        except InputError as error:
            log.debug("left out: %s", error)
    return found


def pareto(candidates: Iterable[sympy.Expr], x: np.ndarray, y: np.ndarray, names: list[str]) -> pd.DataFrame:
    """The front of the candidates: simplified, rounded, scored anew, and only those that no simpler one beats.

    A loss is a mean square in units of the variance of y [rows], of its mean square where y does not vary.
    Raises `InputError` where no candidate has a value on all rows of x [rows, inputs].
    """
    unit = spread(y)

    def loss(expression: sympy.Expr) -> float:
        with np.errstate(all="ignore"):
            error = float(np.mean(((evaluate(expression, x, names) - y) / unit) ** 2))
        return error if np.isfinite(error) else np.inf

    rows, of = [], signs(x, names)
    for candidate in candidates:
        expression = shortened(reduce_sign_powers(candidate, of), loss)
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


def _of_both_sides(
    fronts: list[pd.DataFrame], discontinuity: Discontinuity, sides: Sequence[np.ndarray], y: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """The front of all pairs of expressions of the fronts beyond a discontinuity and within."""
    # a mean square over all rows is the sides' own, each by its part of the rows
    parts = [there.mean() * (spread(y[there]) / spread(y)) ** 2 for there in sides]
    rows = []
    for beyond, within in itertools.product(*(front.itertuples() for front in fronts)):
        expression = joined(beyond.expression, within.expression, discontinuity.at, names)
        rows.append((complexity(expression), parts[0] * beyond.loss + parts[1] * within.loss, str(expression)))
    return _front(rows)


def stream(seed: int, purpose: str, *place: int) -> int:
    """Seed of one search: independent for each seed, purpose and place, such as the target's column."""
    key = (zlib.crc32(purpose.encode()), *place)
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1)[0])


def side_by_side(
    jobs: Sequence[Callable[[threading.Event], Result]],
    stop: threading.Event | None = None,
    workers: int | None = None,
    label: str = "searches",
) -> list[Result]:
    """Results of searches by so many workers (default: the processors of this process), in their order.

    Each is given an event that asks it to end with what it has found: it is set by an interrupt, and where one fails.
    """
    stop = stop or threading.Event()
    with (
        ThreadPoolExecutor(workers or min(processors(), len(jobs))) as pool,
        tqdm(total=len(jobs), desc=label, unit="search", leave=False) as bar,
    ):
        searches = [pool.submit(job, stop) for job in jobs]
        try:
            for done in as_completed(searches):
                done.result()
                bar.update()
        except KeyboardInterrupt:
            stop.set()
            log.warning("interrupted: going on with what %s has found so far", label)
        except BaseException:
            stop.set()  # the others need not be waited for
            raise
        return [done.result() for done in searches]


def regress(
    x: np.ndarray,
    targets: np.ndarray,
    names: list[str],
    *,
    evaluations: int,
    seed: int = 0,
    purpose: str = "",
    engine: str = "operon",
    functions: Sequence[str] = (),
    discontinuity: Discontinuity | None = None,
    workers: int | None = None,
    stop: threading.Event | None = None,
) -> list[Front]:
    """A front for each target [rows, targets] over inputs [rows, inputs], searched side by side by so many workers.

    The seed and the purpose, a word that tells one search of a run from another, decide what is found, whatever the units
    of inputs and targets. Interrupted, or when `stop` is set, it gives what was found so far.
    `functions` may stand in expressions besides sums, products and quotients: any that the engine and SymPy both name.
    Of edges' inputs the targets may have a discontinuity: each of its sides is then searched by itself, with half the
    evaluations. Raises `InputError` for an unknown engine, and where nothing found has a value on all rows.
    """
    find, stop = get_engine(engine), stop or threading.Event()

    def search(x: np.ndarray, y: np.ndarray, budget: int, *place: int) -> tuple[pd.DataFrame, int | None]:
        units = Units.of(x, y)
        task = Task(x / units.inputs, y / units.target, names, budget, stream(seed, purpose, *place), functions, stop)
        found = find(task)
        candidates = (units.restored(candidate, names) for candidate in readable(found.candidates, names))
        return pareto(candidates, x, y, names), found.evaluations

    def front(column: int) -> Front:
        started = time.monotonic()
        y = targets[:, column].astype(float)
        if discontinuity is None:
            table, spent = search(x, y, evaluations, column)
            planned = evaluations
        else:
            sides = discontinuity.sides(x)
            found = [search(x[there], y[there], evaluations // 2, column, k) for k, there in enumerate(sides)]
            table = _of_both_sides([part for part, _ in found], discontinuity, sides, y, names)
            spent = None if any(part is None for _, part in found) else sum(part for _, part in found)
            planned = 2 * (evaluations // 2)
        return Front(table, describe(engine), seed, time.monotonic() - started, spent, spent != planned)

    jobs = [lambda _, column=column: front(column) for column in range(targets.shape[1])]
    return side_by_side(jobs, stop, workers, engine)
