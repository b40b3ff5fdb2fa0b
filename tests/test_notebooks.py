"""The source notebooks: no stored outputs, one first cell, one cell of literal parameters, a story of bounded length."""

import ast
import base64
import io
import json
import os
import re
import subprocess
import sys
import tarfile

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from figures import FIGURES
from PIL import Image

from lib.dependencies import code
from lib.network.catalogue import select
from lib.paths import ROOT
from lib.pipeline.execute import compact, normalize_outputs
from lib.pipeline.stages import jobs
from lib.report import repository
from lib.report.repository import COLAB_LACKS, colab_requirements, owner_and_name, project, written

SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
RENDERED = sorted((ROOT / "outputs").rglob("[!.]*.ipynb"))
COLAB_HAS = {"IPython", "filelock", "jax", "matplotlib", "nbformat", "numpy", "pandas", "safetensors", "scipy", "seaborn"}
COLAB_HAS |= {"sklearn", "sympy", "threadpoolctl", "torch", "tqdm", "wandb"}


EDITED = {"0_demo", "10_your_data"}
"""Notebooks whose readers are asked to set parameters, which are therefore not folded."""


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, 4)


def test_every_notebook_is_a_stage_of_the_batch_and_every_stage_a_notebook():
    assert {job.stage for job in jobs(select([]), "full", everything=True)} == {path.stem for path in SOURCES}


def test_nothing_is_stored(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


def test_a_table_is_stored_by_no_name_or_address_of_its_run():
    def executed(name: str, address: str) -> nbformat.NotebookNode:
        shown = {"text/html": f'<table id="T_{name}">', "text/plain": f"<pandas.io.formats.style.Styler at {address}>"}
        output = nbformat.v4.new_output("display_data", data=shown)
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("table", id="one", outputs=[output])])

    one, other = normalize_outputs(executed("0a1b2", "0x7f01")), normalize_outputs(executed("fffff", "0x7fa2"))
    assert one == other
    assert one.cells[0].outputs[0].data["text/html"] == '<table id="T_00000">'


def test_parameters_are_literals(notebook):
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)


def test_length_and_comparison_tags(notebook, request):
    assert 10 <= len(notebook.cells) <= 30
    tags = [set(cell.metadata.get("tags", [])) - {"hide-input"} for cell in notebook.cells if cell.cell_type == "code"]
    assert all(tag in ({"parameters"}, {"nbval-check-output"}, {"nbval-ignore-output"}) for tag in tags)
    assert {"nbval-check-output"} in tags or request.node.callspec.id in FIGURES


def test_what_is_no_part_of_the_story_is_folded(notebook, request):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    folded = [bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in code]
    assert folded == ["hide-input" in cell.metadata.tags for cell in code]
    told = dict(zip([cell.source for cell in code], folded, strict=True))
    set_up = [source for source in told if "plots.style()" in source or "curl -fsSL" in source or "import version" in source]
    assert len(set_up) == 3 and all(told[source] for source in set_up)
    assert code[-1].source in set_up  # the last cell tells versions
    (parameters,) = [told[cell.source] for cell in code if "parameters" in cell.metadata.tags]
    assert parameters == (request.node.callspec.id not in EDITED)


NUMBERED = re.compile(r"(?:\*\*Figure |^ +)(\d+)(?:\.\*\*|,$)", re.MULTILINE)
"""A caption's number: in a text, or handed to `captioned` on a line of its own."""


def test_every_figure_has_a_caption(notebook):
    cells = notebook.cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "code" and cell.source.endswith(";"):  # it draws, and hides what the call returns
            assert next(below.source for below in cells[place:] if below.cell_type == "markdown").startswith("**Figure ")
    numbers = [int(number) for cell in cells for number in NUMBERED.findall(cell.source)]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers


def first_cell(notebook):
    """What makes `lib` importable, before anything is imported from it."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code" and "parameters" not in cell.metadata.tags]
    return code[0]


def test_notebooks_begin_alike():
    assert len({first_cell(nbformat.read(path, 4)) for path in SOURCES}) == 1


def first_cell_run(place, **environment):
    """What a kernel started in a folder finds once the first cell has run: the project, and a module of the name of a run."""
    found = """
