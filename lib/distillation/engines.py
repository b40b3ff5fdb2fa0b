"""The registry of engines of symbolic regression: from numbers to candidate expressions, as text."""

from __future__ import annotations

import importlib
import io
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from lib import paths
from lib.distillation.pysr_process import NO_JULIA
from lib.errors import InputError
from lib.registry import Registry

log = logging.getLogger(__name__)

OPERATORS = "add,sub,mul,div"
MAX_LENGTH = 30
STEP = 10_000
"""Evaluations after which Operon can be stopped: about a second."""
PYSR = "pysr>=1.5,<3"
STOPPED = threading.Event()
"""Set to end searches under way with what they have found."""

Candidates = list[str]
Engine = Callable[[np.ndarray, np.ndarray, list[str], int, int, Sequence[str]], Candidates]
"""engine(x [rows, inputs], y [rows], names, evaluations, seed, functions): expressions in the names, none too complex
to read, of sums, products, quotients and the functions named: `log`, `exp`, `sqrt`, or `pow` for any powers."""


def operon(
    x: np.ndarray, y: np.ndarray, names: list[str], evaluations: int, seed: int, functions: Sequence[str] = ()
) -> Candidates:
    """Operon's Pareto front of error and length, or what of it was found when it is stopped.

    One thread, so that a seed decides all; in steps, each from the population that the last one left.
    """
    from pyoperon.sklearn import SymbolicRegressor

    warnings.filterwarnings("ignore", "Model contains no variables")  # a constant is an answer
    regressor = SymbolicRegressor(
        allowed_symbols=",".join([OPERATORS, *functions, "constant", "variable"]),
        objectives=["mse", "length"],
        max_length=MAX_LENGTH,
        population_size=1000,
        pool_size=1000,
        generations=10_000,
        max_evaluations=min(STEP, evaluations),
        optimizer_iterations=5,
        n_threads=1,
        warm_start=True,
    )
    for state in np.random.SeedSequence(seed).generate_state(math.ceil(evaluations / STEP)):
        regressor.set_params(random_state=int(state)).fit(x, y)
        if STOPPED.is_set():
            break
    return [regressor.get_model_string(entry["tree"], 8, names) for entry in regressor.pareto_front_]


def pysr(
    x: np.ndarray, y: np.ndarray, names: list[str], evaluations: int, seed: int, functions: Sequence[str] = ()
) -> Candidates:
    """PySR's hall of fame, from a process of its own; a search that is stopped gives what it had found.

    Raises `InputError` where PySR or its Julia cannot be had, `KeyboardInterrupt` if it is stopped with nothing found.
    """
    _install_pysr()
    with tempfile.TemporaryDirectory() as name, Path(name, "words").open("w+") as words:
        folder = Path(name)
        np.savez(folder / "search.npz", x=x, y=y)
        task = {"names": names, "evaluations": evaluations, "seed": seed, "functions": list(functions)}
        (folder / "search.json").write_text(json.dumps(task))
        environment = os.environ | {"PYTHONPATH": str(paths.ROOT), "PYTHON_JULIACALL_THREADS": "1"}
        call = [sys.executable, "-P", "-m", "lib.distillation.pysr_process", name]
        search = subprocess.Popen(
            call, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, text=True, env=environment
        )
        while search.poll() is None:
            if STOPPED.wait(1.0):
                search.kill()
                search.wait()
        if STOPPED.is_set():
            return hall_of_fame(folder / "search" / "hall_of_fame.csv")
        words.seek(0)
        said = words.read().strip().splitlines() or ["nothing said"]
        if search.returncode == NO_JULIA:
            raise InputError(
                f"PySR could not start ({said[-1]}): it fetches Julia at its first use, or takes one that is installed, "
                "see https://julialang.org/install; or use engine operon"
            )
        if search.returncode != 0:
            raise InputError(f"PySR failed with status {search.returncode} ({said[-1]})")
        return json.loads((folder / "front.json").read_text())


def hall_of_fame(path: Path) -> Candidates:
    """Equations of the file that PySR keeps while it searches, or of its copy; `KeyboardInterrupt` if there is none yet."""
    # one of them is whole, the other may be under way: its last line has no end
    for file in (path.with_suffix(".csv.bak"), path):
        if file.exists() and (text := file.read_text(encoding="utf-8")).endswith("\n") and text.count("\n") > 1:
            return pd.read_csv(io.StringIO(text), dtype={"Equation": str})["Equation"].tolist()
    raise KeyboardInterrupt


def _installed(package: str) -> bool:
    # by its metadata, which pip writes last
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _install_pysr() -> None:
    """Install PySR, where it is missing, into the environment that runs, whose other packages stay as they are."""
    if _installed("pysr"):
        return
    with FileLock(Path(sys.prefix) / "pysr.lock"):
        if _installed("pysr"):
            return
        log.warning("installing PySR; at its first search it fetches Julia too, which takes minutes, once")
        kept = [f"{package}=={version(package)}" for package in ("numpy", "pandas", "scikit-learn", "sympy", "filelock")]
        call = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYSR, *kept]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
            raise InputError(f"PySR could not be installed ({last}): pip install '{PYSR}', or use engine operon")
        importlib.invalidate_caches()


ENGINES: Registry[tuple[Engine, str]] = Registry("engine", {"operon": (operon, "pyoperon"), "pysr": (pysr, "pysr")})
"""Each with the package whose version it goes by."""


def get_engine(name: str) -> Engine:
    """The registered engine of that name; `InputError` with the valid names otherwise."""
    return ENGINES.find(name)[0]


def describe(name: str) -> str:
    """An engine with its version."""
    return f"{name} {version(ENGINES[name][1])}"
