"""Engines: PySR's path up to where Julia is needed, and what an interrupted search leaves."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib import paths
from lib.distillation import engines, pysr_process
from lib.distillation.engines import Task
from lib.errors import InputError

without_julia = pytest.mark.skipif(
    shutil.which("julia") is not None or find_spec("pysr") is not None, reason="PySR or a Julia is here"
)


@pytest.fixture
def task(tmp_path):
    np.savez(tmp_path / "search.npz", x=np.zeros((5, 1)), y=np.zeros(5))
    (tmp_path / "search.json").write_text(json.dumps({"names": ["r"], "evaluations": 10, "seed": 0, "functions": []}))
    return tmp_path


@without_julia
def test_without_julia_the_search_ends_in_one_line(task):
    call = [sys.executable, "-m", "lib.distillation.pysr_process", str(task)]
    ended = subprocess.run(call, cwd=paths.ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == pysr_process.NO_JULIA
    assert len(ended.stderr.strip().splitlines()) == 1


@without_julia
def test_without_julia_the_engine_says_how_to_get_it():
    with pytest.raises(InputError) as raised:
        engines.pysr(Task(np.zeros((5, 1)), np.zeros(5), ["r"], 10, 0))
    assert "https://julialang.org/install" in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_a_missing_engine_says_how_to_install_it_and_installs_nothing(monkeypatch):
    calls = []

    def version(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(engines, "version", version)
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **_: calls.append(arguments))
    with pytest.raises(InputError) as raised:
        engines.get_engine("pysr")
    assert re.fullmatch(r"engine pysr is not installed: pip install 'pysr[<>=.,\d]+', or use engine operon", str(raised.value))
    assert not calls


class Searching:
    """Stands in for PySR's class where there is no Julia: tells of a parenthesis that SymPy's text would lose, or fails."""

    def __init__(self, **options):
        self.options = options

    def fit(self, x, y, variable_names):
        if self.options["max_evals"] == 0:
            raise RuntimeError("the first line\nand a trace of frames")
        self.equations_ = pd.DataFrame({"equation": ["r", "(r * -2.2) / (r * r)"]})


def test_a_search_leaves_the_engine_s_own_text(task):
    pysr_process._search(Searching, task)
    assert json.loads((task / "front.json").read_text()) == ["r", "(r * -2.2) / (r * r)"]


def test_a_failing_search_ends_in_one_line(task, monkeypatch, capsys):
    (task / "search.json").write_text(json.dumps({"names": ["r"], "evaluations": 0, "seed": 0, "functions": []}))
    monkeypatch.setitem(sys.modules, "pysr", SimpleNamespace(PySRRegressor=Searching))
    assert pysr_process.main(task) == 1
    assert capsys.readouterr().err == "RuntimeError: the first line\n"


def test_a_stopped_search_gives_its_hall_of_fame(tmp_path):
    path = tmp_path / "hall_of_fame.csv"
    with pytest.raises(KeyboardInterrupt):
        engines.hall_of_fame(path)
    path.write_text('Complexity,Loss,Equation\n1,0.5,"1.5"\n')
    assert engines.hall_of_fame(path) == ["1.5"]
    path.with_suffix(".csv.bak").write_text('Complexity,Loss,Equation\n1,0.5,"r"\n5,0.1,"(r * m1) / 2.0"\n')
    assert engines.hall_of_fame(path) == ["r", "(r * m1) / 2.0"]
    for broken in ("", "Complexity,Loss,Equation\n", 'Complexity,Loss,Equation\n1,0.5,"r'):
        path.with_suffix(".csv.bak").write_text(broken)
        assert engines.hall_of_fame(path) == ["1.5"]


def test_operon_repeats_itself_step_by_step():
    x = np.random.default_rng(0).uniform(1, 3, (200, 2))
    task = Task(x, np.sin(x[:, 0]) / x[:, 1], ["r", "m1"], evaluations=3 * engines.STEP, seed=5)
    first, again = engines.operon(task), engines.operon(task)
    assert first == again and len(first.candidates) > 3 and first.evaluations == task.evaluations


def test_operon_spends_what_it_is_given_and_tells_what_it_spent():
    x = np.random.default_rng(0).uniform(1, 3, (200, 2))
    task = Task(x, x[:, 0] / x[:, 1], ["r", "m1"], evaluations=3 * engines.STEP + 1, seed=0)
    assert engines.operon(task).evaluations == task.evaluations
    task.stop.set()
    stopped = engines.operon(task)
    assert stopped.evaluations == task.evaluations // 3 and stopped.candidates


def test_operon_writes_small_constants_in_full():
    x = np.random.default_rng(0).uniform(1, 3, (200, 1))
    found = engines.operon(Task(x, 1.2345e-12 * x[:, 0], ["r"], evaluations=1_000, seed=0))
    assert any(re.search(r"0\.0{8,}\d*[1-9]", text) for text in found.candidates)
