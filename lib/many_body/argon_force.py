"""From messages in a liquid to one radial force: what holds between all pairs alike, in any direction.

The network's outputs are, to first order, y_i = C sum_j m_ij + c. So C m_ij is what one neighbour adds, and its part
along the line of centres is the force F(r): no truth is needed to read it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import sympy
import torch
from scipy.optimize import brentq

from lib.distillation import refit
from lib.distillation.expressions import evaluate, parse
from lib.distillation.matching import INSIDE, OUTSIDE, unexplained
from lib.distillation.refit import Function
from lib.many_body import argon
from lib.many_body.neighbourhoods import Neighbourhoods, NeighbourNetwork
from lib.messages.extraction import linear_fit

NAMES = ["dx", "dy", "dz", "r"]
DIRECTIONS = 30
"""In which the verdict looks, since the force must be the same in all of them."""


@torch.no_grad()
def shares(model: NeighbourNetwork, seen: Neighbourhoods) -> np.ndarray:
    """What each edge adds to its receiver's output, [edges, outputs], as the node network reads it to first order."""
    sent = model.messages(seen.edges)[0]
    outputs = model.outputs(seen, sent).numpy().astype(float)
    index, messages = seen.index.numpy(), sent.numpy().astype(float)
    sums = np.zeros((len(outputs), messages.shape[1]))
    np.add.at(sums, index, messages)
    return messages @ linear_fit(sums, outputs).slope


def inputs(seen: Neighbourhoods) -> np.ndarray:
    """Separations and distances [edges, 4] of edges, in the order of `NAMES`."""
    apart = seen.edges.numpy().astype(float)
    return np.column_stack([apart, np.linalg.norm(apart, axis=1)])


def along(forces: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Parts [edges] of forces [edges, 3] along the line of centres of edges with inputs [edges, 4]."""
    return (forces * x[:, :3]).sum(axis=1) / x[:, 3]


def summed(expression: sympy.Expr, seen: Neighbourhoods) -> np.ndarray:
    """Net forces [receivers, 3] when an expression in `NAMES` is the force along each line of centres."""
    x = inputs(seen)
    net = np.zeros((len(seen.targets), 3))
    np.add.at(net, seen.index.numpy(), (evaluate(expression, x, NAMES) / x[:, 3])[:, None] * x[:, :3])
    return net


def refitted(expression: sympy.Expr, seen: Neighbourhoods) -> sympy.Expr:
    """The expression with its constants fitted once more, to net forces."""
    x, targets, index = inputs(seen), seen.targets.numpy().astype(float), seen.index.numpy()

    def residual(force: Function) -> np.ndarray:
        net = np.zeros_like(targets)
        np.add.at(net, index, np.nan_to_num(force(*x.T) / x[:, 3], posinf=1e6, neginf=-1e6)[:, None] * x[:, :3])
        return net - targets

    return refit.refitted([expression], [NAMES], residual, scale=0.1)[0]


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


def judge(expression: sympy.Expr, seen: Neighbourhoods) -> LiquidVerdict:
    """Whether an expression in `NAMES` is a 6-12 force, by numbers: in form, epsilon and sigma are its own."""
    x = inputs(seen)
    closest = x[:, 3].min()
    around = np.random.default_rng(0).standard_normal((DIRECTIONS, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)

    def every_way(r: np.ndarray) -> np.ndarray:
        """At distances [distances], in all directions, [distances, directions]."""
        edges = np.concatenate([r[:, None, None] * around, np.broadcast_to(r[:, None, None], (len(r), DIRECTIONS, 1))], axis=2)
        return evaluate(expression, edges.reshape(-1, 4), NAMES).reshape(len(r), DIRECTIONS)

    def force(r: np.ndarray) -> np.ndarray:
        return every_way(r).mean(axis=1)

    grid = np.linspace(closest, argon.CUTOFF, 2_000)
    said = force(grid)
    falls = np.flatnonzero((said[:-1] > 0) & (said[1:] <= 0))
    if not np.isfinite(said).all() or not len(falls):
        return LiquidVerdict(False, np.nan, np.nan, np.inf, np.inf)
    rest = brentq(lambda r: float(force(np.array([r]))[0]), grid[falls[0]], grid[falls[0] + 1])
    sigma = rest / 2 ** (1 / 6)
    depth = -np.trapezoid(force(grid[grid > rest]), grid[grid > rest])
    # what the well still lacks at the cutoff
    epsilon = depth / (1 + argon.energy(argon.CUTOFF, 1.0, sigma))
    nearer = np.linspace(0.95 * closest, closest, 200)
    here, there = evaluate(expression, x, NAMES), every_way(nearer)
    inside = unexplained(here, argon.pull(x[:, 3], epsilon, sigma), here.mean())
    outside = unexplained(there, argon.pull(nearer, epsilon, sigma)[:, None], there.mean())
    return LiquidVerdict(inside < INSIDE and outside < OUTSIDE, float(epsilon), float(sigma), inside, outside)


def simplest_law(front: pd.DataFrame, seen: Neighbourhoods) -> tuple[sympy.Expr, LiquidVerdict]:
    """The simplest expression of a front that, refitted, is a 6-12 force; the engine's choice if there is none."""
    tried = [parse(text, NAMES) for text in front["expression"]]
    for expression in tried:
        if expression.has(sympy.Symbol("r", real=True)) and expression.atoms(sympy.Float):
            fitted = refitted(expression, seen)
            verdict = judge(fitted, seen)
            if verdict.recovered:
                return fitted, verdict
    fitted = refitted(tried[int(np.argmax(front["chosen"]))], seen)
    return fitted, judge(fitted, seen)
