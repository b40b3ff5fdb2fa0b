"""Engines: PySR's path up to where Julia is needed, and what an interrupted search leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib import paths
from lib.distillation import engines, pysr_process, regression
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
def test_without_julia_the_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(engines, "_install_pysr", lambda: None)
    with pytest.raises(InputError) as raised:
        engines.pysr(np.zeros((5, 1)), np.zeros(5), ["r"], 10, 0)
    assert "https://julialang.org/install" in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_what_cannot_be_installed_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(engines, "_installed", lambda package: False)
    monkeypatch.setattr(engines, "PYSR", "pysr<0")
    with pytest.raises(InputError, match=r"PySR could not be installed \(.*\): pip install 'pysr<0', or use engine operon"):
        engines._install_pysr()


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


@contextmanager
def interrupt(after):
    """Interrupts this process, which heeds it, so many seconds later."""
    # whoever started the tests may have had interrupts ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = threading.Timer(after, os.kill, [os.getpid(), signal.SIGINT])
    stop.start()
    try:
        yield
    finally:
        stop.cancel()
        signal.signal(signal.SIGINT, before)


def test_an_interrupted_regression_keeps_what_its_engine_has_found(monkeypatch):
    def patient(x, y, names, evaluations, seed, functions):
        assert engines.STOPPED.wait(60)
        return ["r", "r**2"]

    monkeypatch.setitem(engines.ENGINES, "patient", (patient, "numpy"))
    x = np.linspace(1, 2, 20)[:, None]
    with interrupt(0.5):
        fronts = regression.regress(x, np.hstack([x**2, x]), ["r"], evaluations=1, engine="patient")
    assert [front.table["expression"].iloc[-1] for front in fronts] == ["r**2", "r"]


def test_operon_is_stopped_within_a_search():
    x = np.random.default_rng(0).uniform(1, 3, (200, 2))
    with interrupt(2.0):
        (front,) = regression.regress(x, x[:, :1] ** 2 / x[:, 1:], ["r", "m1"], evaluations=10**9)
    assert front.seconds < 60
    assert front.table["loss"].min() < 1e-6


def test_operon_repeats_itself_step_by_step():
    x = np.random.default_rng(0).uniform(1, 3, (200, 2))
    search = {"evaluations": 3 * engines.STEP, "seed": 5, "functions": ()}
    first, again = (engines.operon(x, np.sin(x[:, 0]) / x[:, 1], ["r", "m1"], **search) for _ in range(2))
    assert first == again and len(first) > 3
