"""The tables of the report: means and spreads over seeds, paired comparisons, published figures by their source."""

import pandas as pd
import pytest

from lib import paths
from lib.files import write_json, write_text
from lib.network.catalogue import parse_run
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
        "r2_gauge": 0.25,
        "r2_gauge_trimmed": 0.954,
        "seed": 0,
        "gauge": "force",
    }
    rows = [
        {"system": "r1-2d", "variant": variant, "recovered": verdict, "read": "channels, gauge-corrected", **found}
        for variant, verdict in {"standard": "true", ABLATIONS[0]: "false", "bottleneck": "true"}.items()
    ]
    told = tables.ablations(pd.DataFrame([*rows, rows[0] | {"system": "r2-2d"}])).splitlines()
    assert told[2:] == [
        "| `r1-2d/standard` | 0.02 | 0.0036 | 0.250 | 0.954 | force* |",
        f"| `r1-2d/{ABLATIONS[0]}` | 0.02 | 0.0036 | 0.250 | 0.954 | no |",
    ]


def test_a_folder_of_no_run_is_named_in_a_warning_and_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    run = parse_run("spring-2d", "l1")
    for folder in (paths.outputs(run), tmp_path / "outputs" / "spring-2d" / "l1 (copy)", tmp_path / "outputs" / "mine" / "l1"):
        for part in results.PARTS:
            write_json(folder / part, {})
        write_text(folder.parent / "1_simulate.ipynb", "{}")
    assert results.finished_runs("full") == [run]
    assert results.simulated(tmp_path / "outputs") == [run.system]
    warnings = [record.getMessage() for record in caplog.records]
    assert [line.partition(" is left out: ")[0].rpartition("outputs/")[2] for line in warnings] == [
        "mine/l1",
        "spring-2d/l1 (copy)",
        "mine",
    ]
    assert not any("\n" in line for line in warnings)


def announced_table():
    rows = [
        ("r1-2d", "l1", "right", "right", 0.9),
        ("r1-2d", "kl", "wrong", "none", 0.95),
        ("r2-2d", "l1", "none", "none", None),
    ]
    names = ["system", "variant", "announced", "announced_of_fronts", "confidence"]
    table = pd.DataFrame(rows, columns=names).assign(recovered="true", announced_of_formulas="right")
    return table.reindex(columns=[*results.COLUMNS])


def test_announcements_are_counted_and_formulas_once_a_system():
    counts = results.counted(announced_table())
    assert counts.loc["together", "all"].to_dict() == {"right": 1, "wrong": 1, "none": 1}
    assert counts.loc["r1-2d", "fronts alone"].to_dict() == {"right": 1, "wrong": 0, "none": 1}
    assert counts["generated formulas alone"]["right"].to_dict() == {"r1-2d": 1, "r2-2d": 1, "together": 2}


def test_reliability_compares_stated_confidence_with_what_is_right():
    found = results.reliability(announced_table()).iloc[0]
    assert found["announcements"] == 2 and found["stated confidence"] == pytest.approx(0.925) and found["right"] == 0.5
