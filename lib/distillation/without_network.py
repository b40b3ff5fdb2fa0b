"""The control: symbolic regression of accelerations from raw inputs, without a network."""

from __future__ import annotations

import numpy as np

from lib.distillation.regression import Front, regress
from lib.messages.extraction import OUTLIER_QUANTILE
from lib.physics.datasets import Trajectories
from lib.physics.forces import edge_inputs, input_names


def raw_inputs(bodies: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """What decides the acceleration of the first body of graphs [graphs, n, 2*dim+2], and the names of the columns.

    Its mass and charge, and separation, distance, mass and charge of each of the others, nearest first.
    """
    dim = bodies.shape[-1] // 2 - 1
    others = edge_inputs(bodies[:, :1].repeat(bodies.shape[1] - 1, axis=1), bodies[:, 1:])
    order = np.argsort(others[..., dim], axis=1)
    others = np.take_along_axis(others, order[..., None], axis=1)
    own, theirs = [dim + 1, dim + 3], [*range(dim + 1), dim + 2, dim + 4]
    names = input_names(dim)
    columns = [others[:, 0, own], *(others[:, k, theirs] for k in range(others.shape[1]))]
    titles = [names[c] for c in own] + [f"{names[c].rstrip('2')}{k + 2}" for k in range(others.shape[1]) for c in theirs]
    return np.concatenate(columns, axis=1), titles


def search(trajectories: Trajectories, rows: int, evaluations: int, seed: int = 0) -> Front:
    """The front for the first component of the acceleration, from as many rows and evaluations as a message gets."""
    bodies, accelerations = trajectories.graphs()
    size = np.linalg.norm(accelerations[:, 0], axis=-1)
    usual = np.flatnonzero(size < np.quantile(size, OUTLIER_QUANTILE))
    chosen = np.random.default_rng(seed).choice(usual, min(rows, len(usual)), replace=False)
    x, names = raw_inputs(bodies[chosen])
    return regress(x, accelerations[chosen, 0, :1], names, evaluations=evaluations, seed=seed, purpose="without network")[0]
