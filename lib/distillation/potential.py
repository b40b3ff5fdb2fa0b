"""From a Hamiltonian network's pair energies to the potential, and the verdict on it.

Accelerations fix the energy of a pair only up to functions of charges, masses and momenta, and up to what the bodies'
own energies make up for, u(v_i) + u(v_j). So energies are given relative to those of the same two bodies at distance
`REFERENCE`, which removes all of it but a u of the position; and a network that is trained on graphs shifted at random
learns nothing of positions.

    E(v_i, v_j) - E(v_i, v_j at distance 1) = V(r) - V(1)

No scale is free, unlike in messages: the network divides by the masses itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import sympy
import torch

from lib.distillation.expressions import evaluate, parse
from lib.distillation.probes import Probe
from lib.distillation.unexplained import unexplained
from lib.errors import InputError
from lib.messages.extraction import CLOSE_PAIR_QUANTILE, inliers
from lib.network.hamiltonian import HamiltonianNetwork
from lib.network.models import PART
from lib.physics.datasets import Trajectories
from lib.physics.forces import Pairs, input_names, pair_inputs
from lib.physics.laws import M1, M2, Q1, Q2, SOFTENING, S, get_law
from lib.runs import System

REFERENCE = 1.0
"""Distance at which every energy is zero."""
SCALE = 0.05
"""How far the best factor on the true potential may be from 1."""
SOFTENINGS = (0.01, 0.0, 0.005, 0.015, 0.02)
"""Forms of the potential that count: softened as simulated, bare, and as an engine may fit the softening."""
LEFT = 1e-3
"""Fraction of its variance that the potential may leave unexplained, in and out of distribution: outside a tenth of a force's,
as no gauge is fitted. Potentials leave 2e-5 at most, products of logarithms that stand in for 1/r leave 6e-3."""


def of_law(law_name: str, softening: float = SOFTENING) -> sympy.Expr:
    """The law's potential in distance s less the softening, masses and charges: V = -integral of F ds, V(1) = 0.

    `InputError` for a law whose pairs do not act alike on each other.
    """
    force = get_law(law_name).force
    if sympy.simplify(force - force.subs({M1: M2, M2: M1, Q1: Q2, Q2: Q1}, simultaneous=True)) != 0:
        raise InputError(f"{law_name} has no potential: its pairs do not act alike on each other")
    antiderivative = sympy.integrate(force, S)
    return antiderivative.subs(S, REFERENCE + softening) - antiderivative.subs(S, S + softening)


def of_pairs(law_name: str, inputs: np.ndarray, softening: float = SOFTENING) -> np.ndarray:
    """V(r) - V(1) [...] of edges with inputs [..., dim+5]."""
    pairs = Pairs(inputs)
    potential = sympy.lambdify((S, M1, M2, Q1, Q2), of_law(law_name, softening), "numpy")
    return potential(pairs.r, pairs.m1, pairs.m2, pairs.q1, pairs.q2)


@torch.no_grad()
def energies(model: HamiltonianNetwork, system: System, trajectories: Trajectories) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [pairs, dim+5] of all pairs of all snapshots, and the network's energies of them [pairs], zero at `REFERENCE`."""
    bodies, dim = trajectories.graphs()[0], system.dim
    i, j = get_law(system.law).pairs(bodies.shape[-2]).T
    inputs = pair_inputs(system, bodies)[:, : len(i)].reshape(-1, dim + 5)
    one, other = (bodies[:, k].reshape(-1, bodies.shape[-1]) for k in (i, j))
    near = other.copy()
    near[:, :dim] = one[:, :dim] - REFERENCE * Pairs(inputs).line

    def energy(sender: np.ndarray) -> np.ndarray:
        parts = zip(torch.as_tensor(one).split(PART), torch.as_tensor(sender).split(PART), strict=True)
        return np.concatenate([model.energy(*part).numpy() for part in parts])

    return inputs, (energy(other) - energy(near)).astype(float)


def typical(inputs: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Which pairs [pairs] have neither an outlying energy nor one of the shortest distances: chosen without the truth."""
    distance = Pairs(inputs).r
    return inliers(energy[:, None]) & (distance > np.quantile(distance, CLOSE_PAIR_QUANTILE))


@dataclass(frozen=True)
class PotentialVerdict:
    """Whether the potential is recovered from a front."""

    recovered: bool
    expression: str
    """The simplest that is the potential, or the engine's choice."""
    rank: int
    """Its row on the front, from 0."""
    scale: float
    """Factor on the true potential that fits it best; 1 for the potential itself."""
    inside: float
    """1 - R^2 on noise-free edges like those of training."""
    outside: float
    """The same on edges beyond them."""


def judge(front: pd.DataFrame, system: System, probe: Probe) -> PotentialVerdict:
    """The verdict on a front of pair energies.

    An expression is the potential when, relative to its own value at distance 1, a multiple of the true one, by a
    factor within `SCALE` of 1, leaves less than `LEFT` of its variance unexplained, like training and
    beyond it.
    """
    found = [_match(text, system, probe) for text in front["expression"]]
    accepted = [k for k, (scale, inside, outside) in enumerate(found) if abs(scale - 1) < SCALE and max(inside, outside) < LEFT]
    rank = accepted[0] if accepted else int(np.argmax(front["chosen"]))
    return PotentialVerdict(bool(accepted), str(front["expression"][rank]), rank, *found[rank])


def _match(text: str, system: System, probe: Probe) -> tuple[float, float, float]:
    """Scale, and what is left unexplained inside and outside, under the softening that fits best."""
    names = input_names(system.dim)
    expression = parse(text, names)

    def relative(inputs: np.ndarray) -> np.ndarray:
        near = Pairs(inputs.copy())
        near.separation[:] *= REFERENCE / near.r[:, None]
        near.r[:] = REFERENCE
        return evaluate(expression, inputs, names) - evaluate(expression, near.inputs, names)

    inside, outside = (edges.reshape(-1, edges.shape[-1]) for edges in (probe.inside, probe.outside))
    found, found_outside = relative(inside), relative(outside)
    if not np.isfinite(found).all() or not np.isfinite(found_outside).all():
        return 0.0, np.inf, np.inf
    tries = []
    for softening in SOFTENINGS:
        true, beyond = of_pairs(system.law, inside, softening), of_pairs(system.law, outside, softening)
        scale = float(found @ true / (true @ true))
        left = unexplained(found, scale * true, found.mean()), unexplained(found_outside, scale * beyond, found_outside.mean())
        tries.append((scale, *left))
    return min(tries, key=lambda tried: tried[1])
