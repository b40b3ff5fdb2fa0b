"""The site: rendered notebooks, results, figures and the API as web pages, made by Sphinx without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupyter_server_mathjax
import pandas as pd

from lib import paths
from lib.network.catalogue import LARGER, parse_run
from lib.physics.laws import get_law
from lib.physics.systems import parse_system
from lib.report import explorer
from lib.report.repository import owner_and_name
from lib.report.results import data_sets, simulated
from lib.report.sortable import SORTABLE, as_html
from lib.report.tables import APPENDIX, DATA, STAGES, TITLES
from lib.runs import Run

OUTPUTS = paths.ROOT / "outputs"

BADGE = re.compile(r"!\[(Open in \w+)\]\(https://[^)]+\.svg\)")
"""An image of another site, in whose place its words stand."""
NOTEBOOK = re.compile(r"(?<=\]\()((?:\.\./)*)notebooks/(\w+)\.ipynb(?=[)#])")
"""A link to a notebook, from any depth."""
FIRST_RUNS = ("spring-2d/reciprocal", "spring-2d/hamiltonian", "spring-2d")
"""Folders below `outputs/` whose rendering of a notebook stands for it, where it has several."""
LINKED = ("`build/site/explorer.html`", "[figures to play with](../explorer.md)")
"""A page of the site as the demo names it, and the link that stands for it there."""

EXPLORER = """# Figures to play with

A network learns accelerations and never sees a force. Its messages hold the force $f$ only up to a gauge, a factor that
depends on the receiver: $m^{-k} f$ is the force for $k = 0$ and the acceleration for $k = 1$. Drag $k$. Where the points lie on
the line, the messages are $m^{-k} f$, up to a linear combination of its components.

```{raw} html
:file: explorer.html
```

