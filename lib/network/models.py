"""Graph networks: an edge network whose messages are summed, and a node network that takes the sum.

m_ij = edge(v_i, v_j),    a_i = node(v_i, sum_j m_ij)        (i receives, j sends)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from lib.network.variants import HIDDEN, Variant

PART = 256
"""Graphs that a network takes at once, so that what is between its layers stays near the processor."""
Message = tuple[Tensor, Tensor | None]
"""Mean and log variance of messages; None where they are not Gaussian."""


class InverseFeatures(nn.Module):
    """Units h >= 0 with 1/(1+h) and 1/(1+h)^2 beside them, [..., units] -> [..., 3 * units]."""

    def forward(self, h: Tensor) -> Tensor:
        inverse = 1 / (1 + h)
        return torch.cat([h, inverse, inverse**2], dim=-1)


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
        """`inverse_features`: whether `InverseFeatures` follow the first layer."""
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
    """Messages drawn from N(mean, exp(log_variance)) with N(0, 1) noise, all of one shape; the mean if not Gaussian."""
    return mean if log_variance is None else mean + noise * torch.exp(log_variance / 2)


class MessageNetwork(MessagePassing):
    """Outputs of receivers from the messages of their neighbours, as a variant has them.

    What a batch holds, and which edges there are, is said by the networks that follow from it.
    """

    compiles = False
    """Whether the compiler can take it."""
    replays = False
    """Whether its batches have one size, so that a step's kernels can be replayed."""

    def __init__(self, edge_inputs: int, features: int, outputs: int, dim: int, variant: Variant) -> None:
        """`dim`: components of what messages stand for, which are as many channels as a law needs.

        `features`: columns of a receiver. Receivers and edges lie along the last axis but one.
        """
        super().__init__(aggr="add", node_dim=-2)
        self.variant = variant
        self.dim = dim
        self.width = variant.width(dim)
        head = self.width * (2 if variant.gaussian else 1)
        self.edge = Perceptron(edge_inputs, head, variant.hidden, inverse_features=variant.inverse_features)
        self.node = Perceptron(features + self.width, outputs, variant.hidden)
        self.register_buffer("kept", torch.ones(self.width))

    def one_way(self, batch: Any) -> Message:
        """What the edge network sends along a batch's edges, mean and log variance [..., edges, channels]."""
        raise NotImplementedError

    def other_way(self, batch: Any, sent: Message) -> Message:
        """What it sends against each edge, where `sent` is what it sends along them."""
        raise NotImplementedError

    def outputs(self, batch: Any, sent: Tensor) -> Tensor:
        """Outputs [..., receivers, outputs] of a batch whose messages [..., edges, channels] were sent."""
        raise NotImplementedError

    def draw(self, batch: Any, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [..., edges, channels], independent from edge to edge."""
        raise NotImplementedError

    def draw_pairs(self, batch: Any, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [..., edges, channels], opposite on the two edges of a pair and independent otherwise."""
        raise NotImplementedError

    def head(self, edges: Tensor) -> Message:
        """Mean and log variance (None unless Gaussian) [..., channels] that the edge network makes of edges [..., inputs]."""
        out = self.edge(edges)
        return out.chunk(2, dim=-1) if self.variant.gaussian else (out, None)

    def messages(self, batch: Any) -> Message:
        """Mean messages and their log variance (None unless Gaussian), both [..., edges, channels]."""
        mean, log_variance = self.one_way(batch)
        if self.variant.antisymmetric:
            other_mean, other_log_variance = self.other_way(batch, (mean, log_variance))
            mean = mean - other_mean
            log_variance = None if log_variance is None else log_variance + other_log_variance
        return mean * self.kept, log_variance

    def noise(self, batch: Any, generator: torch.Generator) -> Tensor | None:
        """Noise that Gaussian messages are drawn with, None for others; opposite on a pair's edges where messages are."""
        if not self.variant.gaussian:
            return None
        # two draws a pair would break action = -reaction
        return self.draw_pairs(batch, generator) if self.variant.antisymmetric else self.draw(batch, generator)

    def message(self, sent: Tensor) -> Tensor:
        return sent

    def forward(self, batch: Any) -> Tensor:
        """Outputs [..., receivers, outputs], from mean messages."""
        return self.outputs(batch, self.messages(batch)[0])

    def penalized(self, batch: Any, noise: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """Outputs as in training, with messages drawn by `noise`, and the regularizer."""
        mean, log_variance = self.messages(batch)
        sent = drawn(mean, log_variance, noise)
        return self.outputs(batch, sent), self.variant.regularizer(mean, log_variance, self.dim)

    @torch.no_grad()
    def prune(self, batch: Any, channels: int) -> None:
        """Keep the `channels` message channels that vary most over the edges of a batch."""
        spread = self.messages(batch)[0].flatten(0, -2).std(dim=0)
        self.kept.zero_()
        self.kept[spread.topk(channels).indices] = 1.0


class GraphNetwork(MessageNetwork):
    """Accelerations of n bodies; graphs of a batch share one edge list, so that it is an array [graphs, n, 2*dim+2]."""

    compiles = replays = True

    def __init__(self, pairs: np.ndarray, dim: int, variant: Variant) -> None:
        """`pairs` [pairs, 2]: the bodies that act on each other, in both directions."""
        features = 2 * dim + 2
        super().__init__(2 * features, features, dim, dim, variant)
        i, j = torch.as_tensor(pairs).T
        # edge k and edge k + pairs are the two directions of one pair
        self.register_buffer("edges", torch.stack([torch.cat([j, i]), torch.cat([i, j])]), persistent=False)
        self.register_buffer("opposite", torch.arange(2 * len(pairs)).roll(len(pairs)), persistent=False)

    def one_way(self, bodies: Tensor) -> Message:
        """What the edge network sends along edges, mean and log variance [graphs, edges, channels]."""
        return self.edge_updater(self.edges, bodies=bodies)

    def edge_update(self, bodies_i: Tensor, bodies_j: Tensor) -> Message:
        return self.head(torch.cat([bodies_i, bodies_j], dim=-1))

    def other_way(self, bodies: Tensor, sent: Message) -> Message:
        """What it sends along the opposite edges."""
        mean, log_variance = (None if part is None else part.index_select(-2, self.opposite) for part in sent)
        return mean, log_variance

    def received(self, sent: Tensor, n: int) -> Tensor:
        """Sums [graphs, n, channels] of the messages [graphs, edges, channels] that n bodies receive."""
        return self.propagate(self.edges, sent=sent, size=(n, n))

    def outputs(self, bodies: Tensor, sent: Tensor) -> Tensor:
        """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2] that were sent messages."""
        return self.node(torch.cat([bodies, self.received(sent, bodies.shape[-2])], dim=-1))

    def draw(self, bodies: Tensor, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [graphs, edges, channels]."""
        return torch.randn(len(bodies), len(self.opposite), self.width, generator=generator, device=bodies.device)

    def draw_pairs(self, bodies: Tensor, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [graphs, edges, channels], opposite on the two edges of a pair."""
        pairs = len(self.opposite) // 2
        noise = torch.randn(len(bodies), pairs, self.width, generator=generator, device=bodies.device)
        return torch.cat([noise, -noise], dim=-2)
