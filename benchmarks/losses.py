"""Losses: every variant on the 2D systems under MAE, MSE, Huber's loss and its own, and the ablations under theirs.

    python -m benchmarks.losses                                # losses.csv
    python -m benchmarks.losses --only spring-2d r1-2d/custom  # the rows of these alone, the others stay

The recipe is the released one but for its loss and its number of graphs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from benchmarks.training import trained
from lib.files import write_text
from lib.messages import extraction, gauges, projections
from lib.network.catalogue import CORE, select
from lib.network.recipe import recipe_of
from lib.network.variants import ABLATIONS, VARIANTS
from lib.physics import datasets
from lib.runs import Run

TABLE = Path(__file__).with_suffix(".csv")
RIVALS = ("mae", "mse", "huber")
"""The paper's loss, and two others."""
SYSTEMS = [f"{law}-2d" for law in CORE]
RUNS = [f"{system}/{variant}" for system in SYSTEMS for variant in (*VARIANTS, *ABLATIONS)]


def in_best_gauge(model: nn.Module, run: Run) -> dict[str, float]:
    """Trimmed R^2 in the general gauge of the messages: by channels, and as the node network reads them."""
    validation, test = (datasets.load(run.system, split, run.profile).thinned(20) for split in ("validation", "test"))
    combination = projections.node_weighted_combination(
        model, extraction.extract(model, run, validation), validation.graphs()[0]
    )
    kept = extraction.extract(model, run, test).trimmed()
    channels = extraction.choose_channels(kept, run.system.dim)
    return {
        "r2_gauge_trimmed": gauges.fits(kept, channels)["r2_gauge"],
        "r2_gauge_trimmed_node": gauges.fits(kept.combined(combination), np.arange(run.system.dim))["r2_gauge"],
    }


def compared(run: Run, graphs: int) -> pd.DataFrame:
    """A row for each of `RIVALS`, and one for the run's own loss where that is another; that one alone for a head."""
    own = recipe_of(run)
    rows = []
    for loss in [own.loss] if run.variant in ABLATIONS else dict.fromkeys((*RIVALS, own.loss)):
        model, card = trained(run, replace(own, graphs=graphs, loss=loss))
        errors = {key: card[key] for key in ("test_loss_per_node", "test_relative_error")}
        row = {"system": str(run.system), "variant": run.variant, "loss": loss, "graphs": graphs}
        rows.append(row | errors | in_best_gauge(model, run))
    return pd.DataFrame(rows)


def renewed(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with a run's rows in place of those that it had, in the order of `RUNS`."""
    merged = pd.concat([table, rows], ignore_index=True)
    merged = merged.drop_duplicates(["system", "variant", "loss"], keep="last")
    order = (merged.system + "/" + merged.variant).map(RUNS.index)
    return merged.iloc[np.argsort(order, kind="stable")]


def main() -> None:
    """Train, print and write the table, run by run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losses", description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=300_000, help="training graphs of each run (default 300,000)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*SYSTEMS, *RUNS],
        default=SYSTEMS,
        metavar="RUN",
        help=f"{', '.join(SYSTEMS)}, or a run of one, such as {RUNS[-1]}",
    )
    options = parser.parse_args()
    wanted = [name for name in RUNS if {name, name.partition("/")[0]} & set(options.only)]
    for run in select(wanted):
        rows = compared(run, options.graphs)
        print(rows.to_string(index=False, header=str(run) == wanted[0], float_format="%.4g"), flush=True)
        table = renewed(pd.read_csv(TABLE), rows) if TABLE.exists() else rows
        write_text(TABLE, table.to_csv(index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