The [demo](outputs/0_demo.ipynb) goes the whole way from bodies to a law; [the table](table.md) has every run.
"""
"""The page of `lib.report.explorer`."""


def renderings(outputs: Path) -> dict[str, str]:
    """Of each notebook the rendering below `outputs` that stands for it, from the project's root on, by the notebook's name.

    Of several that of `FIRST_RUNS`, or of the example of a user's file, which is the one whose data the project has.
    """
    examples = {f"data/{file.stem}" for file in (paths.ROOT / "data").glob("*.csv")}

    def rank(path: Path) -> tuple[int, str]:
        folder = path.parent.relative_to(outputs).as_posix()
        first = [*FIRST_RUNS, *sorted(examples)]
        return first.index(folder) if folder in first else len(first), folder

    found = sorted(outputs.rglob("[!.]*.ipynb"), key=rank, reverse=True)
    return {path.stem: f"outputs/{path.relative_to(outputs).as_posix()}" for path in found}


def as_page(text: str) -> str:
    """A page of Markdown as the site shows it: of a notebook its rendering, on GitHub where there is none; badges as words."""
    rendered = renderings(OUTPUTS)

    def place(link: re.Match[str]) -> str:
        if link[2] in rendered:
            return link[1] + rendered[link[2]]
        return f"https://github.com/{owner_and_name()}/blob/main/notebooks/{link[2]}.ipynb"

    return NOTEBOOK.sub(place, BADGE.sub(r"\1", text))


def stage(source: Path) -> None:
    """Lay out what Sphinx reads: the README as its first page, what is rendered, the table, and a page a system."""
    for folder in ("benchmarks", "docs", "lib", "outputs", "workflow"):
        shutil.copytree(paths.ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__", ".*", "conf.py"))
    for page in source.rglob("*.ipynb"):
        page.write_text(BADGE.sub(r"\1", page.read_text(encoding="utf-8")), encoding="utf-8")
    demo = source / "outputs" / "0_demo.ipynb"
    demo.write_text(demo.read_text(encoding="utf-8").replace(*LINKED), encoding="utf-8")
    for page in (source / "docs").glob("*.md"):
        page.write_text(as_page(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name in ("CITATION.cff", "CONTRIBUTING.md", "LICENSE", "docs/conf.py"):
        shutil.copy(paths.ROOT / name, source)
    mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
    shutil.copytree(mathjax, source / "static" / "mathjax", ignore=shutil.ignore_patterns("localization", "a11y"))
    table = pd.read_csv(OUTPUTS / "results.csv")
    for name, one in SORTABLE.items():
        (source / f"{name}.html").write_text(as_html(one.rows(table)), encoding="utf-8")
        (source / f"{name}.md").write_text(
            f"# {one.title}\n\nA click on a heading sorts. {one.text}\n\n```{{raw}} html\n:file: {name}.html\n```\n",
            encoding="utf-8",
        )
    (source / "explorer.html").write_text(explorer.html(explorer.data()), encoding="utf-8")
    (source / "explorer.md").write_text(EXPLORER, encoding="utf-8")
    larger = {str(run.system) for run in LARGER.values()}
    runs = [parse_run(row.system, row.variant, row.seed) for row in table.itertuples() if row.system not in larger]
    systems = list(dict.fromkeys([*(str(run.system) for run in runs), *map(str, simulated(OUTPUTS))]))
    for system in systems:
        (source / f"{system}.md").write_text(_of_system(system, [r for r in runs if str(r.system) == system]), encoding="utf-8")
    (source / "index.md").write_text(
        as_page((paths.ROOT / "README.md").read_text(encoding="utf-8"))
        + _contents("Results", {"Figures to play with": "explorer", "Index": "outputs/README", **_overviews()})
        + _contents("Sortable tables", {one.title: name for name, one in SORTABLE.items()})
        + _contents("Pages", _pages())
        + _contents("Data", _data_sets())
        + _contents("Systems", {system: system for system in systems})
        + _contents("Project", {"Benchmarks": "benchmarks/README", "Contributing": "CONTRIBUTING", "API": "api/lib/index"}),
        encoding="utf-8",
    )


def _pages() -> dict[str, str]:
    """The pages under docs/, by their headings, the list of them first."""
    places = sorted((paths.ROOT / "docs").glob("*.md"), key=lambda page: (page.stem != "README", page.stem))
    headings = {page: page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in places}
    return {heading: f"docs/{page.stem}" for page, heading in headings.items()}


def _overviews() -> dict[str, str]:
    titles = {"0_demo": "Demo", "6_report": "Report", **{name: words.capitalize() for name, words in APPENDIX.items()}}
    places = {title: f"outputs/{name}" for name, title in titles.items()}
    places |= {TITLES[stage].capitalize(): f"outputs/{run}/{stage}" for stage, run in LARGER.items()}
    return places | {"Noise": "outputs/12_noise_maps", "Solar system": "outputs/data/solar-system/11_solar_system"}


def _data_sets() -> dict[str, str]:
    """Files whose laws were sought, by name."""
    return {folder.name: f"outputs/data/{folder.name}/{DATA}" for folder in data_sets(OUTPUTS)}


def _of_system(system: str, runs: list[Run]) -> str:
    pages = {"simulation": f"outputs/{system}/1_simulate"}
    pages |= {
        f"{run.folder}: {words}": f"outputs/{run}/{name}"
        for run in runs
        for name, words in STAGES.items()
        if (OUTPUTS / str(run) / f"{name}.ipynb").exists()
    }
    return f"# {system}\n\n{get_law(parse_system(system).law).title}.\n" + _contents("", pages, hidden=False)


def _contents(caption: str, pages: dict[str, str], hidden: bool = True) -> str:
    head = [f":caption: {caption}"] if caption else []
    head += [":hidden:"] if hidden else []
    return "\n".join(["", "```{toctree}", *head, "", *(f"{title} <{page}>" for title, page in pages.items()), "```", ""])


def build(cores: int) -> Path:
    """Make the site of what is rendered, in place of an earlier one; its first page. `RuntimeError` if Sphinx fails."""
    site = paths.workspace("full") / "build" / "site"
    source, pages = site.with_name("site.source"), site.with_name("site.pages")
    try:
        for folder in (source, pages):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        stage(source)
        call = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-j", str(cores), "-d", str(source / ".doctrees")]
        if subprocess.run([*call, str(source), str(pages)], check=False).returncode:
            raise RuntimeError("the site was not built; the lines above say why")
        shutil.rmtree(site, ignore_errors=True)
        pages.rename(site)
    finally:
        for folder in (source, pages):
            shutil.rmtree(folder, ignore_errors=True)
    return site / "index.html"
