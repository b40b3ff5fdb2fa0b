"""The graph network: an edge network whose messages are summed, and a node network that reads the sum.

m_ij = edge(v_i, v_j),    a_i = node(v_i, sum_j m_ij)        (i receives, j sends)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from lib.network.variants import HIDDEN, Variant

PART = 256
"""Graphs that a network takes at once, so that what is between its layers stays near the processor."""


class InverseFeatures(nn.Module):
    """Units h >= 0 with 1/(1+h) and 1/(1+h)^2 beside them, [..., units] -> [..., 3 * units]."""

    def forward(self, h: Tensor) -> Tensor:
        fallen = 1 / (1 + h)
        return torch.cat([h, fallen, fallen**2], dim=-1)


class Perceptron(nn.Module):
    """Hidden layers of so many units each, [..., inputs] -> [..., outputs].

    The first layer is always float32: bfloat16 cannot resolve a close encounter of two bodies
    far from the origin. The last is too, which costs little and keeps small outputs exact.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        units: Sequence[int] = HIDDEN,
        activation: type[nn.Module] = nn.ReLU,
        inverse_features: bool = False,
    ) -> None:
        """`reciprocals`: whether the first layer's units go on with `Reciprocals` beside them."""
        super().__init__()
        self.first = nn.Linear(inputs, units[0])
        widths = [(3 if inverse_features else 1) * units[0], *units[1:]]
        layers = [activation(), *([InverseFeatures()] if inverse_features else [])]
        for wide, next_wide in pairwise(widths):
            layers += [nn.Linear(wide, next_wide), activation()]
        self.hidden = nn.Sequential(*layers)
        self.last = nn.Linear(widths[-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = self.first(x.float())
        x = self.hidden(x)
        with torch.autocast(x.device.type, enabled=False):
            return self.last(x.float())


def drawn(mean: Tensor, log_variance: Tensor | None, noise: Tensor | None) -> Tensor:
    """Messages drawn from N(mean, exp(log_variance)) with N(0, 1) noise, all of one shape; the mean where none varies."""
    return mean if log_variance is None else mean + noise * torch.exp(log_variance / 2)


class GraphNetwork(MessagePassing):
    """Accelerations of n bodies from their messages, as a variant has them.

    Graphs of a batch share one edge list, so that a batch is an array [graphs, n, 2*dim+2].
    """

    compiles = True
    """Whether the compiler can take it."""

    def __init__(self, pairs: np.ndarray, dim: int, variant: Variant) -> None:
        """`pairs` [pairs, 2]: the bodies that act on each other, in both directions."""
        super().__init__(aggr="add", node_dim=-2)
        self.variant = variant
        self.dim = dim
        self.width = variant.width(dim)
        features = 2 * dim + 2
        outputs = self.width * (2 if variant.gaussian else 1)
        self.edge = Perceptron(2 * features, outputs, variant.hidden, inverse_features=variant.inverse_features)
        self.node = Perceptron(features + self.width, dim, variant.hidden)
        i, j = torch.as_tensor(pairs).T
        # edge k and edge k + pairs are the two directions of one pair
        self.register_buffer("edges", torch.stack([torch.cat([j, i]), torch.cat([i, j])]), persistent=False)
        self.register_buffer("opposite", torch.arange(2 * len(pairs)).roll(len(pairs)), persistent=False)
        self.register_buffer("kept", torch.ones(self.width))

    def messages(self, bodies: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean messages and their log variance (None unless Gaussian), both [graphs, edges, channels]."""
        return self.edge_updater(self.edges, bodies=bodies)

    def edge_update(self, bodies_i: Tensor, bodies_j: Tensor) -> tuple[Tensor, Tensor | None]:
        out = self.edge(torch.cat([bodies_i, bodies_j], dim=-1))
        mean, log_variance = out.chunk(2, dim=-1) if self.variant.gaussian else (out, None)
        if self.variant.antisymmetric:
            mean = mean - mean.index_select(-2, self.opposite)
            if log_variance is not None:
                log_variance = log_variance + log_variance.index_select(-2, self.opposite)
        return mean * self.kept, log_variance

    def message(self, sent: Tensor) -> Tensor:
        return sent

    def received(self, sent: Tensor, n: int) -> Tensor:
        """Sums [graphs, n, channels] of the messages [graphs, edges, channels] that n bodies receive."""
        return self.propagate(self.edges, sent=sent, size=(n, n))

    def accelerations(self, bodies: Tensor, sent: Tensor) -> Tensor:
        """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2] that were sent messages."""
        return self.node(torch.cat([bodies, self.received(sent, bodies.shape[-2])], dim=-1))

    def forward(self, bodies: Tensor) -> Tensor:
        """Accelerations [graphs, n, dim], from mean messages."""
        return self.accelerations(bodies, self.messages(bodies)[0])

    def noise(self, bodies: Tensor, generator: torch.Generator) -> Tensor | None:
        """N(0, 1) noise [graphs, edges, channels] that Gaussian messages are drawn with; None for others.

        Antisymmetric messages have one draw a pair, since two would break action = -reaction.
        """
        if not self.variant.gaussian:
            return None
        edges = self.edges.shape[1] // (2 if self.variant.antisymmetric else 1)
        noise = torch.randn(len(bodies), edges, self.width, generator=generator, device=bodies.device)
        return torch.cat([noise, -noise], dim=-2) if self.variant.antisymmetric else noise

    def penalized(self, bodies: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """Accelerations [graphs, n, dim] as in training, with messages drawn by `noise`, and the regularizer."""
        mean, log_variance = self.messages(bodies)
        return self.accelerations(bodies, drawn(mean, log_variance, noise)), self.variant.regularizer(
            mean, log_variance, self.dim
        )

    @torch.no_grad()
    def prune(self, bodies: Tensor, channels: int) -> None:
        """Keep the `channels` message channels that vary most over the edges of bodies [graphs, n, 2*dim+2]."""
        spread = self.messages(bodies)[0].flatten(0, -2).std(dim=0)
        self.kept.zero_()
        self.kept[spread.topk(channels).indices] = 1.0
