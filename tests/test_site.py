"""The site: made without a network from what is rendered, and opened page by page in a real browser."""

import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from lib.paths import ROOT
from lib.report import site
from lib.report.sortable import SORTABLE

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
TYPESET = "!window.MathJax || (MathJax.isReady && !MathJax.Hub.queue.running && !MathJax.Hub.queue.pending)"
FONTS = re.compile(r"^about:blank$|/mathjax/fonts/HTML-CSS/TeX/")
"""Of the requests that fail: an empty font that MathJax tries on purpose, and fonts of text that it hides."""
FORMULA = re.compile(r'<(?:div|span) class="math notranslate[^"]*">.*?</(?:div|span)>', re.DOTALL)
FOUND = """({
    formulae: [...document.querySelectorAll('.math.notranslate')].length,
    bare: [...document.querySelectorAll('.math.notranslate')].filter(e => !e.querySelector('.MathJax')).map(e => e.textContent),
    wrong: [...document.querySelectorAll('.merror, .MathJax_Error')].map(e => e.textContent),
    broken: [...document.images].filter(i => !i.naturalWidth).map(i => i.src.slice(0, 100)),
})"""


@pytest.fixture(scope="module")
def pages():
    first = site.build(1)
    return first.parent, sorted(first.parent.rglob("*.html"))


def test_every_rendered_notebook_and_every_module_has_a_page(pages):
    root, made = pages
    names = {str(page.relative_to(root).with_suffix("")) for page in made}
    rendered = {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "outputs").rglob("*.ipynb")}
    modules = {path.parent if path.name == "__init__.py" else path.with_suffix("") for path in (ROOT / "lib").rglob("*.py")}
    assert len(modules) > 50
    assert rendered | {f"api/{path.relative_to(ROOT)}/index" for path in modules} | {"index", "explorer", *SORTABLE} <= names


def test_no_link_leads_nowhere(pages):
    root, made = pages
    broken, ids, links = [], {}, []
    for page in made:
        text = page.read_text(encoding="utf-8")
        ids[page.resolve()] = set(re.findall(r'\bid="([^"]+)"', text))
        links += [(page, target) for target in set(re.findall(r'(?:href|src)="([^"]+)"', text))]
    for page, target in links:
        parts = urlsplit(unquote(target))
        if parts.scheme:
            continue
        file = (page.parent / parts.path if parts.path else page).resolve()
        known = file.is_file() and (not parts.fragment or file not in ids or parts.fragment in ids[file])
        if not known:
            broken.append((str(page.relative_to(root)), target))
    assert broken == []


def test_the_api_says_what_the_docstrings_say(pages):
    root, _ = pages
    text = (root / "api" / "lib" / "messages" / "extraction" / "index.html").read_text(encoding="utf-8")
    assert "The edges whose true |f| is below its 95th percentile." in text


def test_every_image_can_be_read(pages):
    root, _ = pages
    files = [file for file in root.rglob("*") if file.suffix in {".png", ".gif", ".jpg"}]
    assert len(files) > 100
    for file in files:
        with Image.open(file) as image:
            image.verify()


def to_open(root: Path, made: list[Path]) -> list[Path]:
    """A page of each kind, and all that have a formula which no page before them has."""
    chosen, kinds, formulae = [], set(), set()
    for page in made:
        place = page.relative_to(root)
        # pages of the library are alike, and so are those of one stage; each other page is a kind of its own
        kind = "api" if place.parts[0] == "api" else place.stem if place.parts[0] == "outputs" else str(place)
        found = set(FORMULA.findall(page.read_text(encoding="utf-8")))
        if kind not in kinds or not found <= formulae:
            chosen.append(page)
        kinds.add(kind)
        formulae |= found
    return chosen


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_pages_of_every_kind_open_and_every_formula_is_typeset(pages):
    root, made = pages
    amiss, formulae = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: amiss.append((page.url, str(error))))
        page.on("requestfailed", lambda request: FONTS.search(request.url) or amiss.append((page.url, request.url)))
        for file in to_open(root, made):
            page.goto(file.as_uri())
            page.wait_for_function(TYPESET)
            found = page.evaluate(FOUND)
            formulae += found.pop("formulae")
            amiss += [(str(file.relative_to(root)), what, cases) for what, cases in found.items() if cases]
        assert amiss == [] and formulae > 100

        page.goto((root / "explorer.html").as_uri())
        page.get_by_label("exponent k").press("End")
        assert "k = 1.5" in page.locator("#play-told").inner_text()

        page.goto((root / "table.html").as_uri())
        column = "td:nth-child(4):visible"
        page.wait_for_selector(column)
        page.locator("th:visible", has_text="test_loss_per_node").first.click()
        page.wait_for_selector("th[aria-sort=ascending]:visible")
        losses = [float(text) for text in page.locator(column).all_inner_texts()]
        assert len(losses) > 20 and losses == sorted(losses)
        for name in SORTABLE:
            page.goto((root / f"{name}.html").as_uri())
            page.wait_for_selector("td:visible")
            assert page.locator("tbody tr").count() > 20, name
        page.goto((root / "outputs" / "6_report.html").as_uri())
        set_up = page.locator("text=curl -fsSL").first
        assert not set_up.is_visible()
        page.locator("details summary").nth(1).click()
        assert page.locator("details[open]").count() == 1
        browser.close()


def test_a_failed_build_leaves_the_last_site_alone(pages, monkeypatch):
    root, made = pages

    def damaged(source: Path) -> None:
        (source / "conf.py").write_text("raise SystemExit(1)", encoding="utf-8")

    monkeypatch.setattr(site, "stage", damaged)
    with pytest.raises(RuntimeError, match="the site was not built"):
        site.build(1)
    assert sorted(root.rglob("*.html")) == made
    assert sorted(path.name for path in root.parent.iterdir() if path.name.startswith("site")) == ["site"]
