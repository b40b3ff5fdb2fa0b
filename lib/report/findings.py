"""Sentences of the pages under docs/ that are computed: what was found, with ranges over runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from lib import paths
from lib.files import read_json
from lib.network.catalogue import parse_run
from lib.network.variants import ABLATIONS, FURTHER, VARIANTS
from lib.physics.laws import SOFTENING
from lib.report import coverage, planted, results
from lib.report.statements import compared_losses, named, near_misses, published, seed_0, span, span_of_r2, told
from lib.report.tables import in_columns
from lib.selection.law import LAW, NOISE, read_announcement

COLLISIONS = ("r2", "charge")
THRESHOLD = re.compile(r"r > ([\d.]+)")


def _files(table: pd.DataFrame, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Rows of a table with their record of this name, where there is one."""
    for row in table.itertuples():
        path = paths.outputs(parse_run(row.system, row.variant, row.seed, row.profile)) / name
        if path.exists():
            yield row, read_json(path)


def _law(system: str) -> str:
    return system.partition("-")[0]


def recovered_in(table: pd.DataFrame) -> str:
    """How many runs of seed 0 hold the law, in which gauge, of how many by the engine's own choices; and further seeds."""
    runs = seed_0(table)
    found = runs[runs["recovered"] == "true"]
    corrected = found["read"].str.contains("corrected")
    sent = [(found.loc[~corrected, "gauge"] == gauge).sum() for gauge in ("force", "acceleration", "other")]
    everything = results.distilled(table)
    further = everything[(everything["seed"] > 0) & everything["variant"].isin(list(VARIANTS))]
    missed = [f"`{row.system}/{row.variant}-seed{row.seed}`" for row in further[further["recovered"] != "true"].itertuples()]
    return (
        f"The law is recovered in {len(found)} of {len(runs)} runs of seed 0: {sum(sent)} in their messages as sent (as the "
        f"force {sent[0]}, as the acceleration {sent[1]}, in another gauge {sent[2]}), {corrected.sum()} in gauge-corrected "
        f"ones. In {(found['chosen'] == 'true').sum()} of the {len(found)} the engine's own choices are the law too. "
        f"Of {len(further)} runs of further seeds it is recovered in {len(further) - len(missed)}"
        f"{', not in ' if missed else ''}{', '.join(missed)}."
    )


def reproduction_b(table: pd.DataFrame) -> str:
    """Loss per node of reproduction B beside ours and the paper's."""
    ours, theirs = seed_0(table)["test_loss_per_node"], published("test_loss_per_node", "reproduction_B")
    paper = published("test_loss_per_node", "paper_table3")
    rows = [
        [
            f"`{system}/{variant}`",
            f"{ours[system, variant]:.2g}",
            f"{paper[system, variant]:.2g}",
            f"{theirs[system, variant]:.2g}",
        ]
        for system, variant in theirs.index
        if (system, variant) in ours.index
    ]
    (note,) = results.published("test_loss_per_node").query("source == 'reproduction_B'")["note"].unique()
    return (
        in_columns(["run", "ours", "paper", "reproduction B"], rows)
        + f"\n\nReproduction B's losses are {note}; ours leave out none."
    )


def losses_above(table: pd.DataFrame) -> str:
    """Networks that predict worse than the paper's."""
    loss = compared_losses(table)
    above = loss[loss["ours"] > loss["theirs"]].index
    return (
        f"Our loss is below the paper's in {len(loss) - len(above)} of {len(loss)} networks, `damped` aside, and above it in "
        f"{named(above)}."
    )


def with_noise(table: pd.DataFrame) -> str:
    """Announcements with noise on accelerations, counted."""
    noisy = results.with_noise(table)
    if noisy.empty:
        return f"With noise of {NOISE:g} of the median acceleration no run is judged yet."
    return (
        f"With noise of {NOISE:g} of the median acceleration, of {len(noisy)} announcements "
        f"{told(noisy['announced'])}; from the fronts "
        f"alone {told(noisy['announced_of_fronts'].dropna())}. The network was trained without noise; what is fitted "
        "and judged has it."
    )


def confidence(table: pd.DataFrame) -> str:
    """Stated confidence beside how often announcements are right."""
    said = table.dropna(subset="confidence")
    if said.empty:
        return "No announcement is judged yet."
    found = results.reliability(table)
    rows = [[str(bins), f"{row.iloc[0]:.0f}", f"{row.iloc[1]:.2f}", f"{row.iloc[2]:.2f}"] for bins, row in found.iterrows()]
    return in_columns(["confidence", "announcements", "mean confidence", "right"], rows)


