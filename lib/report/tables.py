"""Results as Markdown tables, and the index of all that is rendered, `outputs/README.md`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from lib import paths
from lib.files import read_json
from lib.network.catalogue import LARGER, parse_run
from lib.network.variants import ABLATIONS, VARIANTS, get_variant
from lib.physics.laws import get_law
from lib.report import captions, results
from lib.runs import Run, System

STAGES = {"2_train": "training", "3_message_analysis": "messages", "4_symbolic_regression": "law", "7_hamiltonian": "energies"}
DATA = "10_your_data"
"""The stage of a user's file."""
TITLES = {"8_argon": "argon, liquid to supercritical", "9_halos": "dark-matter halos"}
APPENDIX = {
    "5a_force_or_acceleration": "force or acceleration",
    "5b_one_channel_one_component": "one channel, one component",
    "5c_reciprocity_fixes_the_gauge": "reciprocity fixes the gauge",
    "5d_what_the_network_contributes": "what the network contributes",
    "5e_other_losses_and_ablations": "other losses and ablations",
}
"""Notebooks of one question each, asked of all runs."""
FIRST = ("reciprocal", "bottleneck", "l1")
"""Variants of the headline."""
LONGEST = 60
"""Characters of a formula that a cell shows."""
OUTCOMES = ("right", "wrong", "none")
"""Of an announcement."""
NOTHING = "–"


def in_columns(head: list[str], rows: list[list[str]]) -> str:
    """A table with these headings; the first column is of names."""
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def headline(table: pd.DataFrame, place: str) -> str:
    """Of each system, in how many seeds the announced law is right, and the loss per node beside the paper's (its Table 3);
    budgets and seeds below.

    Losses are means over the seeds of one budget. Links lead to simulations below `place`.
    """
    runs = results.distilled(table)
    runs = runs.assign(longer=captions.longer(table).reindex(runs.index))
    theirs = _published("test_loss_per_node", "paper_table3")
    published = {variant for _, variant in theirs.index}
    head = ["system", *(f"right: `{variant}`" for variant in FIRST)]
    for variant in FIRST:
        head += [f"loss: `{variant}`", *([f"loss: `{variant}`, paper"] if variant in published else [])]
    rows = []
    for system in dict.fromkeys(_first(table)["system"]):
        of_system = {variant: runs[(runs["system"] == system) & (runs["variant"] == variant)] for variant in FIRST}
        row = [f"[`{system}`]({place}{system}/1_simulate.ipynb)", *map(_right, of_system.values())]
        for variant, ours in of_system.items():
            row += [_mean_loss(ours)]
            if variant in published:
                row += [f"{theirs[system, variant]:.2g}" if (system, variant) in theirs.index else NOTHING]
        rows.append(row)
    return f"{in_columns(head, rows)}\n\n{captions.of_distilled(table, FIRST)}"


def _right(runs: pd.DataFrame) -> str:
    judged = runs["announced"].dropna()
    return f"{(judged == 'right').sum()} of {len(judged)}" if len(judged) else NOTHING


def _mean_loss(runs: pd.DataFrame) -> str:
    """The mean over seeds of one budget; † where the only ones saw more graphs than their row."""
    if runs.empty:
        return NOTHING
    alike = runs[~runs["longer"]]
    return f"{alike['test_loss_per_node'].mean():.2g}" if len(alike) else f"{runs['test_loss_per_node'].mean():.2g}†"


def recovered(table: pd.DataFrame) -> str:
    """The gauge in which the law is recovered in each run of seed 0; in brackets the paper's judgement (its Table 5)."""
    return _matrix(table, _law, "recovered", "paper_table5", lambda value: "yes" if value else "no")


def losses(table: pd.DataFrame) -> str:
    """The loss per node of each run of seed 0, and the paper's (its Table 3) in brackets; † saw more graphs than its row."""
    more = captions.longer(table)

    def words(row: tuple) -> str:
        return f"{row.test_loss_per_node:.2g}" + ("†" if more[row.Index] else "")

    return _matrix(table, words, "test_loss_per_node", "paper_table3", lambda value: f"{value:.2g}")


