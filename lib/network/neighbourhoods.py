"""Receivers with any number of neighbours: the network for graphs too large for one batch.

m_e = edge(e),    y_i = node(v_i, sum of the m_e that lead to i)

An edge brings whatever of its two ends matters, such as their separation. Training draws receivers, each with
all its neighbours, so that its cost does not grow with the system.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lib.network.models import Message, MessageNetwork
from lib.network.variants import Variant


@dataclass(frozen=True)
class Neighbourhoods:
    """Receivers, the edges that lead to them, and what is to be predicted."""

    receivers: Tensor
    """[receivers, features]; may have no columns."""
    edges: Tensor
    """[edges, edge features]"""
    index: Tensor
    """[edges], the receiver that each leads to."""
    targets: Tensor
    """[receivers, outputs]"""

    def to(self, device: torch.device) -> Neighbourhoods:
        """The same on a device."""
        return Neighbourhoods(*(part.to(device) for part in (self.receivers, self.edges, self.index, self.targets)))


Draw = Callable[[np.random.Generator, int], Neighbourhoods]
"""draw(rng, count): so many receivers at random, with their neighbours."""
Reverse = Callable[[Tensor], Tensor]
"""Swaps the ends of edges [edges, edge features]."""


class NeighbourNetwork(MessageNetwork):
    """Outputs of receivers from messages of their neighbours; a batch is `Neighbourhoods`."""

    def __init__(
        self, features: int, edge_features: int, outputs: int, channels: int, variant: Variant, reverse: Reverse
    ) -> None:
        """`channels`: as many as the law has components; `reverse` swaps the ends of edges [edges, edge features]."""
        super().__init__(edge_features, features, outputs, channels, variant)
        self.reverse = reverse
        # no variant prunes here, so that weights hold no mask
        self.register_buffer("kept", self.kept, persistent=False)

    def one_way(self, batch: Neighbourhoods) -> Message:
        """What the edge network sends along edges, mean and log variance [edges, channels]."""
        return self.head(batch.edges)

    def other_way(self, batch: Neighbourhoods, sent: Message) -> Message:
        """What it sends along the same edges with their ends swapped."""
        return self.head(self.reverse(batch.edges))

    def outputs(self, batch: Neighbourhoods, sent: Tensor) -> Tensor:
        """Outputs [receivers, outputs] of receivers that were sent messages [edges, channels]."""
        edges = torch.stack([torch.arange(len(sent), device=sent.device), batch.index])
        received = self.propagate(edges, sent=sent, size=(len(sent), len(batch.receivers)))
        return self.node(torch.cat([batch.receivers, received], dim=-1))

    def draw(self, batch: Neighbourhoods, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [edges, channels]."""
        return torch.randn(len(batch.edges), self.width, generator=generator, device=batch.edges.device)

    def draw_pairs(self, batch: Neighbourhoods, generator: torch.Generator) -> Tensor:
        """N(0, 1) noise [edges, channels], opposite on the two edges of a pair where both are in the batch."""
        pair, sign = directions(batch.edges, self.reverse(batch.edges))
        return sign[:, None] * self.draw(batch, generator)[pair]

    def most_varying(self, sent: Tensor) -> Tensor:
        """The channels of messages [edges, channels] that vary most, as many as the law needs, most first."""
        return sent.std(dim=0).argsort(descending=True, stable=True)[: self.dim]


def directions(edges: Tensor, reversed_edges: Tensor) -> tuple[Tensor, Tensor]:
    """The pair [edges] that each edge belongs to, and its direction [edges] in it: 1, -1, or 0 if both are the same.

    Edges are told by their columns, so that the two directions of a pair are found wherever they are in a batch.
    """
    column = (edges != reversed_edges).int().argmax(dim=1, keepdim=True)
    sign = torch.sign((edges - reversed_edges).gather(1, column))
    pair = torch.unique(torch.where(sign > 0, edges, reversed_edges), dim=0, return_inverse=True)[1]
    return pair, sign[:, 0]
