"""Engines: PySR's path up to where Julia is needed."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lib import engines, paths, pysr_search
from lib.errors import InputError


@pytest.fixture
def task(tmp_path):
    np.savez(tmp_path / "search.npz", x=np.zeros((5, 1)), y=np.zeros(5))
    (tmp_path / "search.json").write_text(json.dumps({"names": ["r"], "evaluations": 10, "seed": 0}))
    return tmp_path


@pytest.mark.skipif(shutil.which("julia") is not None, reason="there is a Julia here")
def test_without_julia_the_search_ends_in_one_line(task):
    call = [sys.executable, "-m", "lib.pysr_search", str(task)]
    ended = subprocess.run(call, cwd=paths.ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == pysr_search.NO_JULIA
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(shutil.which("julia") is not None, reason="there is a Julia here")
def test_without_julia_the_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(engines, "_install_pysr", lambda: None)
    with pytest.raises(InputError) as raised:
        engines.pysr(np.zeros((5, 1)), np.zeros(5), ["r"], 10, 0)
    assert "https://julialang.org/install" in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_what_cannot_be_installed_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(engines, "PYSR", "pysr<0")
    with pytest.raises(InputError, match=r"PySR could not be installed \(.*\): pip install 'pysr<0', or use engine operon"):
        engines._install_pysr()


def test_an_interrupted_search_leaves_its_hall_of_fame(tmp_path):
    path = tmp_path / "hall_of_fame.csv"
    with pytest.raises(KeyboardInterrupt):
        engines.hall_of_fame(path)
    path.write_text('Complexity,Loss,Equation\n1,0.5,"r"\n5,0.1,"(r * m1) / 2.0"\n')
    assert engines.hall_of_fame(path) == ["r", "(r * m1) / 2.0"]