def closed_forms(table: pd.DataFrame) -> str:
    """The loss per node of the closed form distilled from each run of seed 0."""

    def words(row: tuple) -> str:
        closed = row.closed_form_test_loss_per_node
        return NOTHING if pd.isna(closed) else f"{closed:.0e}"

    return _matrix(table, words)


def scores(table: pd.DataFrame) -> str:
    """R² of the message channels of each run of seed 0, all edges beside trimmed, and the paper's (its Table 1)."""
    gauges = ("force", "acceleration", "gauge")
    names = {"force": "force", "acceleration": "acceleration", "gauge": "best gauge"}
    head = ["run", *(f"{names[gauge]}, {which}" for gauge in gauges for which in ("all", "trimmed")), "paper's R²"]
    theirs = _published("r2", "paper_table1")
    rows = []
    for row in _first(table).itertuples():
        ours = [getattr(row, f"r2_{gauge}{suffix}") for gauge in gauges for suffix in ("", "_trimmed")]
        key = (row.system, row.variant)
        rows.append(
            [f"`{row.system}/{row.variant}`", *map(captions.r2, ours), f"{theirs[key]:g}" if key in theirs else NOTHING]
        )
    return in_columns(head, rows)


def announced(table: pd.DataFrame) -> str:
    """Of each system how many runs are announced right, wrong and not, by what was offered; empty where none is judged."""
    counts = results.counted(table)
    offered = list(dict.fromkeys(counts.columns.get_level_values(0)))
    rows = [
        [
            f"`{system}`" if system != "together" else system,
            *(_outcomes(counts.loc[system, name]) for name in offered),
        ]
        for system in counts.index
    ]
    return in_columns(["right / wrong / none", *offered], rows)


def planted(cases: pd.DataFrame) -> str:
    """Of planted messages how many are announced right, wrong and not, by what was offered, in groups and together."""
    offered = {"fronts": "fronts alone", "formulas": "generated formulas alone", "all": "all"}
    groups = {f"gauge: {name}": group for name, group in cases.groupby("gauge", sort=False)}
    groups |= {f"noise {noise:.0%}": group for noise, group in cases.groupby("noise")}
    groups |= {f"series {number}": group for number, group in cases.groupby("series")}
    rows = []
    for words, group in (groups | {"together": cases}).items():
        counts = [group[source].value_counts().reindex(OUTCOMES, fill_value=0) for source in offered]
        rows.append([words, str(len(group)), *map(_outcomes, counts)])
    return in_columns(["right / wrong / none", "cases", *offered.values()], rows)


def coverage(constants: pd.DataFrame) -> str:
    """Of each law, in how many data sets the true constants are within two standard errors of the fitted ones."""
    rows = [
        [f"`{system}`", f"{int(of['within'].sum())} of {int(of['of'].sum())}", f"{of['within'].sum() / of['of'].sum():.1%}"]
        for system, of in [*constants.groupby("system", sort=False), ("together", constants)]
    ]
    rows[-1][0] = "together"
    return in_columns(["system", "constants within two standard errors", "part"], rows)


def _outcomes(counts: pd.Series) -> str:
    return " / ".join(str(counts[outcome]) for outcome in OUTCOMES) if counts.sum() else NOTHING


