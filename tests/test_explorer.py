"""The figure to play with: its data, and what a reader sees who moves its controls in a real browser."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

from lib.files import write_json
from lib.messages import extraction
from lib.network import weights
from lib.network.catalogue import parse_run
from lib.physics import datasets
from lib.physics.systems import parse_system
from lib.report import explorer, palette
from lib.report.noise_maps import COLUMNS
from lib.selection.law import LAW

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DOTS = "[...document.querySelectorAll('#play-scatter circle')].map(dot => [dot.getAttribute('cx'), dot.getAttribute('cy')])"
LIMIT = 1_500_000
"""Bytes of the whole figure."""


@pytest.fixture(scope="module")
def charge():
    return explorer.of_system(parse_system("charge-2d"))


def content(system, maps=()):
    variants = {name: {"title": name, "colour": palette.of_variant(name)} for name in system["messages"]}
    shown = {"systems": {"charge-2d": system}, "variants": variants, "maps": list(maps), "outcomes": palette.OUTCOMES}
    return {"exponents": explorer.EXPONENTS.round(2).tolist()} | shown


def told(noise, system, count, outcome, expression="", reason=""):
    return dict(zip(COLUMNS, (system, "accelerations", noise, count, 20, outcome, expression, reason, 1.0), strict=True))


TABLE = pd.DataFrame(
    [
        told(0.0, "spring-2d", 10, "right", "1.98 - 2*r"),
        told(0.0, "spring-2d", 100, "right", "1.98 - 2*r"),
        told(0.3, "spring-2d", 10, "none", reason="nothing beats no law at all"),
        told(0.3, "spring-2d", 100, "wrong", "1.9 - 2*r"),
    ]
)


def test_every_released_run_of_a_system_is_there_with_its_scores(charge):
    assert set(charge["messages"]) == {"standard", "bottleneck", "l1", "kl", "pruning", "reciprocal", "hamiltonian"}
    run = parse_run("charge-2d", "bottleneck")
    edges = extraction.extract(weights.load(run)[0], run, datasets.frozen(run.system))
    found = charge["messages"]["bottleneck"]
    sent = edges.messages[:, extraction.choose_channels(edges, 2)]
    field = edges.force / (edges.pairs.m1**0.5 * edges.pairs.q1)[:, None]
    half = int(np.argmin(np.abs(explorer.EXPONENTS - 0.5)))
    assert found["r2"]["field"]["all"][half] == pytest.approx(extraction.linear_fit(field, sent).r2.mean(), abs=1e-5)
    kept = edges.trimmed()
    sent = kept.messages[:, extraction.choose_channels(edges, 2)]
    zero = int(np.argmin(np.abs(explorer.EXPONENTS)))
    assert found["r2"]["force"]["trimmed"][zero] == pytest.approx(extraction.linear_fit(kept.force, sent).r2.mean(), abs=1e-5)


def test_the_whole_figure_is_small(charge):
    one = len(explorer.html(content(charge)).encode())
    # no other system has more: eight of the largest stand for all
    assert len(explorer.SYSTEMS) * one * 1.5 < LIMIT


def test_of_noise_only_what_is_known_is_told():
    assert explorer.of_noise_maps(TABLE.iloc[:0]) == []
    (found,) = explorer.of_noise_maps(TABLE[TABLE["trajectories"] != 10].reset_index())
    assert (found["levels"], found["rows"], found["columns"]) == ([0.0, 0.3], ["spring-2d"], ["100"])
    assert found["cells"] == [[[["right", "1.98 - 2*r"]]], [[["wrong", "1.9 - 2*r"]]]]


def test_records_of_runs_with_noise_are_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    assert explorer.of_runs("full") == []
    right = json.loads((explorer.paths.ROOT / "outputs" / "spring-2d" / "l1" / LAW).read_text())
    folder = tmp_path / "outputs" / "spring-2d" / "l1"
    write_json(folder / LAW, right)
    assert explorer.of_runs("full") == []
    write_json(folder / "noise-0.05" / LAW, right | {"announced": False, "reason": "a tie"})
    (found,) = explorer.of_runs("full")
    (first,), (second,) = found["cells"]
    assert (found["levels"], found["columns"]) == ([0.0, 0.05], ["l1"])
    assert first[0][0] == "right" and second[0] == ["none", "a tie"]


@pytest.fixture
def page(tmp_path):
    if BROWSER is None:
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        opened, amiss = browser.new_page(), []
        opened.on("pageerror", lambda error: amiss.append(str(error)))
        opened.on("request", lambda request: request.url.startswith("file:") or amiss.append(request.url))

        def show(shown):
            file = tmp_path / "page.html"
            file.write_text('<!doctype html><meta charset="utf-8">' + explorer.html(shown), encoding="utf-8")
            opened.goto(file.as_uri())
            return opened

        yield show
        browser.close()
    assert amiss == []


def r2(text):
    """The trimmed R² of the sentence that says what is seen."""
    found = re.search(r"twentieth of the forces it is (1 − )?([\d.e-]+\d)", text)
    return 1 - float(found[2]) if found[1] else float(found[2])


def test_a_reader_drags_the_exponent_and_the_variant(page, charge):
    shown = page(content(charge))
    sentence, slider = shown.locator("#play-told"), shown.get_by_label("exponent k")
    scores = {name: run["r2"] for name, run in charge["messages"].items()}
    at = {round(float(k), 2): j for j, k in enumerate(explorer.EXPONENTS)}
    assert "bottleneck, k = 0:" in sentence.inner_text()
    assert r2(sentence.inner_text()) == pytest.approx(scores["bottleneck"]["force"]["trimmed"][at[0.0]], abs=1e-3)

    slider.press("ArrowRight")
    assert "k = 0.05:" in sentence.inner_text()
    shown.get_by_label("over the receiver's charge too").check()
    shown.get_by_role("button", name="go to the best k").press("Enter")
    best = max(scores["bottleneck"]["field"]["trimmed"])
    assert r2(sentence.inner_text()) == pytest.approx(best, abs=1e-3) and best > 0.9

    shown.get_by_label("over the receiver's charge too").uncheck()
    shown.get_by_label("variant").select_option("reciprocal")
    slider.fill("0")
    assert "The points lie on the line" in sentence.inner_text()
    dots = shown.evaluate(DOTS)
    x, y = np.array(dots, float)[: len(dots) // 2].T
    assert len(dots) > 600 and np.corrcoef(x, -y)[0, 1] > 0.99
    colour = shown.locator("#play-scatter circle").first.get_attribute("fill")
    assert colour == palette.of_variant("reciprocal")


def test_a_reader_drags_the_noise(page, charge):
    shown = page(content(charge, explorer.of_noise_maps(TABLE)))
    cells, said = shown.locator("#play-cells button"), shown.locator("#play-summary")
    assert cells.all_inner_texts() == ["right", "right"] and "2 announcements are right" in said.inner_text()
    shown.get_by_label("noise", exact=False).locator("visible=true").last.press("ArrowRight")
    assert cells.all_inner_texts() == ["none", "wrong"]
    cells.nth(1).press("Enter")
    assert "noise 0.3" in said.inner_text() and "The announced law is 1.9 - 2*r" in said.inner_text()


def test_where_no_noise_was_tried_nothing_is_shown(page, charge):
    shown = page(content(charge))
    assert shown.locator("#play-gauge").is_visible() and not shown.locator("#play-noise").is_visible()