def closed_form(table: pd.DataFrame) -> str:
    """Relative errors of closed forms and of their networks, as in training and beyond it."""
    runs = seed_0(table)
    errors = pd.DataFrame(
        [
            {"run": f"`{row.system}/{row.variant}`", "where": where, **error}
            for row, record in _files(runs[runs["system"].map(_law).isin(("spring", "r1", *COLLISIONS))], "closed_form.json")
            for where, error in record["settings"].items()
        ]
    )
    inside = errors["where"] == "as in training"
    worst = errors[~inside].nlargest(2, "network")
    return (
        f"On all {inside.sum()} runs of `spring`, `r1`, `r2` and `charge` its relative error is at most "
        f"{errors[inside]['closed form'].max():.1e}, where the networks' is "
        f"{span(errors[inside]['network'], '{:.2g}')}. With eight "
        f"bodies, at three times the distances and at ten times the masses, one at a time, it stays below "
        f"{errors[~inside]['closed form'].max():.1e}; the networks' grows to {errors[~inside]['network'].max():.2g} "
        f"({', '.join(f'{row.run}, {row.where}' for row in worst.itertuples())})."
    )


def discontinuity(table: pd.DataFrame) -> str:
    """Where fronts put the discontinuity, and which of them hold the law."""
    runs = results.distilled(table)
    runs = runs[runs["system"].map(_law) == "discontinuous"]
    found = {}
    for row, record in _files(runs, "verdict.json"):
        places = [float(place) for text in record["expressions"] for place in THRESHOLD.findall(text)]
        if places:
            found[f"{row.system}/{row.variant}"] = places
    held = runs[runs["recovered"] == "true"]
    return (
        f"The truth is r = {2 - SOFTENING:g}; in {len(found)} of {len(runs)} runs the expressions set in at "
        f"{span([place for places in found.values() for place in places], '{:.3f}')}. The fronts hold the law in "
        f"{named(zip(held['system'], held['variant'], strict=True))}; in the others only nearly."
    )


def friction(table: pd.DataFrame) -> str:
    """The friction of announced laws of `damped`."""
    runs = results.distilled(table)
    runs = runs[runs["system"].map(_law) == "damped"]
    values = []
    for _, record in _files(runs, LAW):
        said = read_announcement(record)
        if said.announced and said.law.single:  # -c vx / m1, with ones in place of names
            values.append(abs(float(said.law.single[0].subs(dict.fromkeys(said.law.single[0].free_symbols, 1)))))
    if not values:
        return "Announced laws are still to come."
    return f"In {len(values)} announced laws the constant of friction is {span(values, '{:.6f}')} (the truth: 0.375)."


def gauge_corrected(table: pd.DataFrame) -> str:
    """R² against the force after the gauge is corrected by action and reaction."""
    runs = seed_0(table)
    runs = runs[~runs["system"].str.startswith("own")]
    free, standard = runs[runs["variant"] != "standard"], runs[runs["variant"] == "standard"]
    low = free[free["r2_force_undone_trimmed"] < 0.9].index
    return (
        f"R² against the force then is {span_of_r2(free['r2_force_undone_trimmed'])} (trimmed; "
        f"{span_of_r2(free['r2_force_undone'])} over all edges), below .9 only in {named(low) or 'none'}; `standard` has "
        f"{span_of_r2(standard['r2_force_undone_trimmed'])} (all edges: {span_of_r2(standard['r2_force_undone'])})."
    )


def reciprocity(table: pd.DataFrame) -> str:
    """R² against the force of variants made reciprocal, and the control without reaction."""
    made = table[table["variant"].str.contains("reciprocal") & ~table["system"].str.startswith("own")]
    control = table[table["system"] == "own_length-2d"].set_index("variant")["test_loss_per_node"]
    factor = control["reciprocal"] / control["bottleneck"]
    return (
        f"R² against the force is {span_of_r2(made['r2_force_trimmed'])} (trimmed; {span_of_r2(made['r2_force'])} "
        "over all edges) "
        f"in {len(made)} runs. It fails where it must: where forces have no reaction (`own_length`) the loss per node is "
        f"{factor:.0f} times that of the same network without it."
    )


def sparse(table: pd.DataFrame) -> str:
    """How many channels `l1` settles for, by its R²."""
    runs = seed_0(table).xs("l1", level="variant", drop_level=False)
    runs = runs[runs["system"].map(_law).isin(("spring", "r1", *COLLISIONS))]
    linear = runs[runs["r2_gauge_trimmed"] > 0.99]
    return (
        f"{len(runs) - len(linear)} of the {len(runs)} `l1` networks went that way; their channels have R² "
        f"{span_of_r2(runs.drop(linear.index)['r2_gauge_trimmed'])} in the best gauge, those of the others "
        f"{span_of_r2(linear['r2_gauge_trimmed'])}, and by principal components all have "
        f"{span_of_r2(runs['r2_gauge_trimmed_pca'])} (trimmed; by channels over all edges {span_of_r2(runs['r2_gauge'])})."
    )


