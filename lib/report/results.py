"""The table of all runs, gathered from their JSON files, and the published figures beside it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from lib import paths
from lib.errors import InputError
from lib.files import read_json, write_text
from lib.network.catalogue import LARGER, parse_folder, parse_run
from lib.network.variants import FURTHER, VARIANTS
from lib.physics.laws import LAWS
from lib.physics.systems import parse_system
from lib.profiles import get_profile
from lib.runs import Run, System
from lib.selection.judgement import judge
from lib.selection.law import LAW, LAW_OF_FRONTS, LAW_OF_SEARCH, NOISE, noise_folder, read_announcement

log = logging.getLogger(__name__)

Parsed = TypeVar("Parsed")

COLUMNS = [
    "system",
    "variant",
    "seed",
    "profile",
    "graphs_seen",
    "train_seconds",
    "device",
    "test_loss_per_node",
    "r2_force",
    "r2_acceleration",
    "r2_gauge",
    "r2_force_trimmed",
    "r2_acceleration_trimmed",
    "r2_gauge_trimmed",
    "sparsity",
    "engine",
    "recovered",
    "gauge",
    "expressions",
    "closed_form_test_loss_per_node",
    "read",
    "loss",
    "test_relative_error",
    "exponent",
    "exponent_undone",
    "r2_force_undone",
    "r2_force_undone_trimmed",
    "r2_force_trimmed_pca",
    "r2_acceleration_trimmed_pca",
    "r2_gauge_trimmed_pca",
    "r2_force_trimmed_node",
    "r2_acceleration_trimmed_node",
    "r2_gauge_trimmed_node",
    "aligned",
    "aligned_rotated",
    "stretch",
    "share_of_worst",
    "chosen",
    "r2_exponent",
    "potential_recovered",
    "r2_potential",
    "r2_pair_force_trimmed",
    "announced",
    "announced_expression",
    "announced_error",
    "announced_of_fronts",
    "announced_of_formulas",
    "announced_of_search",
    "confidence",
]
READ = ("training.json", "messages.json")
DISTILLED = ("verdict.json", "closed_form.json")
PARTS = (*READ, *DISTILLED)
ENERGIES = "potential.json"
"""What is found besides of a network that has energies."""
TABLED = (*VARIANTS, "hamiltonian")
"""Variants that have a column in the tables of systems by variants: the paper's, and ours."""
LARGER_PART = "result.json"
"""All that the notebook of a larger system leaves."""


def finished_runs(profile: str) -> list[Run]:
    """Runs of a profile that were trained and analysed, most of them distilled too; other folders are named in a warning."""
    get_profile(profile)
    found = paths.workspace(profile).glob(f"outputs/*/*/{READ[0]}")
    folders = sorted(path.parent for path in found if all((path.parent / part).exists() for part in READ))
    return _known(folders, lambda folder: parse_folder(folder.parent.name, folder.name, profile))


def data_sets(outputs: Path) -> list[Path]:
    """Folders of users' files whose laws were sought, and whose notebooks are rendered below `outputs`."""
    return sorted(path.parent for path in outputs.glob("data/*/10_your_data.ipynb"))


def simulated(outputs: Path) -> list[System]:
    """Systems whose rendered simulation lies below `outputs`, by name; other folders are named in a warning."""
    return _known(sorted(path.parent for path in outputs.glob("*/1_simulate.ipynb")), lambda folder: parse_system(folder.name))


def _known(folders: list[Path], parse: Callable[[Path], Parsed]) -> list[Parsed]:
    parsed = []
    for folder in folders:
        try:
            parsed.append(parse(folder))
        except InputError as error:
            log.warning("%s is left out: %s", paths.shown(folder), error)
    return parsed


def of_card(card: dict[str, Any]) -> dict[str, Any]:
    """What a larger system's card says of its row: who was trained, on how much, for how long and where."""
    return {name: card[name] for name in ("system", "variant", "seed", "profile", "train_seconds", "device", "graphs_seen")}


def larger(profile: str) -> list[dict[str, Any]]:
    """What was found of each larger system: its row, and what is known of it besides."""
    files = [paths.outputs(replace(run, profile=profile)) / LARGER_PART for run in LARGER.values()]
    return [read_json(file) for file in files if file.exists()]


def row(run: Run) -> dict[str, Any]:
    """A run's row, from its JSON files; empty where it was not distilled."""
    folder = paths.outputs(run)
    merged: dict[str, Any] = read_json(folder / ENERGIES) if (folder / ENERGIES).exists() else {}
    for part in READ:
        merged |= read_json(paths.outputs(run) / part)
    if all((paths.outputs(run) / part).exists() for part in DISTILLED):
        for part in DISTILLED:
            merged |= read_json(paths.outputs(run) / part)
        merged["chosen"] = str(merged["choice"] is not None).lower()
        merged |= announced(run)
    return _row(merged)


def announced(run: Run, noise: float = 0.0) -> dict[str, Any]:
    """What is announced of a run, judged: of all candidates, of its fronts alone, and of its system without any network.

    With noise on accelerations of so many times their median size, where that was done.
    """
    place, found = noise_folder(noise), {}
    folder, of_system = paths.outputs(run) / place, paths.outputs(run).parent / place
    places = {"": folder / LAW, "_of_fronts": folder / LAW_OF_FRONTS, "_of_formulas": of_system / LAW}
    places["_of_search"] = of_system / LAW_OF_SEARCH
    for offered, path in places.items():
        if path.exists():
            told = read_announcement(read_json(path))
            judged = judge(told, run.system)
            found[f"announced{offered}"] = judged.outcome
            if not offered and told.announced:
                found |= {"announced_expression": told.law.text, "announced_error": judged.error}
                found["confidence"] = told.confidence
    return found


