"""Rendered notebooks executed again: their figures are held to the released ones, in a workspace of their own."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from figures import FIGURES, differences

from lib.paths import ROOT

RENDERED = sorted(path for path in (ROOT / "outputs").rglob("[!.]*.ipynb") if path.stem in FIGURES)
TRAINED = {"graphs_seen": 100, "frozen_loss_per_node": 0.02, "test_relative_error": 0.003}


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: str(path.relative_to(ROOT / "outputs")))
def test_every_rendered_notebook_has_figures_to_compare(path):
    assert differences(path.stem, path.parent, path.parent) == []


@pytest.mark.parametrize(
    ("stage", "changed"),
    [
        ("2_train", {"frozen_loss_per_node": 0.0185}),
        ("3_message_analysis", {"r2_force_trimmed": 0.99}),
        ("3_message_analysis", {"exponent": 0.05}),
        ("4_symbolic_regression", {"recovered": False}),
        ("4_symbolic_regression", {"closed_form_test_loss_per_node": 2e-4}),
        ("7_hamiltonian", {"scale": 1.01}),
    ],
)
def test_a_figure_that_moved_is_named(stage, changed, tmp_path):
    released = ROOT / "outputs" / "spring-2d" / ("hamiltonian" if stage == "7_hamiltonian" else "reciprocal")
    (key,) = changed
    for name in FIGURES[stage]:
        content = json.loads((released / name).read_text())
        (tmp_path / name).write_text(json.dumps(content | (changed if key in content else {})))
    (line,) = differences(stage, tmp_path, released)
    assert f"{key} is {changed[key]}" in line


@pytest.fixture
def checkout(tmp_path):
    """A small checkout whose one rendered notebook, executed, writes a loss."""
    made = tmp_path / "checkout"
    folder = made / "outputs" / "spring-2d" / "l1"
    folder.mkdir(parents=True)
    (made / "model_weights").mkdir()
    (made / "lib").symlink_to(ROOT / "lib")
    (made / "tests").symlink_to(ROOT / "tests")
    shutil.copy(ROOT / "conftest.py", made)
    (folder / "training.json").write_text(json.dumps(TRAINED))

    def executed(loss, **environment):
        code = f"""
            import json, os, pathlib
            place = pathlib.Path(os.environ["WORKSPACE"], "outputs", "spring-2d", "l1", "training.json")
            assert not place.exists()
            place.write_text(json.dumps({TRAINED} | {{"frozen_loss_per_node": {loss}}}))
        """
        cell = nbformat.v4.new_code_cell("\n".join(line[12:] for line in code.splitlines()))
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "2_train.ipynb")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-kernel-name", "python3"]
        call = subprocess.run(
            [*command, f"--rootdir={made}", "outputs"],
            cwd=made,
            env={key: value for key, value in os.environ.items() if key != "WORKSPACE"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return call.returncode, call.stdout

    return executed


def test_a_notebook_fails_when_what_it_writes_is_not_what_was_released(checkout):
    assert checkout(0.02)[0] == 0
    status, said = checkout(0.03)
    assert status == 1 and "training.json: frozen_loss_per_node is 0.03, and 0.02 as released" in said


def test_a_users_own_workspace_is_left_alone(checkout, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    assert checkout(0.02, WORKSPACE=str(own))[0] == 0
    assert list(own.iterdir()) == []