def node_weighted(table: pd.DataFrame) -> str:
    """R² of the combinations of channels that the node weights."""
    runs = seed_0(table)
    runs = runs[runs["system"].map(_law).isin(("spring", "r1", *COLLISIONS))]
    scores = span_of_r2(runs["r2_gauge_trimmed_node"])
    return f"They have R² {scores} in the best gauge (trimmed) in the {len(runs)} runs of seed 0."


def penalties() -> str:
    """What the penalties of `l1` and `kl` are, beside the paper's, and what that explains."""
    strong, faded = VARIANTS["l1"], VARIANTS["kl"]
    under = faded.under["collisions"]
    return (
        f"- `l1`: the paper's factor times {strong.recipe['penalty']:g}, under `r2` and `charge` times "
        f"{strong.under['collisions']['penalty']:g}.\n"
        f"- `kl`: the penalty fades from {faded.recipe['first_penalty']:g} to {faded.recipe['penalty']:g} times the "
        "paper's while the "
        f"network learns. Under `r2` and `charge` it is {under['penalty']:g} times throughout, under `discontinuous` "
        f"{faded.recipe['penalty']:g} times. A constant KL penalty keeps noise in the messages, which bounds the loss "
        "from below: "
        "much of the difference to the paper's KL losses may be this choice."
    )


def ablations_found(table: pd.DataFrame) -> str:
    """How the ablations' errors compare with those of `standard`."""
    runs = table[(table["seed"] == 0) & table["variant"].isin(["standard", *ABLATIONS])]
    loss = runs.pivot_table("test_loss_per_node", "system", "variant").dropna()
    error = runs.pivot_table("test_relative_error", "system", "variant").dropna()
    lines = [
        f"- `{name}` ({FURTHER[name].title}): loss per node {span(loss[name] / loss['standard'])} times that of "
        "`standard`, relative "
        f"error {span(error[name] / error['standard'])} times."
        for name in ABLATIONS
    ]
    return "\n".join(lines)


def energies(table: pd.DataFrame) -> str:
    """How many potentials are recovered, and how energies drift."""
    runs = results.distilled(table)
    found = list(_files(runs[runs["variant"] == "hamiltonian"], results.ENERGIES))
    missed = [f"`{row.system}`" for row, record in found if not record["potential_recovered"]]
    ratios = [
        record["energy_error"][other] / record["energy_error"]["hamiltonian"]
        for row, record in found
        if _law(row.system) not in ("damped", "discontinuous")
        for other in ("bottleneck", "reciprocal")
        if other in record["energy_error"]
    ]
    graphs = sorted({f"{row.graphs_seen / 1e6:.0f}" for row, _ in found}, key=int)
    return (
        f"The potential is recovered in {len(found) - len(missed)} of {len(found)} systems{', not in ' if missed else ''}"
        f"{', '.join(missed)}. Integrated in time, without friction or discontinuity, energy drifts "
        f"{span(ratios, '{:.0f}')} times "
        f"more slowly than with `bottleneck` and `reciprocal`. One seed; {', '.join(graphs)} million training graphs "
        "(the paper: 64 million)."
    )


def verdict_tested() -> str:
    """How often the verdicts refuse near misses and accept true forms, and what is announced of planted messages."""
    rows = [
        [f"on {name}s", f"{row.refused:,} of {row.tried:,}", f"{row.accepted:,} of {row.forms:,}"]
        for name, row in near_misses().iterrows()
    ]
    table = planted.read()
    noises, last = table["noise"].unique(), table["series"].max()
    return (
        in_columns(["verdict", "near misses refused", "true forms accepted"], rows)
        + f"\n\nOf {len(table)} cases of planted messages (the true force in a random basis and one of several gauges, with "
        f"{min(noises):.0%} to {max(noises):.0%} noise on messages and accelerations) {told(table['all'])}; of fronts alone "
        f"{told(table['fronts'])}, of generated formulas alone {told(table['formulas'])}. Series {last} of them, with other "
        "data sets, was run after the engine had been changed for what those before had shown: "
        f"{told(table[table['series'] == last]['all'])}. It was ended by an error, which was mended before its remaining cases "
        "were run. The series before are of the engine before. Error bars, on other planted data: "
        f"{coverage.summary(coverage.read())}."
    )


def test_sets(table: pd.DataFrame) -> str:
    """How the losses of `r1-3d` depend on the test set."""
    sets = pd.read_csv(paths.ROOT / "benchmarks" / "test_sets.csv").set_index(["system", "variant"])
    share = seed_0(table).xs("r1-3d", level="system")["share_of_worst"]
    shown = ("standard", "bottleneck", "l1")
    told = ", ".join(f"`{variant}` {sets.loc[('r1-3d', variant), 'median']:.3f}" for variant in shown)
    paper = ", ".join(f"{sets.loc[('r1-3d', variant), 'paper']:.3f}" for variant in shown)
    return (
        f"In `r1-3d` one of the 1,000 test trajectories holds {span(share)} of the loss. On ten further test sets the "
        "medians are "
        f"{told} (the paper: {paper})."
    )
