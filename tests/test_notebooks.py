"""The source notebooks: no stored outputs, one cell of literal parameters, a story of bounded length."""

import ast
import base64
import io
import json

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from lib.paths import ROOT
from lib.pipeline.execute import compact, normalize_outputs

SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
RENDERED = sorted((ROOT / "outputs").rglob("[!.]*.ipynb"))


@pytest.fixture(params=SOURCES, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, 4)


def test_the_demo_and_the_stages_are_all_here():
    stages = ["0_demo", "1_simulate", "2_train", "3_message_analysis", "4_symbolic_regression", "5_extensions", "6_report"]
    assert [path.stem for path in SOURCES] == [*stages, "7_hamiltonian", "8_argon", "9_halos"]


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


def test_length_and_comparison_tags(notebook):
    assert 15 <= len(notebook.cells) <= 30
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.tags:
            assert set(cell.metadata.tags) <= {"nbval-check-output", "nbval-ignore-output"} and cell.metadata.tags
    assert any("nbval-check-output" in cell.metadata.get("tags", []) for cell in notebook.cells)


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: str(path.relative_to(ROOT / "outputs")))
def test_rendered_notebooks_are_whole_small_and_of_todays_source(path):
    rendered = nbformat.read(path, 4)
    source = nbformat.read(ROOT / "notebooks" / path.name, 4)
    injected = [cell for cell in rendered.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert len(injected) == 1
    assert [c.source for c in rendered.cells if c not in injected] == [c.source for c in source.cells]
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
