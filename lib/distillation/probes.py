"""Probes: noise-free edges on which potentials are judged, like those of training and beyond them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from lib.distillation import regions
from lib.messages.extraction import TRIM
from lib.physics.forces import Pairs, pair_force
from lib.physics.laws import get_law
from lib.runs import System

RECEIVERS = 40


@dataclass(frozen=True)
class Probe:
    """Noise-free edges: `RECEIVERS` receivers (mass, charge), each with the same senders."""

    inside: np.ndarray
    """[receivers, senders, dim+5]"""
    outside: np.ndarray
    """[receivers, senders, dim+5]"""


def probe(inputs: np.ndarray, seed: int = 0, senders: int = 500) -> Probe:
    """Edges to judge on, from the inputs [edges, dim+5] of edges like those of training.

    Outside, distances and masses begin where the training edges end, and charges are no longer units.
    """
    rng = np.random.default_rng(seed)
    training = Pairs(inputs)

    def crossed(masses: np.ndarray, charges: np.ndarray, edges: np.ndarray) -> np.ndarray:
        grid = Pairs(np.repeat(edges[None], len(masses), axis=0))
        grid.m1[:], grid.q1[:] = masses[:, None], charges[:, None]
        return grid.inputs

    chosen = Pairs(inputs[rng.choice(len(inputs), RECEIVERS, replace=False)])
    inside = crossed(chosen.m1, chosen.q1, inputs[rng.choice(len(inputs), senders)])

    low, high = np.quantile(training.m1, [0.001, 0.999])
    farthest = np.quantile(training.r, 0.999)

    def masses(count: int) -> np.ndarray:
        return np.where(rng.random(count) < 0.5, low * rng.uniform(0.2, 1, count), high * rng.uniform(1, 5, count))

    far = Pairs(np.ones((senders, inputs.shape[1])))
    direction = rng.standard_normal((senders, training.dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    far.r[:] = farthest * rng.uniform(1, 3, senders)
    far.separation[:] = direction * far.r[:, None]
    far.m2[:] = masses(senders)
    far.q2[:] = rng.uniform(-4, 4, senders)
    outside = crossed(masses(RECEIVERS), rng.uniform(-4, 4, RECEIVERS), far.inputs)
    return Probe(inside, outside)


@cache
def of_system(system: System) -> Probe:
    """The probe of a system, less its largest forces: of bodies that no data set holds, the same on every machine."""
    inputs = regions.drawn_pairs(get_law(system.law), regions.drawn_bodies(system))
    size = np.linalg.norm(pair_force(system.law, inputs), axis=1)
    return probe(inputs[size < np.quantile(size, TRIM)])
