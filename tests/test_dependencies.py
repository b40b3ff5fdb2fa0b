"""What a stage depends on: the code that its notebook really imports, and the files that it really opens."""

import json
import os
import re
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
from engine import copy_of_project

from lib import paths
from lib.dependencies import NOTEBOOKS, code, imports
from lib.network.catalogue import select
from lib.pipeline.stages import jobs

STAGES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
REALLY = """
import ast, json, os, re, sys
import diffrax, pandas, pyoperon, seaborn, sklearn, sympy, torch_geometric  # once for all: they take seconds

for name in sys.argv[1:]:
    if pid := os.fork():
        os.waitpid(pid, 0)
        continue
    cells = [cell for cell in json.load(open(name))["cells"] if cell["cell_type"] == "code"]
    source = re.sub(r"(?m)^(\\s*)[!%].*$", r"\\1pass", "\\n".join("".join(cell["source"]) for cell in cells))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "google" not in ast.unparse(node):
            exec(ast.unparse(node), {})
    loaded = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "lib"]
    print(json.dumps([name, loaded]), flush=True)
    os._exit(0)
"""
PROCESSES = {paths.ROOT / "lib" / "distillation" / "pysr_process.py"}
"""Modules that others run by `python -m`, which need a reader's eye: no import leads to them."""


@cache
def imported():
    """By stage, the files of `lib` that are loaded once all imports of its notebook have been made."""
    call = [sys.executable, "-W", "ignore", "-c", REALLY, *(str(NOTEBOOKS / f"{stage}.ipynb") for stage in STAGES)]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=paths.ROOT)
    return {Path(name).stem: set(map(Path, files)) for name, files in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_files_that_it_imports_and_on_no_others(stage):
    notebook, *files = code(stage)
    assert notebook == NOTEBOOKS / f"{stage}.ipynb"
    run = PROCESSES & set(files)
    assert set(files) - run == imported()[stage] - run
    assert run == (PROCESSES if paths.ROOT / "lib" / "distillation" / "engines.py" in files else set())


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import lib.files as f", {"lib.files"}),
        ("def late():\n    from lib import paths", {"lib", "lib.paths"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib.runs import Run", set()),
        ("call = ['-m', 'lib.network.models']", {"lib.network.models"}),
        ("import library", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source, names):
    assert names <= imports(source) and all(name.startswith(tuple(names or "-")) for name in imports(source))


def test_an_edit_calls_for_the_stages_that_import_the_file_and_what_follows_from_them(tmp_path):
    project = copy_of_project(tmp_path / "project")
    runs = ["spring-2d/l1", "spring-2d/hamiltonian"]
    graph = jobs(select(runs, "smoke"), "smoke", retrain=True)
    begun = time.time() - 10_000
    for path in (path for path in project.rglob("*") if path.is_file()):
        os.utime(path, (begun, begun))
    for place, job in enumerate(graph):  # as if all were made, one after the other
        for output in (*job.outputs, job.notebook, paths.made_mark(job.name, "smoke")):
            path = project / output.relative_to(paths.workspace("smoke"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
            os.utime(path, (begun + place + 1, begun + place + 1))

    def asked():
        call = [sys.executable, "-m", "lib.pipeline.batch", "--profile", "smoke", "--retrain", "--dry-run"]
        call += [word for run in runs for word in ("--only", run)]
        environment = os.environ | {"PYTHONPATH": str(project), "WORKSPACE": str(project)}
        done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=project, env=environment)
        return set(re.findall(r"^\d_\w+", done.stdout, re.MULTILINE))

    assert asked() == set()
    edited = "lib/messages/projections.py"
    os.utime(project / edited)
    changed, remade = set(), set()
    for job in graph:
        if paths.ROOT / edited in code(job.stage) or changed & set(job.reads):
            changed |= set(job.outputs)
            remade.add(job.name)
    assert 0 < len(remade) < len(graph)
    assert asked() == remade
