"""Where weights begin: the registry of a recipe's `start`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from lib.network.models import GraphNetwork
from lib.registry import Registry

FINEST = 40.0
"""Scale of the units that resolve most, in units of torch's own."""


@torch.no_grad()
def separations(model: GraphNetwork) -> None:
    """First layers that read separations, on every scale, and neither places nor velocities.

    The weights of the sender's position begin as minus those of the receiver's, each hidden unit with a
    scale drawn log-uniformly from 1 to `FINEST`; weights of velocities, and of the node's own position,
    begin at zero. All of them are free to move: where a law asks for more, it is learned.
    """
    dim = model.dim
    edge, node = model.edge.first.weight, model.node.first.weight
    scale = torch.exp(math.log(FINEST) * torch.rand(len(edge), 1))
    receiver, sender = edge[:, : 2 * dim + 2], edge[:, 2 * dim + 2 :]
    receiver[:, :dim] *= scale
    sender[:, :dim] = -receiver[:, :dim]
    receiver[:, dim : 2 * dim] = sender[:, dim : 2 * dim] = node[:, : 2 * dim] = 0


def uniform(model: GraphNetwork) -> None:
    """As torch makes them."""


INITIALIZATIONS: Registry[Callable[[GraphNetwork], None]] = Registry(
    "initialization", {"separations": separations, "uniform": uniform}
)

get_initialization = INITIALIZATIONS.find
