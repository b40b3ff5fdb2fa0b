"""What the project releases: every run complete, its weights, messages, verdict and closed form such as its row says, and all
of it small. Rows are read from a copy that no notebook writes."""

import math
import re
import subprocess

import pandas as pd
import pytest
import torch

from lib import paths
from lib.distillation import verdict
from lib.distillation.closed_form import ClosedForm, node_names, relative_error
from lib.distillation.expressions import parse
from lib.files import read_json
from lib.many_body import argon, halos
from lib.messages import extraction
from lib.network import inference, weights
from lib.network.catalogue import LARGER, RECORDED, select
from lib.network.recipe import recipe_of
from lib.physics import datasets
from lib.physics.forces import input_names
from lib.report import pages, results, tables

RUNS = select([])
DISTILLED = [run for run in [*RUNS, *select(RECORDED)] if (paths.outputs(run) / "front-1.csv").exists()]
BYTES = 150e6


def test_every_released_run_is_in_the_table():
    table = results.gather("full")
    assert set(zip(table["system"], table["variant"], table["seed"], strict=True)) == {
        (str(run.system), run.variant, run.seed) for run in [*RUNS, *select(RECORDED)]
    }
    assert len(results.distilled(table)) == len(DISTILLED) >= len(RUNS)
    results.write(table, "full")
    assert paths.results("full").read_text() == (paths.ROOT / "outputs" / "results.csv").read_text()


def test_the_index_is_of_the_table_and_its_links_lead_somewhere():
    outputs = paths.ROOT / "outputs"
    text = (outputs / "README.md").read_text()
    assert text == tables.index(results.gather("full"), results.larger("full"), outputs)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 3 * len(RUNS) and not [link for link in links if not (outputs / link).exists()]


def test_readme_and_pages_show_the_figures_of_the_results():
    computed = pages.passages(results.gather("full"), results.larger("full"))
    shown = {page: page.read_text(encoding="utf-8") for page in pages.pages()}
    assert {name for text in shown.values() for name in pages.names(text)} == set(computed)
    stale = [page.name for page, text in shown.items() if text != pages.refreshed(text, computed)]
    assert stale == [], "python -m lib.report.pages writes the figures anew"


@pytest.mark.parametrize(("stage", "problem"), [("8_argon", argon.PROBLEM), ("9_halos", halos.PROBLEM)])
def test_larger_systems_are_complete_and_their_constants_are_those_planted(stage, problem):
    run = LARGER[stage]
    card = weights.load(run, problem)[1]
    assert card["recipe"] == vars(problem.recipe(run))
    (found,) = [one for one in results.larger("full") if one["system"] == str(run.system)]
    assert found["recovered"] and results.of_card(card).items() <= found.items()
    assert found["constants"] == pytest.approx(found["planted"], rel=0.05)
    assert found["closed_form_loss_beyond"] < 1e-3 * found["loss_beyond"]


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_weights_give_the_loss_of_their_row_and_are_of_today_s_recipe(run):
    torch.set_num_threads(1)
    model, card = weights.load(run)
    bodies, accelerations = inference.tensors(datasets.frozen(run.system))
    told = read_json(paths.outputs(run) / "training.json")
    assert inference.evaluate(model, bodies, accelerations) == pytest.approx(told["frozen_loss_per_node"], rel=1e-3)
    assert {"penalty": 1.0, "first_penalty": None} | card["recipe"] == vars(recipe_of(run))


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_messages_fit_the_truth_as_their_row_says(run):
    """On other trajectories than those of the row: only a close fit is the same there."""
    torch.set_num_threads(1)
    row = read_json(paths.outputs(run) / "messages.json")
    edges = extraction.extract(weights.load(run)[0], run, datasets.frozen(run.system)).trimmed()
    messages = edges.messages[:, row["channels"]]
    for name, true in (("force", edges.force), ("acceleration", edges.acceleration)):
        if (released := row[f"r2_{name}_trimmed"]) > 0.9:
            assert extraction.linear_fit(true, messages).r2.mean() == pytest.approx(released, abs=0.05)


@pytest.mark.parametrize("run", DISTILLED, ids=str)
def test_a_closed_form_is_as_exact_as_its_row_says(run):
    row, dim = read_json(paths.outputs(run) / "closed_form.json"), run.system.dim
    edge = [parse(text, input_names(dim)) for text in row["edge"]]
    node = [parse(text, node_names(dim)) for text in row["node"]]
    bodies, accelerations = datasets.frozen(run.system).graphs()
    error = relative_error(ClosedForm(run.system, edge, node, row["softening"])(bodies), accelerations)
    assert error < 3 * row["settings"]["as in training"]["closed form"]


@pytest.mark.parametrize("run", [*RUNS, *select(RECORDED)], ids=str)
def test_a_run_saw_the_graphs_of_today_s_recipe(run):
    recipe = recipe_of(run)
    steps = math.ceil(recipe.graphs / recipe.batch)
    assert read_json(paths.outputs(run) / "training.json")["graphs_seen"] == steps * recipe.batch


@pytest.mark.parametrize("run", DISTILLED, ids=str)
def test_the_verdict_on_the_fronts_is_the_one_of_the_row(run):
    folder = paths.outputs(run)
    fronts = [pd.read_csv(folder / f"front-{channel + 1}.csv") for channel in range(run.system.dim)]
    judged, told = verdict.judge(fronts, run.system), read_json(folder / "verdict.json")
    found = (judged.recovered, judged.gauge, judged.expressions, judged.choice)
    assert found == (told["recovered"], told["gauge"], told["expressions"], told["choice"])


def test_the_checkout_is_small():
    call = subprocess.run(["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, text=True, check=False)
    if call.returncode:
        pytest.skip("not a checkout")
    files = [paths.ROOT / name for name in call.stdout.split("\0") if name and (paths.ROOT / name).exists()]
    assert sum(file.stat().st_size for file in files) < BYTES
