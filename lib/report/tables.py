"""Results as Markdown tables: the index `outputs/README.md`, and the passages of README that are computed.

`python -m lib.report.tables` writes both anew, README's between its marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from lib import paths
from lib.files import write_text
from lib.network.catalogue import LARGER, parse_run
from lib.network.variants import ABLATIONS, VARIANTS, get_variant
from lib.physics.laws import get_law
from lib.report import results
from lib.runs import Run, System

STAGES = {"2_train": "training", "3_message_analysis": "messages", "4_symbolic_regression": "law", "7_hamiltonian": "energies"}
DATA = "10_your_data"
"""The stage of a user's file."""
TITLES = {"8_argon": "argon, liquid to supercritical", "9_halos": "dark-matter halos"}
OVERVIEWS = {"6_report": "the report", "5_extensions": "extensions"}


def recovered(table: pd.DataFrame) -> str:
    """The gauge in which the law is recovered in each run of seed 0; in brackets the paper's judgement (its Table 5)."""
    return _matrix(table, _law, "recovered", "paper_table5", lambda value: "yes" if float(value) else "no")


def counted(table: pd.DataFrame) -> str:
    """How many runs of seed 0 are recovered, in which gauge or gauge-corrected, and of how many by the engine's own choices."""
    table = _first(table)
    found = table[table["recovered"] == "true"]
    corrected = found["read"].str.contains("corrected")
    sent = [(found.loc[~corrected, "gauge"] == gauge).sum() for gauge in ("force", "acceleration", "other")]
    return (
        f"The law is recovered in {len(found)} of {len(table)} runs: {sum(sent)} in their messages as sent (as the force "
        f"{sent[0]}, as the acceleration {sent[1]}, in another gauge {sent[2]}), {corrected.sum()} in gauge-corrected ones. "
        f"In {(found['chosen'] == 'true').sum()} of the {len(found)} the engine's own choices are the law too."
    )


def seeds(table: pd.DataFrame) -> str:
    """In how many runs of further seeds the law is recovered, and in which not."""
    table = results.distilled(table)
    further = table[(table["seed"] > 0) & table["variant"].isin(list(VARIANTS))]
    missed = [f"`{row.system}/{row.variant}-seed{row.seed}`" for row in further[further["recovered"] != "true"].itertuples()]
    return (
        f"It is recovered in {len(further) - len(missed)} of {len(further)} runs with further seeds "
        f"({', '.join(dict.fromkeys(further['system']))}){', not in ' if missed else ''}{', '.join(missed)}."
    )


def losses(table: pd.DataFrame) -> str:
    """The loss per node of each run of seed 0, that of its closed form if any, and the paper's (its Table 3) in brackets."""

    def words(row: tuple) -> str:
        closed = row.closed_form_test_loss_per_node
        return f"{row.test_loss_per_node:.2g}" + ("" if pd.isna(closed) else f", {closed:.0e}")

    return _matrix(table, words, "test_loss_per_node", "paper_table3", lambda value: f"{float(value):.2g}")


