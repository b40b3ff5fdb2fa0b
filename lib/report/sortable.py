"""Tables that are longer than a page: the site sorts them at a click."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from itables import options, to_html_datatable
from itables.javascript import generate_init_offline_itables_html

from lib import paths
from lib.files import read_json
from lib.network.catalogue import LARGER, parse_run
from lib.report import results

RUN = ["system", "variant", "seed"]
OVERVIEW = [
    *RUN,
    "test_loss_per_node",
    "announced",
    "announced_expression",
    "announced_error",
    "confidence",
    "r2_force",
    "r2_force_trimmed",
    "r2_acceleration",
    "r2_acceleration_trimmed",
    "r2_gauge",
    "r2_gauge_trimmed",
    "sparsity",
    "recovered",
    "gauge",
    "read",
    "closed_form_test_loss_per_node",
    "graphs_seen",
    "train_seconds",
]


@dataclass(frozen=True)
class Sortable:
    """A page with one table."""

    title: str
    text: str
    """What the columns are."""
    rows: Callable[[pd.DataFrame], pd.DataFrame]
    """From the table of all runs, as it is read from results.csv."""


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """R² and exponents of gauges of all runs, with the paper's R² (its Table 1)."""
    columns = [name for name in table if name.startswith(("r2_", "exponent"))]
    theirs = results.published("r2").query("source == 'paper_table1'").set_index(["system", "variant"])["value"]
    return table[[*RUN, *columns]].join(theirs.rename("paper's R²"), on=["system", "variant"])


def fronts(table: pd.DataFrame) -> pd.DataFrame:
    """What the verdict found on the fronts of each distilled run."""
    rows = table[table["recovered"].notna()][[*RUN, "recovered", "gauge", "read", "chosen", "expressions"]]
    return rows.assign(expressions=rows["expressions"].map(lambda text: "; ".join(json.loads(text))))


def beyond(table: pd.DataFrame) -> pd.DataFrame:
    """Relative errors of networks and closed forms as in training and beyond it, a row a run and setting."""
    rows = []
    for row in table[~table["system"].isin([str(run.system) for run in LARGER.values()])].itertuples():
        file = paths.outputs(parse_run(row.system, row.variant, row.seed, row.profile)) / "closed_form.json"
        if file.exists():
            settings = read_json(file)["settings"].items()
            rows += [{**{name: getattr(row, name) for name in RUN}, "where": where, **errors} for where, errors in settings]
    return pd.DataFrame(rows)


def losses(_: pd.DataFrame) -> pd.DataFrame:
    """The short trainings under several losses."""
    return pd.read_csv(paths.ROOT / "benchmarks" / "losses.csv")


def published(_: pd.DataFrame) -> pd.DataFrame:
    """All published figures that ours stand beside."""
    return pd.read_csv(paths.REFERENCE)


SORTABLE = {
    "table": Sortable(
        "All runs",
        "R² are over all test edges, and trimmed, without the strongest twentieth of the forces; `announced` is the verdict on "
        "the law that is announced, `recovered` that on the messages. [results.csv](outputs/results.csv) has every column.",
        lambda table: table[OVERVIEW],
    ),
    "scores": Sortable(
        "Messages",
        "R² of linear fits of messages to the pair force, the acceleration and the force in its best gauge: of the channels of "
        "largest spread, of principal components (`pca`) and of node-weighted combinations (`node`); `undone` is "
        "gauge-corrected. `exponent` is k of the gauge m^-k.",
        scores,
    ),
    "fronts": Sortable(
        "Laws on the fronts",
        "The expressions that the verdict selected from each run's fronts, in which gauge and projection (`read`), and whether "
        "the engine's own choices are the law too (`chosen`).",
        fronts,
    ),
    "beyond": Sortable(
        "Beyond training",
        "The mean of |error| / (1 + |a|) of each network and of the closed form that was distilled from it, on graphs like "
        "those of training and unlike them.",
        beyond,
    ),
    "losses": Sortable("Losses", "Short trainings of the same budget under several losses, and of ablations.", losses),
    "published": Sortable("Published figures", "Of the paper and of its public reproductions.", published),
}
"""Pages of the site, by name."""


def as_html(table: pd.DataFrame) -> str:
    """The table as HTML whose headings sort; all that it needs is inside."""
    shown = table.map(lambda value: float(f"{value:.4g}") if isinstance(value, float) else value).astype(object)
    return generate_init_offline_itables_html(options.dt_bundle) + to_html_datatable(
        shown.where(table.notna(), ""),
        connected=False,
        showIndex=False,
        paging=False,
        scrollX=True,
        text_in_header_can_be_selected=False,
        maxBytes=0,
        classes="display compact",
    )
