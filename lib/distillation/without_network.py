"""The control: symbolic regression of accelerations from raw inputs, without a network."""

from __future__ import annotations

import threading

import numpy as np

from lib.distillation.expressions import evaluate, parse
from lib.distillation.regression import Front, regress
from lib.messages.extraction import OUTLIER_QUANTILE
from lib.physics.datasets import Trajectories
from lib.physics.forces import Pairs, edge_inputs, input_names


def raw_inputs(bodies: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Inputs [graphs, columns] for the acceleration of the first body of graphs [graphs, n, 2*dim+2], and their names.

    Its mass and charge, and separation, distance, mass and charge of each of the others, nearest first.
    """
    others = edge_inputs(bodies[:, :1].repeat(bodies.shape[1] - 1, axis=1), bodies[:, 1:])
    order = np.argsort(Pairs(others).r, axis=1)
    others = np.take_along_axis(others, order[..., None], axis=1)
    names = input_names(Pairs(others).dim)
    own = [names.index("m1"), names.index("q1")]
    theirs = [column for column in range(len(names)) if column not in own]
    columns = [others[:, 0, own], *(others[:, k, theirs] for k in range(others.shape[1]))]
    titles = [names[c] for c in own] + [f"{names[c].rstrip('2')}{k + 2}" for k in range(others.shape[1]) for c in theirs]
    return np.concatenate(columns, axis=1), titles


def search(
    trajectories: Trajectories, rows: int, evaluations: int, seed: int = 0, stop: threading.Event | None = None
) -> Front:
    """The front for the first component of the first body's acceleration, from so many rows without the largest."""
    bodies, accelerations = trajectories.graphs()
    usual = _usual(accelerations)
    chosen = np.random.default_rng(seed).choice(usual, min(rows, len(usual)), replace=False)
    x, names = raw_inputs(bodies[chosen])
    return regress(
        x, accelerations[chosen, 0, :1], names, evaluations=evaluations, seed=seed, purpose="without network", stop=stop
    )[0]


def unexplained(expression: str, trajectories: Trajectories) -> float:
    """Fraction of the variance of the first body's first acceleration that an expression leaves, without the largest."""
    bodies, accelerations = trajectories.graphs()
    usual = _usual(accelerations)
    x, names = raw_inputs(bodies[usual])
    target = accelerations[usual, 0, 0]
    return float(np.mean((evaluate(parse(expression, names), x, names) - target) ** 2) / target.var())


def _usual(accelerations: np.ndarray) -> np.ndarray:
    """Graphs [rows] without the largest accelerations [graphs, n, dim] of their first bodies."""
    size = np.linalg.norm(accelerations[:, 0], axis=-1)
    return np.flatnonzero(size < np.quantile(size, OUTLIER_QUANTILE))
