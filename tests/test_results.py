"""The tables of the report: means and spreads over seeds, paired comparisons, published figures by their source."""

import pandas as pd
import pytest

from lib.network.variants import ABLATIONS
from lib.report import results, tables

TABLE = pd.DataFrame(
    [
        ("spring-2d", "l1", 0, 0.25),
        ("spring-2d", "l1", 1, 0.75),
        ("spring-2d", "l1-reciprocal", 0, 1.0),
        ("spring-2d", "bottleneck", 0, 0.5),
        ("r1-2d", "l1", 0, 0.125),
    ],
    columns=["system", "variant", "seed", "score"],
)


def test_seeds_are_told_by_their_mean_and_spread():
    told = results.told(TABLE, "score", "{:.3f}")
    assert list(told.index) == ["spring-2d", "r1-2d"]
    assert told.loc["spring-2d", "l1"] == "0.500 ± 0.4"
    assert told.loc["spring-2d", "bottleneck"] == "0.500"
    assert told.loc["r1-2d", "bottleneck"] == ""
    assert results.by_variant(TABLE, "score").loc["spring-2d", "l1"] == 0.5


def test_seeds_of_different_orders_are_told_by_their_ends():
    told = results.spanned(TABLE, "score", "{:.1g}")
    assert (told.loc["spring-2d", "l1"], told.loc["spring-2d", "bottleneck"]) == ("0.2 to 0.8", "0.5")


def test_runs_with_and_without_reciprocity_are_paired():
    (row,) = results.with_and_without(TABLE, "score").to_dict("records")
    assert row == {"system": "spring-2d", "variant": "l1", "without": 0.5, "with": 1.0}


def test_published_figures_are_those_of_the_systems_at_hand():
    found = results.by_source("test_loss_per_node", TABLE)
    assert set(found["paper_table3"].index) == {"spring-2d", "r1-2d"}
    assert found["paper_table3"].loc["spring-2d", "bottleneck"] == pytest.approx(0.046)


def test_ablations_stand_beside_standard():
    found = {
        "test_loss_per_node": 0.0204,
        "test_relative_error": 0.00359,
        "r2_gauge_trimmed": 0.954,
        "seed": 0,
        "gauge": "force",
    }
    rows = [
        {"system": "r1-2d", "variant": variant, "recovered": verdict, "read": "channels, gauge-corrected", **found}
        for variant, verdict in {"standard": "true", ABLATIONS[0]: "false", "bottleneck": "true"}.items()
    ]
    lines = tables.ablations(pd.DataFrame([*rows, rows[0] | {"system": "r2-2d"}])).splitlines()
    assert lines[0] == "| | `standard` | " + " | ".join(f"`{name}`" for name in ABLATIONS) + " |"
    assert lines[2:] == ["| `r1-2d` | 0.02, 0.0036, 0.95, force* | 0.02, 0.0036, 0.95, no | – | – |"]
