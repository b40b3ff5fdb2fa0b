"""Sentences of README that are computed: what is reproduced, what is not, and what is new."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lib import paths
from lib.files import read_json
from lib.network.catalogue import parse_run
from lib.network.recipe import recipe_of
from lib.network.variants import VARIANTS
from lib.report import captions, noise_maps, results

ENCODE_ACCELERATIONS = ("r1", "r2")
"""Laws under which `bottleneck` and `l1` differ from the paper's Table 1: their messages are accelerations."""
HEADED = ("bottleneck", "l1")
NOTHING = 5e-4
"""R² that reads 0.000, with no sign."""


def span(values: Iterable[float], form: str = "{:.2f}") -> str:
    """The least and the greatest of some values, such as .41 to .48; one where they read the same."""
    known = [value for value in values if not pd.isna(value)]
    return " to ".join(dict.fromkeys(form.format(value) for value in (min(known), max(known))))


def span_of_r2(values: Iterable[float]) -> str:
    """The same of R², with what is missing to 1 where it would read 1.000."""
    known = [value for value in values if not pd.isna(value)]
    ends = (0.0 if abs(value) < NOTHING else value for value in (min(known), max(known)))
    return " to ".join(dict.fromkeys(map(captions.r2, ends)))


def seed_0(table: pd.DataFrame) -> pd.DataFrame:
    """Distilled runs of seed 0 of the variants that stand in every table, by system and variant."""
    table = results.distilled(table)
    return table[(table["seed"] == 0) & table["variant"].isin(list(VARIANTS))].set_index(["system", "variant"], drop=False)