from importlib.util import find_spec
import pandas, lib, lib.paths
print(lib.paths.ROOT, find_spec("bottleneck"))"""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COLAB_RELEASE_TAG")}
    call = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", first_cell(nbformat.read(SOURCES[0], 4)) + found],
        cwd=place,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert call.returncode == 0, call.stderr
    return call.stdout.split()


@pytest.mark.parametrize("place", ["notebooks", "outputs", "outputs/spring-2d", "outputs/spring-2d/bottleneck"])
def test_the_first_cell_finds_the_project(place):
    assert first_cell_run(ROOT / place) == [str(ROOT), "None"]


def test_the_first_cell_fetches_the_project_on_colab(tmp_path):
    commands, content = tmp_path / "bin", tmp_path / "content"
    commands.mkdir(), content.mkdir()
    archive = tmp_path / "main.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for name in ("lib", "notebooks", "pyproject.toml"):
            packed.add(ROOT / name, f"force-laws-main/{name}")
    for name, does in (("curl", f'cat "{archive}"'), ("pip", f'cat "$4" > "{tmp_path}/installed"')):
        (commands / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/called"\n{does}\n')
        (commands / name).chmod(0o755)
    place, _ = first_cell_run(content, COLAB_RELEASE_TAG="release", PATH=f"{commands}:{os.environ['PATH']}")
    assert place == str(content.resolve())
    assert (tmp_path / "called").read_text().splitlines() == [
        f"curl -fsSL {project()['urls']['repository']}/archive/main.tar.gz",
        "pip install -q -r notebooks/colab.txt",
    ]
    assert (tmp_path / "installed").read_text() == colab_requirements()


def test_colab_has_what_notebooks_import_or_gets_it():
    sources = {file for path in SOURCES for file in code(path.stem) if file.suffix == ".py"}
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sources]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    imported = {name.partition(".")[0] for name in names} - {"lib", *sys.stdlib_module_names}
    imported -= {"pysr", "ase", "pyarrow"}  # imported where an engine or a kind of file asks for them
    installed = {name.replace("-", "_") for name in COLAB_LACKS}
    assert installed <= imported
    assert imported - installed <= COLAB_HAS


def test_the_address_and_the_pins_for_colab_are_those_of_the_project():
    for path, text in written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python -m lib.report.repository writes it anew"


def test_another_address_is_written_wherever_the_old_one_stood(monkeypatch):
    old = owner_and_name()
    monkeypatch.setattr(repository, "owner_and_name", lambda: "someone/else")
    changed = {path: text for path, text in written().items() if path != repository.COLAB_REQUIREMENTS}
    assert all(old not in text and "someone/else" in text for text in changed.values())


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: str(path.relative_to(ROOT / "outputs")))
def test_rendered_notebooks_are_complete_small_and_of_todays_source(path):
    rendered = nbformat.read(path, 4)
    source = nbformat.read(ROOT / "notebooks" / path.name, 4)
    (injected,) = [cell for cell in rendered.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    (parameters,) = [cell for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    assert injected.metadata.get("jupyter") == parameters.metadata.get("jupyter")

    def told(cells):
        return [(c.source, c.metadata.get("jupyter"), c.metadata.get("tags", [])) for c in cells if c is not injected]

    assert told(rendered.cells) == told(source.cells)
    code = [cell for cell in rendered.cells if cell.cell_type == "code"]
    assert not any(out.output_type == "error" for cell in code for out in cell.outputs)
    assert path.stat().st_size < 400_000
    assert str(ROOT) not in json.dumps(rendered)


def test_figures_are_made_compact_and_look_the_same():
    figure, axis = plt.subplots()
    x = np.linspace(0, 6, 200)
    axis.plot(x, np.sin(x[:, None] + np.arange(12)))
    file = io.BytesIO()
    figure.savefig(file)
    plt.close(figure)
    drawn = np.asarray(Image.open(file).convert("RGB")).astype(int)
    png = base64.b64encode(file.getvalue()).decode()
    output = nbformat.v4.new_output("display_data", {"image/png": png, "text/plain": "a figure"})
    notebook = compact(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])]))
    data = notebook.cells[0].outputs[0].data
    found = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")).astype(int)
    assert data["text/plain"] == "a figure" and len(data["image/png"]) < len(png) / 2
    assert np.abs(found - drawn).mean() < 2