def _row(found: dict[str, Any]) -> dict[str, Any]:
    if "recovered" in found:
        found = found | {"expressions": json.dumps(found["expressions"]), "recovered": str(found["recovered"]).lower()}
    return {column: found.get(column) for column in COLUMNS}


def gather(profile: str) -> pd.DataFrame:
    """One row a finished run, in the order of dimension, law, variant and seed."""
    laws, variants = list(LAWS), [*VARIANTS, *FURTHER]

    def place(run: Run) -> tuple[int, int, int, str, int]:
        base, _, switches = run.variant.partition("-")
        return run.system.dim, laws.index(run.system.law), variants.index(base), switches, run.seed

    return pd.DataFrame([row(run) for run in sorted(finished_runs(profile), key=place)], columns=COLUMNS)


def distilled(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that were distilled."""
    return table[table["recovered"].notna()]


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """Of each system's distilled runs how many are announced right, wrong and not, by what was offered.

    What is offered without a network is the same for all runs of a system, and counts once.
    """
    runs = distilled(table)
    offered = {
        "all": runs["announced"],
        "fronts alone": runs["announced_of_fronts"],
        "generated formulas alone": runs.drop_duplicates("system")["announced_of_formulas"],
        "search on splines alone": runs.drop_duplicates("system")["announced_of_search"],
    }
    counts = {
        name: pd.crosstab(runs["system"], column).reindex(runs["system"].unique(), columns=["right", "wrong", "none"])
        for name, column in offered.items()
    }
    found = pd.concat(counts, axis=1).fillna(0).astype(int)
    return pd.concat([found, found.sum().to_frame("together").T])


def reliability(table: pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """Of announcements in bins of stated confidence: how many, their mean confidence, and the fraction that is right."""
    said = table.dropna(subset="confidence")
    edges = pd.cut(said["confidence"], [k / bins for k in range(bins + 1)], include_lowest=True)
    right = (said["announced"] == "right").groupby(edges, observed=True).agg(["size", "mean"])
    stated = said["confidence"].groupby(edges, observed=True).mean()
    return pd.DataFrame({"announcements": right["size"], "stated confidence": stated, "right": right["mean"]})


def with_noise(table: pd.DataFrame, noise: float = NOISE) -> pd.DataFrame:
    """The distilled runs of a table with what is announced under noise in place of what is announced without; only such."""
    rows = distilled(table)
    names = [column for column in COLUMNS if column.startswith(("announced", "confidence"))]
    runs = [parse_run(row.system, row.variant, row.seed, row.profile) for row in rows.itertuples()]
    found = pd.DataFrame([announced(run, noise) for run in runs], columns=names, index=rows.index)
    return rows.assign(**found)[found["announced"].notna()]


def write(table: pd.DataFrame, profile: str) -> None:
    """Write `outputs/results.csv`: the table, and below it the rows of the larger systems."""
    rows = [*table.to_dict("records"), *map(_row, larger(profile))]
    write_text(paths.results(profile), pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, float_format="%.6g"))


def published(metric: str) -> pd.DataFrame:
    """Published figures of a metric: source, system, variant, value, note."""
    table = pd.read_csv(paths.REFERENCE)
    return table[table["metric"] == metric].drop(columns="metric").reset_index(drop=True)


def by_source(metric: str, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Published figures of a metric for the systems of a table: of each source, a row a system and a column a variant."""
    figures = published(metric)
    figures = figures[figures["system"].isin(table["system"])].assign(value=lambda rows: pd.to_numeric(rows["value"]))
    systems = table["system"].unique()
    return {
        str(source): part.pivot(index="system", columns="variant", values="value").reindex(
            [system for system in systems if system in set(part["system"])], columns=list(TABLED)
        )
        for source, part in figures.groupby("source", sort=False)
    }


def told(table: pd.DataFrame, column: str, form: str) -> pd.DataFrame:
    """Mean over seeds of a column, ± its standard deviation where there are several, as text in the format `form`."""

    def words(values: pd.Series) -> str:
        spread = f" ± {values.std():.1g}" if len(values) > 1 else ""
        return form.format(values.mean()) + spread

    return _over_seeds(table, column, words)


def spanned(table: pd.DataFrame, column: str, form: str) -> pd.DataFrame:
    """Least and greatest value over seeds of a column, as text in the format `form`."""
    return _over_seeds(table, column, lambda values: " to ".join(dict.fromkeys(map(form.format, (values.min(), values.max())))))


def _over_seeds(table: pd.DataFrame, column: str, words: Callable[[pd.Series], str]) -> pd.DataFrame:
    cells = table.dropna(subset=column).groupby(["system", "variant"], sort=False)[column].agg(words)
    return cells.unstack().reindex(table["system"].unique(), columns=list(TABLED)).fillna("")


def by_variant(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over seeds of a column, a row a system and a column a variant."""
    return table.pivot_table(column, "system", "variant", sort=False).reindex(columns=list(TABLED))


def with_and_without(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean over seeds of a column with reciprocal messages and without, a row a system and variant trained both ways."""
    means = table.groupby(["system", "variant"], sort=False)[column].mean()
    twins = {"bottleneck": "reciprocal"} | {name: f"{name}-reciprocal" for name in VARIANTS if name != "bottleneck"}
    rows = [
        {"system": system, "variant": variant, "without": value, "with": means[system, twins[variant]]}
        for (system, variant), value in means.items()
        if (system, twins.get(variant)) in means.index
    ]
    return pd.DataFrame(rows)
