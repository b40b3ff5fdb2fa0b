"""What stands below every table of runs: budget, seeds and edges, read from the table itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from lib.network.variants import VARIANTS
from lib.physics.systems import parse_system

LONGER = 1.01
"""Graphs seen, in budgets of the row, above which a run saw more than the row."""
CLOSE = 0.9995
"""R² from which three digits would read 1.000, so that 1 - R² is told instead."""


def budget(table: pd.DataFrame, system: str) -> int:
    """Training graphs of a system's row: the least that one of the variants that stand in every table saw."""
    return int(table[(table["system"] == system) & table["variant"].isin(list(VARIANTS))]["graphs_seen"].min())


def longer(table: pd.DataFrame) -> pd.Series:
    """Whether a run saw more graphs than its row, by the table's index."""
    rows = {system: budget(table, system) for system in table["system"].unique() if _has_row(table, system)}
    return table["graphs_seen"] > LONGER * table["system"].map(rows)


def _has_row(table: pd.DataFrame, system: str) -> bool:
    return bool(((table["system"] == system) & table["variant"].isin(list(VARIANTS))).any())


def budgets(table: pd.DataFrame, shown: Sequence[str] = tuple(VARIANTS)) -> str:
    """Sentences: how many million graphs the runs of each law saw, and which runs of the variants shown saw more."""
    rows = table[table["variant"].isin(list(VARIANTS))]
    by_graphs: dict[float, list[str]] = {}
    for system in rows["system"].unique():
        by_graphs.setdefault(budget(rows, system), []).append(f"`{parse_system(system).law}`")
    told = [f"{graphs / 1e6:.2g} million ({', '.join(dict.fromkeys(laws))})" for graphs, laws in by_graphs.items()]
    return f"Training graphs a run: {', '.join(told)}. {_more(rows, shown)}"


def of_distilled(table: pd.DataFrame, shown: Sequence[str]) -> str:
    """Budgets and seeds of the runs that were distilled, of the variants shown."""
    runs = table[table["recovered"].notna()]
    return f"{budgets(runs, shown)} {seeds(runs)}"


def _more(rows: pd.DataFrame, shown: Sequence[str]) -> str:
    found = rows[longer(rows) & rows["variant"].isin(list(shown))]
    if found.empty:
        return "All runs of a row saw as many."
    factors = found["graphs_seen"] / found["system"].map(lambda system: budget(rows, system))
    words: dict[str, list[str]] = {}
    for row, factor in zip(found.itertuples(), factors, strict=True):
        words.setdefault(f"{factor:.0f} times as many", []).append(_named(row))
    told = "; ".join(f"{many}: {', '.join(runs)}" for many, runs in words.items())
    return f"† marks runs that were trained longer, because at first they had missed the project's goal ({told})."


def _named(row: tuple) -> str:
    return f"`{row.system}/{row.variant}`" + (f" (seed {row.seed})" if row.seed else "")


def seeds(table: pd.DataFrame) -> str:
    """A sentence: of how many seeds the systems of a table are."""
    rows = table[table["variant"].isin(list(VARIANTS))]
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for system, group in rows.groupby("system", sort=False):
        by_seeds.setdefault(tuple(sorted(group["seed"].unique())), []).append(str(system))
    told = [f"{_listed(numbers)} ({', '.join(f'`{name}`' for name in names)})" for numbers, names in by_seeds.items()]
    if len(by_seeds) == 2 and (0,) in by_seeds:  # most systems have the first seed alone
        (several,) = (words for words, numbers in zip(told, by_seeds, strict=True) if numbers != (0,))
        told = [several, "0 (all others)"]
    return f"Seeds: {'; '.join(told)}."


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def edges() -> str:
    """A sentence: over which edges R² is taken."""
    return (
        "R² of linear fits, scored on trajectories that they were not fitted to: over all test edges, and trimmed, that is "
        "without the strongest twentieth of the true forces. Where R² would read 1.000, what is missing to 1 is told."
    )


def r2(value: float) -> str:
    """R² to three digits; where these would be 1.000, to the first digit that is not 9."""
    if pd.isna(value):
        return "–"
    digits = 3 if value < CLOSE else math.ceil(-math.log10(max(1 - value, 1e-12)))
    return f"{value:.{digits}f}"
