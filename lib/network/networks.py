"""The registry of networks: what a variant's name for its network means."""

from __future__ import annotations

from lib.network.hamiltonian import HamiltonianNetwork
from lib.network.models import GraphNetwork

NETWORKS: dict[str, type[GraphNetwork]] = {"messages": GraphNetwork, "hamiltonian": HamiltonianNetwork}
