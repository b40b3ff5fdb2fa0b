"""The closed-form pair force as numbers, and the inputs that symbolic regression sees, for any edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import sympy

from lib.physics.laws import M1, M2, Q1, Q2, SOFTENING, S, get_law
from lib.runs import System


def input_names(dim: int) -> list[str]:
    """Names of an edge's inputs: separation, distance, masses, charges; 1 receives, 2 sends."""
    return [*("dx", "dy", "dz")[:dim], "r", "m1", "m2", "q1", "q2"]


def edge_inputs(receiver: np.ndarray, sender: np.ndarray) -> np.ndarray:
    """Inputs [..., dim+5] of edges between bodies [..., 2*dim+2], in float64, in the order of `input_names`."""
    receiver, sender = receiver.astype(float), sender.astype(float)
    dim = receiver.shape[-1] // 2 - 1
    separation = receiver[..., :dim] - sender[..., :dim]
    distance = np.linalg.norm(separation, axis=-1)
    columns = [distance, receiver[..., -1], sender[..., -1], receiver[..., -2], sender[..., -2]]
    return np.concatenate([separation, np.stack(columns, axis=-1)], axis=-1)


def pair_inputs(system: System, bodies: np.ndarray) -> np.ndarray:
    """Inputs [graphs, edges, dim+5] of all pairs of bodies [graphs, n, 2*dim+2] under the system's law, one way and back."""
    i, j = get_law(system.law).pairs(bodies.shape[-2]).T
    receiver, sender = np.concatenate([i, j]), np.concatenate([j, i])
    return edge_inputs(bodies[:, receiver], bodies[:, sender])


@cache
def _radial(law_name: str) -> Callable[..., np.ndarray]:
    return sympy.lambdify((S, M1, M2, Q1, Q2), get_law(law_name).force, "numpy")


def pair_force(law_name: str, inputs: np.ndarray, softening: float = SOFTENING) -> np.ndarray:
    """Force on the receiver [..., dim] of edges with inputs [..., dim+5]: F(r + softening) (x1 - x2) / r."""
    separation, (r, m1, m2, q1, q2) = inputs[..., :-5], np.moveaxis(inputs[..., -5:], -1, 0)
    radial = _radial(law_name)(r + softening, m1, m2, q1, q2)
    return (radial / r)[..., None] * separation
