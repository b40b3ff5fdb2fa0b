"""The closed-form pair force as numbers, and the inputs that symbolic regression sees, for any edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy

from lib.physics.bodies import Bodies
from lib.physics.laws import M1, M2, Q1, Q2, SOFTENING, S, get_law
from lib.runs import System


def input_names(dim: int) -> list[str]:
    """Names of an edge's inputs: separation, distance, masses, charges; 1 receives, 2 sends."""
    return [*("dx", "dy", "dz")[:dim], "r", "m1", "m2", "q1", "q2"]


@dataclass(frozen=True)
class Pairs:
    """Inputs of pairs of bodies, [..., dim+5], with their columns by name; what is assigned to a column changes the inputs."""

    inputs: np.ndarray

    @property
    def dim(self) -> int:
        """Components of the separation."""
        return self.inputs.shape[-1] - 5

    @property
    def separation(self) -> np.ndarray:
        """x1 - x2, [..., dim]."""
        return self.inputs[..., : self.dim]

    @property
    def r(self) -> np.ndarray:
        """Distances, [...]."""
        return self.inputs[..., -5]

    @property
    def m1(self) -> np.ndarray:
        """Masses of receivers, [...]."""
        return self.inputs[..., -4]

    @property
    def m2(self) -> np.ndarray:
        """Masses of senders, [...]."""
        return self.inputs[..., -3]

    @property
    def q1(self) -> np.ndarray:
        """Charges of receivers, [...]."""
        return self.inputs[..., -2]

    @property
    def q2(self) -> np.ndarray:
        """Charges of senders, [...]."""
        return self.inputs[..., -1]

    @property
    def line(self) -> np.ndarray:
        """Unit vectors from sender to receiver, [..., dim]."""
        return self.separation / self.r[..., None]


def edge_inputs(receiver: np.ndarray, sender: np.ndarray) -> np.ndarray:
    """Inputs [..., dim+5] of edges between bodies [..., 2*dim+2], in float64, in the order of `input_names`."""
    one, two = Bodies(receiver.astype(float)), Bodies(sender.astype(float))
    separation = one.position - two.position
    columns = [np.linalg.norm(separation, axis=-1), one.mass, two.mass, one.charge, two.charge]
    return np.concatenate([separation, np.stack(columns, axis=-1)], axis=-1)


def pair_inputs(system: System, bodies: np.ndarray) -> np.ndarray:
    """Inputs [graphs, edges, dim+5] of all pairs of bodies [graphs, n, 2*dim+2] under the system's law, one way and back."""
    i, j = get_law(system.law).pairs(bodies.shape[-2]).T
    receiver, sender = np.concatenate([i, j]), np.concatenate([j, i])
    return edge_inputs(bodies[:, receiver], bodies[:, sender])


@cache
def _radial(force: sympy.Expr) -> Callable[..., np.ndarray]:
    return sympy.lambdify((S, M1, M2, Q1, Q2), force, "numpy")


def pair_force(law_name: str, inputs: np.ndarray, softening: float = SOFTENING) -> np.ndarray:
    """Force on the receiver [..., dim] of edges with inputs [..., dim+5]: F(r + softening) (x1 - x2) / r."""
    pairs = Pairs(inputs)
    radial = _radial(get_law(law_name).force)(pairs.r + softening, pairs.m1, pairs.m2, pairs.q1, pairs.q2)
    return (radial / pairs.r)[..., None] * pairs.separation