def judged_by_the_paper(table: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 5 beside ours: of each of its runs whether they (`theirs`) and we (`ours`) recovered the law."""
    ours = seed_0(table)["recovered"] == "true"
    return pd.DataFrame({"theirs": published("recovered", "paper_table5") == 1, "ours": ours}).dropna().astype(bool)


def published(metric: str, source: str) -> pd.Series:
    """Published figures of one source, by system and variant."""
    figures = results.published(metric)
    return figures[figures["source"] == source].set_index(["system", "variant"])["value"].astype(float)


def named(keys: Iterable[tuple[str, str]]) -> str:
    """Runs by name, one after the other."""
    return ", ".join(f"`{system}/{variant}`" for system, variant in keys)


def compared_losses(table: pd.DataFrame) -> pd.DataFrame:
    """Loss per node of the networks that the paper has too: `ours` of seed 0, and `theirs` (its Table 3).

    Without `damped`, whose friction differs by body in the paper's code.
    """
    runs = seed_0(table)
    ours = runs[~runs["system"].str.startswith("damped")]["test_loss_per_node"]
    return pd.DataFrame({"ours": ours, "theirs": published("test_loss_per_node", "paper_table3")}).dropna()


def standing(table: pd.DataFrame) -> str:
    """All three: what is reproduced, what is not, and what is new."""
    parts = {"Reproduced": reproduced, "Not reproduced": not_reproduced, "New": new}
    return "\n\n".join(f"**{title}**\n{of(table)}" for title, of in parts.items())


def reproduced(table: pd.DataFrame) -> str:
    """What the paper has and this project has too."""
    law, loss = judged_by_the_paper(table), compared_losses(table)
    graphs = seed_0(table)["graphs_seen"].reindex(loss.index) / 1e6
    return "\n".join(
        [
            f"- Of the {len(law)} runs of the paper's Table 5 the law is in the messages of {law['ours'].sum()} (seed 0; an "
            f"automatic test decides, in any gauge), in the paper of {law['theirs'].sum()} (by eye).",
            f"- The loss per node is below the paper's in {(loss['ours'] < loss['theirs']).sum()} of the {len(loss)} networks "
            f"that compare (not `damped`), after {span(graphs, '{:.0f}')} million training graphs (the paper: 64 million).",
        ]
    )


def not_reproduced(table: pd.DataFrame) -> str:
    """What the paper has and this project has not."""
    law, loss = judged_by_the_paper(table), compared_losses(table)
    missed = law[law["theirs"] & ~law["ours"]].index
    above = loss[loss["ours"] > loss["theirs"]]
    worst = above.assign(factor=above["ours"] / above["theirs"]).sort_values("factor").iloc[-1:]
    relative = sum(recipe_of(parse_run(*key)).loss == "relative" for key in above.index)
    lines = [against_table_1(table)]
    if len(missed):
        right = (seed_0(table).loc[missed, "announced"] == "right").all()
        also = " (announced right, with the data)" if right else ""
        lines.append(f"- The law is in the messages there, not here: {named(missed)}{also}.")
    for (system, variant), row in worst.iterrows():
        lines.append(
            f"- {len(above)} networks have a larger loss than the paper's, most of all `{system}/{variant}` "
            f"({row['ours']:.2g}, the paper {row['theirs']:.2g}); {relative} of the {len(above)} minimize a relative error."
        )
    return "\n".join(lines)


def against_table_1(table: pd.DataFrame) -> str:
    """What `bottleneck` and `l1` score against the force on r1 and r2, there and here."""
    runs, theirs = seed_0(table), published("r2", "paper_table1")
    shown = runs[runs["system"].str.partition("-")[0].isin(ENCODE_ACCELERATIONS) & runs["variant"].isin(HEADED)]
    compared = theirs.reindex(shown.index)
    return (
        f"- R² of messages with the force (Table 1; `bottleneck`, `l1`; `r1`, `r2`): {span(compared, '{:.3g}')} in the paper, "
        f"{span(shown['r2_force_trimmed'])} here (untrimmed {span(shown['r2_force'])}). Ours hold force over mass, "
        f"where the law is found too: R² {span_of_r2(shown['r2_acceleration_trimmed'])} "
        f"(untrimmed {span_of_r2(shown['r2_acceleration'])})."
    )


def new(table: pd.DataFrame) -> str:
    """What this project has and the paper has not."""
    reciprocal = results.distilled(table)
    reciprocal = reciprocal[reciprocal["variant"] == "reciprocal"]
    misses = near_misses().loc["message"]
    lines = [
        f"- **A law that nobody told it.** {announcements(table)}",
        *under_noise(table),
        "- **Messages that can only be the force.** In `reciprocal` action = −reaction: R² with force "
        f"{span_of_r2(reciprocal['r2_force_trimmed'])} in {len(reciprocal)} runs, [untrimmed](#limits) from "
        f"{reciprocal['r2_force'].min():.2f}.",
        f"- **A verdict that knows near misses.** It refuses {misses['refused']} of {misses['tried']:,} wrong laws that are "
        f"close to the true one (r^-1.02 for r^-1), and accepts {misses['accepted']:,} of {misses['forms']:,} true forms.",
    ]
    return "\n".join([*lines, of_data_sets()])


def under_noise(table: pd.DataFrame) -> list[str]:
    """How many are right with noise on the accelerations: the same runs, and measurements of all levels and sizes."""
    noisy = results.with_noise(table)["announced"]
    path = paths.noise_maps("full")
    maps = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["measured", "outcome"])
    measured = dict(iter(maps.groupby("measured")["outcome"]))
    sentences = []
    if len(noisy):
        sentences.append(
            f"Gaussian noise of 5% of the median acceleration, in fit and choice (networks: exact data): {told(noisy)}."
        )
    place = "outputs/12_noise_maps.ipynb"
    if "accelerations" in measured:
        sentences.append(f"[Other noise and other numbers of trajectories]({place}): {told(measured['accelerations'])}.")
    if "positions" in measured:
        due, made = sum(cell.measured == "positions" for cell in noise_maps.cells()), len(measured["positions"])
        part = f" ({made} of {due} squares so far)" if made < due else ""
        sentences.append(f"Positions alone: {told(measured['positions'])}{part}.")
    return [f"- **Under noise.** {' '.join(sentences)}"] if sentences else []


def announcements(table: pd.DataFrame) -> str:
    """How many announced laws are right, wrong and withheld: of all candidates, of fronts alone, and without a network."""
    runs = results.distilled(table)
    judged, fronts = runs["announced"].dropna(), runs["announced_of_fronts"].dropna()
    without = runs.drop_duplicates("system")["announced_of_formulas"].dropna()
    sentences = [f"All {len(judged)} distilled runs: {told(judged)}. With candidates from messages alone: {told(fronts)}."]
    if len(judged) < len(runs):
        sentences.append(f"{len(runs) - len(judged)} runs are not judged yet.")
    if len(without):
        also = ": on exact data the network is not needed" if (without == "right").all() else ""
        sentences.append(f"With generated candidates and no network, once a system: {told(without)}{also}.")
    return " ".join(sentences)


def told(outcomes: pd.Series) -> str:
    """Outcomes counted."""
    right, wrong, none = ((outcomes == outcome).sum() for outcome in ("right", "wrong", "none"))
    return f"{right} right, {wrong} wrong, {none} none"


def near_misses() -> pd.DataFrame:
    """By verdict: near misses tried and refused, true forms tried and accepted (`benchmarks/near_misses.csv`)."""
    found = pd.read_csv(paths.ROOT / "benchmarks" / "near_misses.csv")
    true = found["kind"] == "true form"
    counts = {name: found[rows].groupby("verdict")[["held", "of"]].sum() for name, rows in (("misses", ~true), ("forms", true))}
    return pd.DataFrame(
        {
            "refused": counts["misses"]["held"],
            "tried": counts["misses"]["of"],
            "accepted": counts["forms"]["held"],
            "forms": counts["forms"]["of"],
        }
    )


def of_data_sets() -> str:
    """How many files led to an announced law, and how many to the reason why none is announced."""
    records = [read_json(path) for path in sorted((paths.ROOT / "outputs" / "data").glob("*/law.json"))]
    said = sum(record["announced"] for record in records)
    return (
        f"- **Your own data.** Of {len(records)} tables, most with a law unknown to us, {said} get a law (unchecked where "
        f"unknown) and {len(records) - said} the reason why not. One is the [solar system]"
        "(outputs/data/solar-system/11_solar_system.ipynb): its pull and its masses."
    )
