"""A graph network that learns what bodies do to each other, with one learned scalar a body: the baseline of formulas.

    a_i = sum_j f(log r_ij, s_i, s_j) u_ij,    f = tanh(f1) exp(f2), (f1, f2) = MLP

As in Lemos et al. (arXiv:2202.02306) properties of bodies are learned with the network; here forces are along the line of
centres, so that no direction has to be learned, and their size is given as a logarithm, since it spans nine decades.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lib.many_body.strengths import Places, System

WIDTH = 64
BATCH = 32
"""Times of a step of training."""
RATE = 3e-3
"""Highest learning rate of Adam, reached in one cycle."""


class PairNetwork(nn.Module):
    """Radial accelerations [..., pairs] of distances [..., pairs], with a scalar of receiver and of sender."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.scalars = nn.Parameter(torch.randn(n))
        layers = (nn.Linear(3, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU())
        self.edge = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    def forward(self, r: torch.Tensor, receiver: torch.Tensor, sender: torch.Tensor) -> torch.Tensor:
        """See the class."""
        pairs = torch.stack([self.scalars[receiver], self.scalars[sender]], dim=-1).expand(*r.shape, 2)
        sign, size = self.edge(torch.cat([r.log()[..., None], pairs], dim=-1)).unbind(-1)
        # sizes begin around those of planets, in AU/day^2
        return torch.tanh(sign) * torch.exp(4 * size - 12)


@dataclass(frozen=True)
class Trained:
    """A trained network as a function of states."""

    model: PairNetwork

    @torch.no_grad()
    def predict(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Accelerations [times, bodies, 3]."""
        return _net(self.model, _tensors(Places.of(position, velocity), torch.float64)).numpy()


def _tensors(places: Places, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    u, r = (torch.as_tensor(values, dtype=dtype) for values in (places.directions[0], places.inputs[0]))
    return u, r, torch.as_tensor(places.receiver), torch.as_tensor(places.sender)


def _net(model: PairNetwork, tensors: tuple[torch.Tensor, ...]) -> torch.Tensor:
    u, r, receiver, sender = tensors
    n = len(model.scalars)
    return (model(r, receiver, sender)[..., None] * u).unflatten(-2, (n, n - 1)).sum(dim=-2)


def train(system: System, graphs: int, seed: int = 0) -> Trained:
    """Adam on the mean over bodies of |error| / rms acceleration of the body, until so many graphs are seen."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = PairNetwork(system.n)
    u, r, receiver, sender = _tensors(system.places, torch.float32)
    target = torch.as_tensor(system.acceleration, dtype=torch.float32)
    size = torch.as_tensor(system.size, dtype=torch.float32)[:, None]
    steps = max(2, graphs // BATCH)
    optimizer = torch.optim.Adam(model.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for _ in range(steps):
        times = torch.as_tensor(rng.integers(0, len(target), BATCH))
        error = _net(model, (u[times], r[times], receiver, sender)) - target[times]
        loss = (error / size).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()
    return Trained(model.requires_grad_(False).double())
