"""From messages in a liquid to one radial force: what holds between all pairs alike, in any direction.

The network's outputs are, to first order, y_i = C sum_j m_ij + c. So C m_ij is what one neighbour adds, and its
component along the line of centres is the force F(r), found without the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy
import torch
from scipy.optimize import brentq

from lib.distillation.expressions import evaluate
from lib.distillation.unexplained import INSIDE, OUTSIDE, unexplained
from lib.many_body import argon
from lib.messages.extraction import linear_fit
from lib.network.neighbourhoods import Neighbourhoods, NeighbourNetwork

NAMES = ["dx", "dy", "dz", "r"]
DIRECTIONS = 30
"""Directions in which the verdict evaluates a force, which must be the same in all of them."""


@dataclass(frozen=True)
class Separations:
    """Inputs of edges, [..., 4] in the order of `NAMES`, by name."""

    inputs: np.ndarray

    @property
    def separation(self) -> np.ndarray:
        """x1 - x2, [..., 3], Angstrom."""
        return self.inputs[..., :3]

    @property
    def r(self) -> np.ndarray:
        """Distances, [...], Angstrom."""
        return self.inputs[..., 3]


@torch.no_grad()
def contributions(model: NeighbourNetwork, batch: Neighbourhoods) -> np.ndarray:
    """What each edge adds to its receiver's output, [edges, outputs], to first order."""
    sent = model.messages(batch)[0]
    outputs = model.outputs(batch, sent).numpy().astype(float)
    index, messages = batch.index.numpy(), sent.numpy().astype(float)
    sums = np.zeros((len(outputs), messages.shape[1]))
    np.add.at(sums, index, messages)
    return messages @ linear_fit(sums, outputs).slope


def inputs(batch: Neighbourhoods) -> np.ndarray:
    """Separations and distances [edges, 4] of edges, in the order of `NAMES`."""
    separation = batch.edges.numpy().astype(float)
    return np.column_stack([separation, np.linalg.norm(separation, axis=1)])


def radial(forces: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Components [edges] of forces [edges, 3] along the line of centres of edges with inputs [edges, 4]."""
    pair = Separations(x)
    return (forces * pair.separation).sum(axis=1) / pair.r


def net_forces(expression: sympy.Expr, batch: Neighbourhoods) -> np.ndarray:
    """Net forces [receivers, 3] when an expression in `NAMES` is the force along each line of centres."""
    x, net = inputs(batch), np.zeros((len(batch.targets), 3))
    pair = Separations(x)
    np.add.at(net, batch.index.numpy(), (evaluate(expression, x, NAMES) / pair.r)[:, None] * pair.separation)
    return net


@dataclass(frozen=True)
class LiquidVerdict:
    """Whether an expression is the 6-12 force."""

    recovered: bool
    epsilon: float
    """kJ/mol: depth of the well, by integrating the expression."""
    sigma: float
    """Angstrom: where it changes sign, over 2^(1/6)."""
    inside: float
    """1 - R^2 against the 6-12 force of that epsilon and sigma, at distances like those of training."""
    outside: float
    """The same at pairs closer than all of them, down to 95% of the closest."""


def judge(expression: sympy.Expr, batch: Neighbourhoods) -> LiquidVerdict:
    """Whether an expression in `NAMES` is a 6-12 force, by numbers: in form, epsilon and sigma are its own."""
    x = inputs(batch)
    r = Separations(x).r
    closest = r.min()
    around = np.random.default_rng(0).standard_normal((DIRECTIONS, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)

    def in_all_directions(r: np.ndarray) -> np.ndarray:
        """At distances [distances], the force [distances, directions]."""
        edges = np.concatenate([r[:, None, None] * around, np.broadcast_to(r[:, None, None], (len(r), DIRECTIONS, 1))], axis=2)
        return evaluate(expression, edges.reshape(-1, 4), NAMES).reshape(len(r), DIRECTIONS)

    def force(r: np.ndarray) -> np.ndarray:
        return in_all_directions(r).mean(axis=1)

    grid = np.linspace(closest, argon.CUTOFF, 2_000)
    found = force(grid)
    falls = np.flatnonzero((found[:-1] > 0) & (found[1:] <= 0))
    if not np.isfinite(found).all() or not len(falls):
        return LiquidVerdict(False, np.nan, np.nan, np.inf, np.inf)
    rest = brentq(lambda r: float(force(np.array([r]))[0]), grid[falls[0]], grid[falls[0] + 1])
    sigma = rest / 2 ** (1 / 6)
    depth = -np.trapezoid(force(grid[grid > rest]), grid[grid > rest])
    # what the well still lacks at the cutoff
    epsilon = depth / (1 + argon.energy(argon.CUTOFF, 1.0, sigma))
    nearer = np.linspace(0.95 * closest, closest, 200)
    here, there = evaluate(expression, x, NAMES), in_all_directions(nearer)
    inside = unexplained(here, argon.radial_force(r, epsilon, sigma), here.mean())
    outside = unexplained(there, argon.radial_force(nearer, epsilon, sigma)[:, None], there.mean())
    return LiquidVerdict(inside < INSIDE and outside < OUTSIDE, float(epsilon), float(sigma), inside, outside)