def potentials(table: pd.DataFrame) -> str:
    """What the Hamiltonian networks of seed 0 found: loss per node beside the paper's, forces, potential, verdicts."""
    theirs = _published("test_loss_per_node", "paper_table3")
    head = [
        "system",
        "loss per node",
        "paper's",
        "R² of pair forces, unfitted, all",
        "trimmed",
        "law in messages",
        "R² of the potential",
        "potential recovered",
    ]
    more, rows = captions.longer(table), []
    for row in table[(table["variant"] == "hamiltonian") & (table["seed"] == 0)].itertuples():
        file = paths.outputs(parse_run(row.system, row.variant, row.seed, row.profile)) / results.ENERGIES
        found = read_json(file) if file.exists() else None
        key = (row.system, row.variant)
        rows.append(
            [
                f"`{row.system}`",
                f"{row.test_loss_per_node:.2g}" + ("†" if more[row.Index] else ""),
                f"{theirs[key]:.2g}" if key in theirs else NOTHING,
                *([NOTHING] * 2 if found is None else [captions.r2(found[f"r2_pair_force{end}"]) for end in ("", "_trimmed")]),
                {"true": row.gauge, "false": "no"}.get(row.recovered, NOTHING),
                NOTHING if found is None else captions.r2(found["r2_potential"]),
                NOTHING if found is None else "yes" if found["potential_recovered"] else "no",
            ]
        )
    return in_columns(head, rows)


def ablations(table: pd.DataFrame) -> str:
    """`standard` and its ablations, seed 0: loss per node, relative error, R² of the channels in the best gauge, law."""
    shown = ("standard", *ABLATIONS)
    runs = table[(table["seed"] == 0) & table["variant"].isin(shown)]
    compared = [
        system for system in runs["system"].unique() if (set(ABLATIONS) & set(runs[runs["system"] == system]["variant"]))
    ]
    head = ["run", "loss per node", "relative error", "R² best gauge, all", "trimmed", "law in messages"]
    rows = [
        [
            f"`{row.system}/{row.variant}`",
            f"{row.test_loss_per_node:.2g}",
            f"{row.test_relative_error:.2g}",
            captions.r2(row.r2_gauge),
            captions.r2(row.r2_gauge_trimmed),
            _law(row),
        ]
        for row in runs[runs["system"].isin(compared)].itertuples()
    ]
    return in_columns(head, rows)


def larger(found: list[dict[str, Any]]) -> str:
    """The larger systems: the error of each network and of the formula distilled from it, like training and beyond it."""
    head = ["run", "network's loss", "beyond training", "formula's loss", "beyond training", "recovered", "constants (planted)"]
    rows = []
    for one in found:
        losses = [one[kind + place] for kind in ("", "closed_form_") for place in ("test_loss_per_node", "loss_beyond")]
        constants = ", ".join(f"{name} {value:.5g} ({one['planted'][name]:.5g})" for name, value in one["constants"].items())
        told = [*(f"{loss:.2g}" for loss in losses), "yes" if one["recovered"] else "no", constants]
        rows.append([f"`{one['system']}/{one['variant']}`", *told])
    return in_columns(head, rows)


def _law(row: tuple) -> str:
    if row.recovered != "true":
        return NOTHING if pd.isna(row.recovered) else "no"
    return row.gauge + ("*" if "corrected" in row.read else "")


def _first(table: pd.DataFrame) -> pd.DataFrame:
    table = results.distilled(table)
    return table[(table["seed"] == 0) & table["variant"].isin(list(VARIANTS))]


def _published(metric: str, source: str) -> pd.Series:
    """Published figures of one source, by system and variant."""
    figures = results.published(metric)
    return figures[figures["source"] == source].set_index(["system", "variant"])["value"].astype(float)


def _matrix(
    table: pd.DataFrame,
    words: Callable[[tuple], str],
    metric: str = "",
    source: str = "",
    theirs: Callable[[float], str] = str,
) -> str:
    """A row a system, a column a variant, of seed 0; a published figure in brackets where a source is named."""
    rows = {(row.system, row.variant): words(row) for row in table[table["seed"] == 0].itertuples()}
    published = _published(metric, source) if source else pd.Series(dtype=float)
    cells = [
        [
            f"`{system}`",
            *(
                rows.get((system, variant), NOTHING)
                + (f" ({theirs(published[system, variant])})" if (system, variant) in published.index else "")
                for variant in VARIANTS
            ),
        ]
        for system in dict.fromkeys(_first(table)["system"])
    ]
    return in_columns(["system", *(f"`{variant}`" for variant in VARIANTS)], cells)


