"""The registry of engines of symbolic regression: from numbers to candidate expressions, as text."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from lib import paths
from lib.errors import InputError
from lib.pysr_search import NO_JULIA

OPERATORS = "add,sub,mul,div"
MAX_LENGTH = 30
PYSR = "pysr>=1.5,<3"

Candidates = list[str]
Engine = Callable[[np.ndarray, np.ndarray, list[str], int, int, Sequence[str]], Candidates]
"""engine(x [rows, inputs], y [rows], names, evaluations, seed, functions): expressions in the names, none too complex
to read, of sums, products, quotients and the functions named: `log`, `exp`, `sqrt`, or `pow` for any powers."""


def operon(
    x: np.ndarray, y: np.ndarray, names: list[str], evaluations: int, seed: int, functions: Sequence[str] = ()
) -> Candidates:
    """Operon's Pareto front of error and length; one thread, so that a seed decides all."""
    from pyoperon.sklearn import SymbolicRegressor

    regressor = SymbolicRegressor(
        allowed_symbols=",".join([OPERATORS, *functions, "constant", "variable"]),
        objectives=["mse", "length"],
        max_length=MAX_LENGTH,
        population_size=1000,
        pool_size=1000,
        generations=10_000,
        max_evaluations=evaluations,
        optimizer_iterations=5,
        n_threads=1,
        random_state=seed,
    )
    regressor.fit(x, y)
    return [regressor.get_model_string(entry["tree"], 8, names) for entry in regressor.pareto_front_]


def pysr(
    x: np.ndarray, y: np.ndarray, names: list[str], evaluations: int, seed: int, functions: Sequence[str] = ()
) -> Candidates:
    """PySR's hall of fame, from a process of its own; an interrupted search gives what it had found.

    Raises `InputError` where PySR or its Julia cannot be had.
    """
    _install_pysr()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "search.npz", x=x, y=y)
        task = {"names": names, "evaluations": evaluations, "seed": seed, "functions": list(functions)}
        (folder / "search.json").write_text(json.dumps(task))
        environment = os.environ | {"PYTHONPATH": str(paths.ROOT)}
        call = [sys.executable, "-m", "lib.pysr_search", name]
        search = subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
        try:
            _, words = search.communicate()
        except KeyboardInterrupt:
            search.terminate()
            search.wait()
            return hall_of_fame(folder / "search" / "hall_of_fame.csv")
        last = (words.strip().splitlines() or ["nothing said"])[-1]
        if search.returncode == NO_JULIA:
            raise InputError(
                f"PySR found no Julia ({last}): install it from https://julialang.org/install, or use engine operon"
            )
        if search.returncode != 0:
            raise InputError(f"PySR failed ({last})")
        return json.loads((folder / "front.json").read_text())


def hall_of_fame(path: Path) -> Candidates:
    """Equations of the file that PySR keeps while it searches; `KeyboardInterrupt` if it has none yet."""
    if not path.exists():
        raise KeyboardInterrupt
    return pd.read_csv(path)["Equation"].tolist()


def _install_pysr() -> None:
    """Install PySR, where it is missing, into the environment that runs."""
    if importlib.util.find_spec("pysr"):
        return
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYSR]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise InputError(f"PySR could not be installed ({last}): pip install '{PYSR}', or use engine operon")
    importlib.invalidate_caches()


ENGINES: dict[str, tuple[Engine, str]] = {"operon": (operon, "pyoperon"), "pysr": (pysr, "pysr")}
"""Each with the package whose version it goes by."""


def get_engine(name: str) -> Engine:
    """The registered engine of that name; `InputError` with the valid names otherwise."""
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}: choose one of {', '.join(ENGINES)}")
    return ENGINES[name][0]


def describe(name: str) -> str:
    """An engine with its version."""
    return f"{name} {version(ENGINES[name][1])}"
