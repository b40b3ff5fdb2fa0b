"""The registry of initializations, which a recipe names."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from lib.network.models import GraphNetwork
from lib.registry import Registry

FINEST = 40.0
"""Largest scale of a unit's weights, relative to PyTorch's default."""


@torch.no_grad()
def separations(model: GraphNetwork) -> None:
    """First layers that depend on separations, on every scale, and on neither positions nor velocities.

    The weights of the sender's position are minus those of the receiver's, each hidden unit with a
    scale drawn log-uniformly from 1 to `FINEST`; weights of velocities, and of the node's own position,
    are zero. All of them are trained: where a law asks for more, it is learned.
    """
    dim = model.dim
    edge, node = model.edge.first.weight, model.node.first.weight
    scale = torch.exp(math.log(FINEST) * torch.rand(len(edge), 1))
    receiver, sender = edge[:, : 2 * dim + 2], edge[:, 2 * dim + 2 :]
    receiver[:, :dim] *= scale
    sender[:, :dim] = -receiver[:, :dim]
    receiver[:, dim : 2 * dim] = sender[:, dim : 2 * dim] = node[:, : 2 * dim] = 0


def uniform(model: GraphNetwork) -> None:
    """PyTorch's default, in which the network is built: uniform in +- 1/sqrt(inputs)."""


INITIALIZATIONS: Registry[Callable[[GraphNetwork], None]] = Registry(
    "initialization", {"separations": separations, "uniform": uniform}
)

get_initialization = INITIALIZATIONS.find