def index(table: pd.DataFrame, found: list[dict[str, Any]], outputs: Path) -> str:
    """Text of the index: the headline, and links to all that is rendered below `outputs`, with figures of
    `results.gather`'s table and of `results.larger`."""
    appendix = [f"[{words}]({name}.ipynb)" for name, words in APPENDIX.items() if (outputs / f"{name}.ipynb").exists()]
    places = {name: k for k, name in enumerate(dict.fromkeys(table["system"]))}
    systems = sorted(results.simulated(outputs), key=lambda s: (places.get(str(s), len(places)), str(s)))
    parts = [
        "# Results",
        "All stages on one run: [demo](0_demo.ipynb). All runs beside the paper: [the report](6_report.ipynb). "
        "All runs in one table: [results.csv](results.csv).",
    ]
    if appendix:
        parts += [f"The appendix, a question a notebook: {', '.join(appendix)}."]
    if len(_first(table)):
        parts += [
            "Right: in how many seeds the law that is announced, without the truth, is the law that was simulated. Loss: per "
            "node, of the network, the mean over seeds, with the paper's beside it.",
            headline(table, ""),
        ]
    if found:
        parts += [f"Larger systems, each in one notebook: {' and '.join(_pages(LARGER, outputs))}.", larger(found)]
    if folders := results.data_sets(outputs):
        told = ", ".join(f"[{one.name}](data/{one.name}/{DATA}.ipynb)" for one in folders)
        parts += [f"Files whose laws were sought: {told}."]
    parts += [
        f"Below, all runs of each system. {captions.edges()} The best gauge lets the receiver scale and shift its messages.",
        *(_of_system(system, table[table["system"] == str(system)], outputs) for system in systems),
    ]
    return "\n\n".join(parts) + "\n"


def _pages(stages: dict[str, Run], outputs: Path) -> list[str]:
    rendered = {stage: f"{run}/{stage}.ipynb" for stage, run in stages.items()}
    return [f"[{TITLES[stage]}]({place})" for stage, place in rendered.items() if (outputs / place).exists()]


def _of_system(system: System, runs: pd.DataFrame, outputs: Path) -> str:
    heading = f"## {system}\n\n{get_law(system.law).title}: [simulation]({system}/1_simulate.ipynb)"
    if runs.empty:
        return heading
    head = ["run", "announced", "loss per node", "R² force, all", "trimmed", "R² best gauge, all", "trimmed"]
    head += ["law in messages", "notebooks"]
    return f"{heading}\n\n{in_columns(head, [_of_run(row, outputs) for row in runs.itertuples()])}"


def _of_run(row: tuple, outputs: Path) -> list[str]:
    folder = parse_run(row.system, row.variant, row.seed).folder
    # further seeds and controls are there as figures alone
    rendered = {words: f"{row.system}/{folder}/{stage}.ipynb" for stage, words in STAGES.items()}
    law = {"true": f"{row.gauge}; {row.read}", "false": "no"}.get(row.recovered, "")
    notebooks = " · ".join(f"[{words}]({place})" for words, place in rendered.items() if (outputs / place).exists())
    figures = (row.r2_force, row.r2_force_trimmed, row.r2_gauge, row.r2_gauge_trimmed)
    name = f"`{folder}`: {get_variant(row.variant).title}"
    return [name, _announced(row), f"{row.test_loss_per_node:.3g}", *map(captions.r2, figures), law, notebooks]


def _announced(row: tuple) -> str:
    """The outcome of an announcement and its formula, cut where it is long."""
    if pd.isna(row.announced):
        return ""
    formula = "" if pd.isna(row.announced_expression) else str(row.announced_expression)
    formula = formula if len(formula) <= LONGEST else f"{formula[: LONGEST - 3]}..."
    return f"{row.announced}: `{formula}`" if formula else row.announced
