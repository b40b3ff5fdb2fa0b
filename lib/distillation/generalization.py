"""Accelerations judged beyond what a network was trained on: more bodies, other distances, other masses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.distillation.closed_form import relative_error
from lib.physics.bodies import Bodies
from lib.physics.datasets import Trajectories
from lib.physics.simulate import accelerations, initial_bodies
from lib.runs import System

GRAPHS = 2_000
MORE, FARTHER, HEAVIER = 8, 3.0, 10.0

Predict = Callable[[np.ndarray], np.ndarray]
"""Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2]."""


def settings(system: System, test: Trajectories, seed: int = 0) -> dict[str, np.ndarray]:
    """Bodies [graphs, n, 2*dim+2] like those of training, and in ways unlike them."""
    usual = test.sample(GRAPHS).graphs()[0]
    far, heavy = usual.copy(), usual.copy()
    Bodies(far).position[:] *= FARTHER
    Bodies(heavy).mass[:] *= HEAVIER
    more = initial_bodies(system.law, GRAPHS, MORE, system.dim, seed, stream=9).astype(np.float32)
    return {
        "as in training": usual,
        f"{MORE} bodies": more,
        f"distances x {FARTHER:g}": far,
        f"masses x {HEAVIER:g}": heavy,
    }


def compare(system: System, models: dict[str, Predict], sets: dict[str, np.ndarray]) -> pd.DataFrame:
    """Relative error of each model in each setting: mean over bodies of |error|_1 / (1 + |a|)."""
    rows = {}
    for name, bodies in sets.items():
        true = accelerations(system.law, bodies)
        rows[name] = {model: relative_error(predict(bodies), true) for model, predict in models.items()}
    return pd.DataFrame(rows).T