def potentials(table: pd.DataFrame) -> str:
    """What the Hamiltonian networks of seed 0 found: loss per node (in brackets the paper's), forces, potential, verdicts."""
    published = results.published("test_loss_per_node")
    published = published[(published["source"] == "paper_table3") & (published["variant"] == "hamiltonian")]
    theirs = published.set_index("system")["value"].astype(float)
    head = (
        "loss per node",
        "R² of pair forces, unfitted, trimmed",
        "law in messages",
        "R² of the potential",
        "potential recovered",
    )
    lines = [f"| | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for row in table[(table["variant"] == "hamiltonian") & (table["seed"] == 0)].itertuples():
        judged = not pd.isna(row.potential_recovered)
        cells = [
            f"{row.test_loss_per_node:.2g}" + (f" ({theirs[row.system]:.2g})" if row.system in theirs else ""),
            f"{row.r2_pair_force_trimmed:.5f}" if judged else "–",
            {"true": row.gauge, "false": "no"}.get(row.recovered, "–"),
            f"{row.r2_potential:.5f}" if judged else "–",
            ("yes" if row.potential_recovered else "no") if judged else "–",
        ]
        lines.append(f"| `{row.system}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def ablations(table: pd.DataFrame) -> str:
    """`standard` and its ablations, seed 0: loss per node, relative error, R² of the channels in the best gauge, law."""
    shown = ("standard", *ABLATIONS)

    def words(row: tuple) -> str:
        return f"{row.test_loss_per_node:.2g}, {row.test_relative_error:.2g}, {row.r2_gauge_trimmed:.2f}, {_law(row)}"

    cells = {(row.system, row.variant): words(row) for row in table[table["seed"] == 0].itertuples()}
    systems = dict.fromkeys(system for system, variant in cells if variant in ABLATIONS)
    lines = [f"| | {' | '.join(f'`{variant}`' for variant in shown)} |", "|---" * (len(shown) + 1) + "|"]
    lines += [f"| `{system}` | {' | '.join(cells.get((system, variant), '–') for variant in shown)} |" for system in systems]
    return "\n".join(lines)


def passages(table: pd.DataFrame, found: list[dict[str, Any]]) -> dict[str, str]:
    """Computed passages of README, by the names of its marks."""
    of_runs = {shown.__name__: shown(table) for shown in (recovered, counted, seeds, losses, ablations, potentials)}
    return of_runs | {larger.__name__: larger(found)}


def refreshed(text: str, computed: dict[str, str]) -> str:
    """The text with the computed passages between their marks: comments with the name of each, and `end`."""
    return re.sub(r"(?s)(<!-- (\w+) -->\n).*?(\n<!-- end -->)", lambda mark: mark[1] + computed[mark[2]] + mark[3], text)


def _law(row: tuple) -> str:
    if row.recovered != "true":
        return "–" if pd.isna(row.recovered) else "no"
    return row.gauge + ("*" if "corrected" in row.read else "")


def _first(table: pd.DataFrame) -> pd.DataFrame:
    table = results.distilled(table)
    return table[(table["seed"] == 0) & table["variant"].isin(list(VARIANTS))]


def _matrix(table: pd.DataFrame, words: Callable[[tuple], str], metric: str, source: str, theirs: Callable[[str], str]) -> str:
    rows = {(row.system, row.variant): words(row) for row in table[table["seed"] == 0].itertuples()}
    published = results.published(metric)
    published = published[published["source"] == source].set_index(["system", "variant"])["value"]
    lines = [f"| | {' | '.join(f'`{variant}`' for variant in VARIANTS)} |", "|---" * (len(VARIANTS) + 1) + "|"]
    for system in dict.fromkeys(_first(table)["system"]):
        cells = [
            rows.get((system, variant), "–")
            + (f" ({theirs(published[system, variant])})" if (system, variant) in published.index else "")
            for variant in VARIANTS
        ]
        lines.append(f"| `{system}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def larger(found: list[dict[str, Any]]) -> str:
    """The larger systems: the error of each network and of the formula distilled from it, like training and beyond it."""
    lines = ["| | loss of the network, beyond training | of its formula, beyond training | recovered | constants (planted) |"]
    lines.append("|---" * 5 + "|")
    for one in found:
        constants = ", ".join(f"{name} {value:.5g} ({one['planted'][name]:.5g})" for name, value in one["constants"].items())
        losses, theirs = (
            [one[kind + place] for place in ("test_loss_per_node", "loss_beyond")] for kind in ("", "closed_form_")
        )
        cells = [
            *(", ".join(f"{value:.2g}" for value in pair) for pair in (losses, theirs)),
            "yes" if one["recovered"] else "no",
        ]
        lines.append(f"| `{one['system']}/{one['variant']}` | {' | '.join([*cells, constants])} |")
    return "\n".join(lines)


def index(table: pd.DataFrame, found: list[dict[str, Any]], outputs: Path) -> str:
    """Text of the index: links to all that is rendered below `outputs`, with figures of `results.gather`'s table and of
    `results.larger`."""
    overviews = [f"[{words}]({name}.ipynb)" for name, words in OVERVIEWS.items()]
    places = {name: k for k, name in enumerate(dict.fromkeys(table["system"]))}
    systems = sorted(results.simulated(outputs), key=lambda s: (places.get(str(s), len(places)), str(s)))
    parts = [
        "# Results",
        f"All stages on one run: [demo](0_demo.ipynb). All runs beside the paper: {' and '.join(overviews)}. "
        "All runs in one table: [results.csv](results.csv).",
        "The gauge in which the law is recovered in each run, and in brackets whether the paper found it. `*`: in "
        "gauge-corrected messages, by action and reaction, without the truth. `–`: not distilled.",
        recovered(table),
        counted(table),
        "Loss per node of each network and of the closed form distilled from it, and in brackets the paper's network, whose "
        "`damped` is our `damped_uneven`.",
        losses(table),
        "R² is of linear fits of the message channels, over test edges without the strongest twentieth of the forces; the "
        "best gauge lets the receiver scale and shift its messages.",
    ]
    if found:
        parts[-1:-1] = [
            f"Larger systems, each in one notebook: {' and '.join(_pages(LARGER, outputs))}.",
            larger(found),
        ]
    if folders := results.data_sets(outputs):
        parts[-1:-1] = [
            f"Files whose laws were sought: {', '.join(f'[{one.name}](data/{one.name}/{DATA}.ipynb)' for one in folders)}."
        ]
    return (
        "\n\n".join([*parts, *(_of_system(system, table[table["system"] == str(system)], outputs) for system in systems)])
        + "\n"
    )


def _pages(stages: dict[str, Run], outputs: Path) -> list[str]:
    rendered = {stage: f"{run}/{stage}.ipynb" for stage, run in stages.items()}
    return [f"[{TITLES[stage]}]({place})" for stage, place in rendered.items() if (outputs / place).exists()]


def _of_system(system: System, runs: pd.DataFrame, outputs: Path) -> str:
    heading = f"## {system}\n\n{get_law(system.law).title}: [simulation]({system}/1_simulate.ipynb)"
    if runs.empty:
        return heading
    head = "| variant | loss per node | R² force | R² best gauge | law recovered | closed form's loss | notebooks |"
    return "\n".join([heading, "", head, "|" + "---|" * 7, *(_of_run(row, outputs) for row in runs.itertuples())])


def _of_run(row: tuple, outputs: Path) -> str:
    folder = parse_run(row.system, row.variant, row.seed).folder
    # further seeds and controls are there as figures alone
    rendered = {words: f"{row.system}/{folder}/{stage}.ipynb" for stage, words in STAGES.items()}
    law = {"true": f"{row.gauge}; {row.read}", "false": "no"}.get(row.recovered, "")
    closed = "" if pd.isna(row.closed_form_test_loss_per_node) else f"{row.closed_form_test_loss_per_node:.2g}"
    notebooks = " · ".join(f"[{words}]({place})" for words, place in rendered.items() if (outputs / place).exists())
    figures = [f"{row.test_loss_per_node:.3g}", f"{row.r2_force_trimmed:.4f}", f"{row.r2_gauge_trimmed:.4f}"]
    cells = [f"`{folder}`: {get_variant(row.variant).title}", *figures, law, closed]
    return f"| {' | '.join([*cells, notebooks])} |"


if __name__ == "__main__":
    found, readme, outputs = (results.gather("full"), results.larger("full")), paths.ROOT / "README.md", paths.ROOT / "outputs"
    write_text(readme, refreshed(readme.read_text(encoding="utf-8"), passages(*found)))
    write_text(outputs / "README.md", index(*found, outputs))
