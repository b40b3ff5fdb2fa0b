"""README and the pages under docs/: short, computed where there are figures, and with links that lead somewhere."""

import re

import pandas as pd
import pytest

from lib.paths import ROOT
from lib.report import captions, pages, results, site, statements, tables
from lib.report.sortable import SORTABLE

README = ROOT / "README.md"
LINES = 120
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
MEASURED = re.compile(r"(?<![\w.])\d*\.\d+(?!\w)|\d%")
"""A decimal or a percentage, as measured figures have them."""
DEFINED = {"3.11", "3.14", "0.01"}
"""Decimals that are typed: versions of Python, and the softening of all laws."""


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["README.md", "docs/findings.md", "docs/tables.md", "docs/energies.md", "docs/many-bodies.md"])
def test_no_measured_figure_is_typed(name):
    typed = re.sub(r"\]\([^)]*\)|`[^`]*`", "", pages.MARKS.sub("", (ROOT / name).read_text(encoding="utf-8")))
    assert set(MEASURED.findall(re.sub(r"\w+:\d+\.\d+", "", typed))) <= DEFINED


def test_passages_are_written_between_their_marks():
    text = "before\n<!-- one -->\nold\n<!-- end -->\nbetween\n<!-- two -->\n<!-- end -->\n"
    assert pages.names(text) == ["one", "two"]
    written = pages.refreshed(text, {"one": "1\n\n1", "two": "2"})
    assert written == "before\n<!-- one -->\n1\n\n1\n<!-- end -->\nbetween\n<!-- two -->\n2\n<!-- end -->\n"
    assert pages.refreshed(written, {"one": "1\n\n1", "two": "2"}) == written


def test_long_lines_of_text_are_broken_and_tables_are_not():
    long = "word " * pages.WIDTH
    told = pages.wrapped(f"- {long}\n| {long} |\n```\n{long}\n```").splitlines()
    bullets = told[:-4]
    assert max(map(len, bullets)) <= pages.WIDTH and {line[:2] for line in bullets} == {"- ", "  "}
    assert told[-4:] == [f"| {long} |", "```", long, "```"]


def test_every_passage_copes_with_runs_that_are_not_judged_yet():
    table = results.gather("full")
    columns = [name for name in table if name.startswith("announced") or name == "confidence"]
    told = pages.passages(table.assign(**dict.fromkeys(columns, None)), results.larger("full"))
    assert "not judged yet" in told["announcements"] and all(told.values())


RUNS = pd.DataFrame(
    [
        ("spring-2d", "l1", 0, 6e6, "right"),
        ("spring-2d", "l1", 1, 6e6, "wrong"),
        ("spring-2d", "reciprocal", 0, 12e6, None),
        ("r2-2d", "l1", 0, 2e6, "none"),
        ("r2-2d", "l1-reciprocal", 0, 1e6, None),
    ],
    columns=["system", "variant", "seed", "graphs_seen", "announced"],
).assign(recovered="true", test_loss_per_node=[0.02, 0.04, 0.5, 1.0, 2.0])


def test_budgets_are_those_of_rows_and_longer_runs_are_named():
    assert captions.longer(RUNS).tolist() == [False, False, True, False, False]
    told = captions.budgets(RUNS)
    assert "6 million (`spring`), 2 million (`r2`)" in told and "2 times as many: `spring-2d/reciprocal`" in told
    assert "†" not in captions.budgets(RUNS, ("l1",)) + captions.budgets(RUNS[RUNS["system"] == "r2-2d"])
    assert captions.seeds(RUNS) == "Seeds: 0, 1 (`spring-2d`); 0 (all others)."


def test_r2_that_would_read_1_has_its_first_digit_that_is_not_9():
    assert [captions.r2(value) for value in (0.5, 0.9994, 0.99951, 1 - 3e-6, float("nan"))] == [
        "0.500",
        "0.999",
        "0.9995",
        "0.999997",
        "–",
    ]


def test_the_headline_counts_seeds_and_marks_longer_runs():
    first, second = (line.split(" | ") for line in tables.headline(RUNS, "").splitlines()[2:4])
    assert first[1:4] == ["–", "–", "1 of 2"] and second[1:4] == ["–", "–", "0 of 1"]
    assert first[4] == "0.5†" and first[7] == "0.03" and second[7] == "1"
    assert [line.count(" | ") for line in tables.headline(RUNS, "").splitlines()[:1]] == [8]


def test_an_index_without_distilled_runs_has_no_headline(tmp_path):
    assert tables.index(RUNS.assign(recovered=None), [], tmp_path).count("|") == 0


def test_announcements_are_counted():
    table = RUNS.assign(announced_of_fronts=RUNS["announced"], announced_of_formulas="right")
    told = statements.announcements(table)
    assert told.startswith("All 3 distilled runs: 1 right, 1 wrong, 1 none") and "2 runs are not judged yet" in told
    assert "no network, once a system: 2 right, 0 wrong, 0 none" in told


def test_a_link_to_a_notebook_leads_to_its_rendering():
    rendered = site.renderings(ROOT / "outputs")
    assert rendered["10_your_data"] == "outputs/data/three-bodies/10_your_data.ipynb"
    assert rendered["11_solar_system"] == "outputs/data/solar-system/11_solar_system.ipynb"
    assert all((ROOT / place).exists() for place in rendered.values())
    text = "[a](notebooks/10_your_data.ipynb), [b](../notebooks/0_demo.ipynb), [c](notebooks/12_none.ipynb)"
    a, b, c = re.findall(r"\]\(([^)]+)\)", site.as_page(text))
    assert (a, b) == (rendered["10_your_data"], "../outputs/0_demo.ipynb")
    assert c.startswith("https://github.com/") and c.endswith("/blob/main/notebooks/12_none.ipynb")


def test_sortable_tables_have_every_run_in_plain_words():
    table = pd.read_csv(ROOT / "outputs" / "results.csv")
    rows = {name: one.rows(table) for name, one in SORTABLE.items()}
    distilled = table["recovered"].notna().sum()
    assert len(rows["table"]) == len(rows["scores"]) == len(table)
    assert len(rows["fronts"]) == distilled and not rows["fronts"]["expressions"].str.contains(r'[\[\]"]').any()
    assert set(rows["beyond"].groupby(["system", "variant", "seed"]).size()) == {4}
    assert rows["scores"]["paper's R²"].notna().sum() > 20


def test_badges_are_words_on_the_site():
    text = site.as_page(README.read_text(encoding="utf-8"))
    assert "svg" not in text and "[Open in Colab](https://" in text and "[Open in Binder](https://" in text
