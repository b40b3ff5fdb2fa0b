"""The Hamiltonian network: energies of bodies and of pairs, whose slopes in positions are the forces.

H = sum_i self(v_i) + sum_ij pair(v_i, v_j),    v = (x, p, q, m),  p = m dx/dt
m_ij = -d/dx_i [pair(v_i, v_j) + pair(v_j, v_i)],    a_i = (sum_j m_ij - d/dx_i self(v_i)) / m_i

Its messages are the forces of the pair energy, so that whatever analyses messages analyses these.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lib.network.models import GraphNetwork, Perceptron
from lib.network.variants import Variant


class HamiltonianNetwork(GraphNetwork):
    """Accelerations of n bodies as slopes of a Hamiltonian in positions (the paper's FlatHGN); velocities are given."""

    compiles = False
    """Slopes of slopes are beyond the compiler."""

    def __init__(self, pairs: np.ndarray, dim: int, variant: Variant) -> None:
        """`pairs` [pairs, 2]: the bodies that act on each other, in both directions."""
        super().__init__(pairs, dim, variant)
        features = 2 * dim + 2
        self.edge = Perceptron(2 * features, 1, variant.hidden, nn.Softplus)
        self.node = Perceptron(features, 1, variant.hidden, nn.Softplus)

    def canonical(self, bodies: Tensor) -> Tensor:
        """Bodies [..., 2*dim+2] with momenta in place of velocities."""
        x, v, rest = bodies.split([self.dim, self.dim, 2], dim=-1)
        return torch.cat([x, v * bodies[..., -1:], rest], dim=-1)

    def pairs(self, bodies: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of bodies [graphs, n, 2*dim+2] the forces [graphs, edges, dim] on receivers, the energies of their pairs
        [graphs, edges, 1], and its slopes in charge and mass of receiver and sender [graphs, edges, 4]."""
        learning = torch.is_grad_enabled()
        with torch.enable_grad():
            v = self.canonical(bodies).index_select(-2, self.edges.flip(0).flatten()).requires_grad_()
            receiver, sender = v.chunk(2, dim=-2)
            energy = self.edge(torch.cat([receiver, sender], dim=-1))
            (slope,) = torch.autograd.grad(energy.sum(), v, create_graph=learning)
        of_receiver, of_sender = slope.chunk(2, dim=-2)
        force = -(of_receiver + of_sender.index_select(-2, self.opposite))[..., : self.dim]
        energy = energy if learning else energy.detach()
        both = energy + energy.index_select(-2, self.opposite)
        return force, both, torch.cat([of_receiver[..., -2:], of_sender[..., -2:]], dim=-1)

    def energy(self, one: Tensor, other: Tensor) -> Tensor:
        """Energies [...] of pairs of bodies, [..., 2*dim+2] both."""
        one, other = self.canonical(one), self.canonical(other)
        return (self.edge(torch.cat([one, other], dim=-1)) + self.edge(torch.cat([other, one], dim=-1)))[..., 0]

    def messages(self, bodies: Tensor) -> tuple[Tensor, None]:
        """Forces of the pair energy [graphs, edges, dim]."""
        return self.pairs(bodies)[0], None

    def outputs(self, bodies: Tensor, sent: Tensor) -> Tensor:
        """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2] that were sent forces."""
        learning = torch.is_grad_enabled()
        with torch.enable_grad():
            v = self.canonical(bodies).requires_grad_()
            (slope,) = torch.autograd.grad(self.node(v).sum(), v, create_graph=learning)
        return (self.received(sent, bodies.shape[-2]) - slope[..., : self.dim]) / bodies[..., -1:]

    def penalized(self, bodies: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """Accelerations [graphs, n, dim], and the regularizer of the pairs' energies and of their slopes."""
        force, energy, slopes = self.pairs(bodies)
        return self.outputs(bodies, force), self.variant.regularizer(torch.cat([energy, slopes], -1), None, self.dim)
