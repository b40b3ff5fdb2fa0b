"""The registry of engines of symbolic regression: from numbers to candidate expressions, as text."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import tomllib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

from lib import paths
from lib.distillation.pysr_process import NO_JULIA
from lib.errors import InputError
from lib.registry import Registry

OPERATORS = "add,sub,mul,div"
MAX_LENGTH = 30
STEP = 10_000
"""Evaluations after which Operon can be stopped: about a second, and no fewer than two generations take. From a
population without offspring Operon 0.6.2 does not go on, but ends the process."""
DECIMALS = 50
"""With which Operon writes a constant, never in scientific notation: its single precision ends at 1e-38."""

Candidates = list[str]


@dataclass(frozen=True, eq=False)
class Task:
    """One search."""

    x: np.ndarray
    """[rows, inputs]"""
    y: np.ndarray
    """[rows]"""
    names: list[str]
    """Of the inputs."""
    evaluations: int
    """Expressions that may be evaluated."""
    seed: int
    functions: Sequence[str] = ()
    """That may stand in expressions besides sums, products and quotients: `log`, `exp`, `sqrt`, or `pow` for any powers."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to end the search with what it has found."""


@dataclass(frozen=True)
class Found:
    """What an engine found."""

    candidates: Candidates
    """Expressions in the inputs' names, none too complex to read."""
    evaluations: int | None
    """Spent; None where a search that was stopped does not tell."""


Engine = Callable[[Task], Found]


def operon(task: Task) -> Found:
    """Operon's Pareto front of error and length, or what of it was found when it is stopped.

    One thread, so that a seed decides all; in steps, each from the population that the last one left.
    """
    from pyoperon.sklearn import SymbolicRegressor

    warnings.filterwarnings("ignore", "Model contains no variables")  # a constant is an answer
    steps = max(1, task.evaluations // STEP)
    regressor = SymbolicRegressor(
        allowed_symbols=",".join([OPERATORS, *task.functions, "constant", "variable"]),
        objectives=["mse", "length"],
        max_length=MAX_LENGTH,
        population_size=1000,
        pool_size=1000,
        generations=10_000,
        max_evaluations=math.ceil(task.evaluations / steps),
        optimizer_iterations=5,
        n_threads=1,
        warm_start=True,
    )
    done = 0
    for state in np.random.SeedSequence(task.seed).generate_state(steps):
        regressor.set_params(random_state=int(state)).fit(task.x, task.y)
        done += 1
        if task.stop.is_set():
            break
    texts = [regressor.get_model_string(entry["tree"], DECIMALS, task.names) for entry in regressor.pareto_front_]
    return Found(texts, task.evaluations * done // steps)


def pysr(task: Task) -> Found:
    """PySR's hall of fame, from a process of its own; a search that is stopped gives what it had found.

    Raises `InputError` where Julia cannot be had, `KeyboardInterrupt` if it is stopped with nothing found.
    """
    with tempfile.TemporaryDirectory() as name, Path(name, "stderr").open("w+") as stderr:
        folder = Path(name)
        np.savez(folder / "search.npz", x=task.x, y=task.y)
        options = {"names": task.names, "evaluations": task.evaluations, "seed": task.seed, "functions": list(task.functions)}
        (folder / "search.json").write_text(json.dumps(options))
        environment = os.environ | {"PYTHONPATH": str(paths.ROOT), "PYTHON_JULIACALL_THREADS": "1"}
        call = [sys.executable, "-P", "-m", "lib.distillation.pysr_process", name]
        search = subprocess.Popen(
            call, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, text=True, env=environment
        )
        try:
            while search.poll() is None and not task.stop.wait(1.0):
                pass
        finally:
            search.kill()
            search.wait()
        front = folder / "front.json"
        if task.stop.is_set() and not front.exists():
            return Found(hall_of_fame(folder / "search" / "hall_of_fame.csv"), None)
        stderr.seek(0)
        lines = stderr.read().strip().splitlines() or ["without a message"]
        if search.returncode == NO_JULIA:
            raise InputError(
                f"PySR could not start ({lines[-1]}): it fetches Julia at its first use, or takes one that is installed, "
                "see https://julialang.org/install; or use engine operon"
            )
        if search.returncode != 0:
            raise InputError(f"PySR failed with status {search.returncode} ({lines[-1]})")
        return Found(json.loads(front.read_text()), task.evaluations)


def hall_of_fame(path: Path) -> Candidates:
    """Equations of the file that PySR keeps while it searches, or of its copy; `KeyboardInterrupt` if there is none yet."""
    # one of them is complete, the other may be being written: its last line has no end
    for file in (path.with_suffix(".csv.bak"), path):
        if file.exists() and (text := file.read_text(encoding="utf-8")).endswith("\n") and text.count("\n") > 1:
            return pd.read_csv(io.StringIO(text), dtype={"Equation": str})["Equation"].tolist()
    raise KeyboardInterrupt


ENGINES: Registry[tuple[Engine, str]] = Registry("engine", {"operon": (operon, "pyoperon"), "pysr": (pysr, "pysr")})
"""Each with the package that it needs, whose version it goes by."""


def get_engine(name: str) -> Engine:
    """The registered engine of that name; `InputError` with the valid names otherwise, or how to install what it needs."""
    engine, package = ENGINES.find(name)
    try:
        version(package)
    except PackageNotFoundError:
        extras = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
        wanted = " ".join(f"'{requirement}'" for requirement in extras.get(name, [package]))
        raise InputError(f"engine {name} is not installed: pip install {wanted}, or use engine operon") from None
    return engine


def describe(name: str) -> str:
    """An engine with its version."""
    return f"{name} {version(ENGINES[name][1])}"
