"""The registry of networks, and a run's network before it is trained."""

from __future__ import annotations

import torch

from lib.network.hamiltonian import HamiltonianNetwork
from lib.network.models import GraphNetwork
from lib.network.variants import get_variant
from lib.physics.laws import get_law
from lib.runs import Run

NETWORKS: dict[str, type[GraphNetwork]] = {"messages": GraphNetwork, "hamiltonian": HamiltonianNetwork}
"""By the name that a variant gives its network."""
N_BODIES = 4
"""Bodies that networks are trained on."""


def build(run: Run, n: int = N_BODIES) -> GraphNetwork:
    """The run's untrained network for n bodies, initialized from its seed."""
    torch.manual_seed(run.seed)
    pairs = get_law(run.system.law).pairs(n)
    variant = get_variant(run.variant)
    return NETWORKS[variant.network](pairs, run.system.dim, variant)
