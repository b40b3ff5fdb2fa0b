"""Receivers with any number of neighbours: the same network where a graph is too large to be taken whole.

m_e = edge(e),    y_i = node(v_i, sum of the m_e that lead to i)

An edge brings whatever of its two ends matters, such as their separation. Training draws receivers, each with
all its neighbours, so that its cost does not grow with the system.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing
from tqdm import tqdm

from lib.network.device import has_bfloat16, pick_device
from lib.network.losses import get_loss, mae
from lib.network.models import Perceptron, drawn
from lib.network.optimizer import Optimizer
from lib.network.recipe import Recipe
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
APART = 20
"""Steps between two looks, at least: a look takes as long as several."""


class NeighbourNetwork(MessagePassing):
    """Outputs of receivers from messages of their neighbours, as a variant has them."""

    def __init__(
        self, features: int, edge_features: int, outputs: int, channels: int, variant: Variant, reverse: Reverse
    ) -> None:
        """`channels`: as many as the law has components; `reverse` turns edges [edges, edge features] about."""
        super().__init__(aggr="add")
        self.variant, self.channels, self.reverse = variant, channels, reverse
        width = variant.width(channels)
        self.edge = Perceptron(edge_features, width * (2 if variant.gaussian else 1), variant.hidden)
        self.node = Perceptron(features + width, outputs, variant.hidden)

    def messages(self, edges: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean messages and their log variance (None unless Gaussian), both [edges, channels]."""
        mean, log_variance = self._sent(edges)
        if self.variant.antisymmetric:
            returned, its_log_variance = self._sent(self.reverse(edges))
            mean = mean - returned
            log_variance = None if log_variance is None else log_variance + its_log_variance
        return mean, log_variance

    def _sent(self, edges: Tensor) -> tuple[Tensor, Tensor | None]:
        out = self.edge(edges)
        return out.chunk(2, dim=-1) if self.variant.gaussian else (out, None)

    def most_varying(self, sent: Tensor) -> Tensor:
        """The channels of messages [edges, channels] that vary most, as many as the law needs, most first."""
        return sent.std(dim=0).argsort(descending=True, stable=True)[: self.channels]

    def message(self, sent_j: Tensor) -> Tensor:
        return sent_j

    def outputs(self, seen: Neighbourhoods, sent: Tensor) -> Tensor:
        """Outputs [receivers, outputs] of receivers that were sent messages [edges, channels]."""
        pairs = torch.stack([torch.arange(len(sent), device=sent.device), seen.index])
        received = self.propagate(pairs, sent=(sent, None), size=(len(sent), len(seen.receivers)))
        return self.node(torch.cat([seen.receivers, received], dim=-1))

    def forward(self, seen: Neighbourhoods) -> Tensor:
        """Outputs [receivers, outputs], from mean messages."""
        return self.outputs(seen, self.messages(seen.edges)[0])

    def noise(self, edges: Tensor, generator: torch.Generator) -> Tensor | None:
        """N(0, 1) noise [edges, channels] that Gaussian messages of edges are drawn with; None for others.

        Antisymmetric messages have one draw a pair: its two edges, where both are there, get opposite noise.
        """
        if not self.variant.gaussian:
            return None
        width = self.variant.width(self.channels)
        if not self.variant.antisymmetric:
            return torch.randn(len(edges), width, generator=generator).to(edges.device)
        pair, sign = directions(edges, self.reverse(edges))
        noise = torch.randn(len(edges), width, generator=generator)
        return sign[:, None] * noise.to(edges.device)[pair]

    def penalized(self, seen: Neighbourhoods, noise: Tensor | None) -> tuple[Tensor, Tensor | float]:
        """Outputs as in training, with messages drawn by `noise`, and the regularizer."""
        mean, log_variance = self.messages(seen.edges)
        return self.outputs(seen, drawn(mean, log_variance, noise)), self.variant.regularizer(mean, log_variance, self.channels)


def directions(edges: Tensor, reversed_edges: Tensor) -> tuple[Tensor, Tensor]:
    """The pair [edges] that each edge belongs to, and its direction [edges] in it: 1, -1, or 0 if both are the same.

    Edges are told by their columns, so that the two directions of a pair are found wherever they are in a batch.
    """
    column = (edges != reversed_edges).int().argmax(dim=1, keepdim=True)
    sign = torch.sign((edges - reversed_edges).gather(1, column))
    pair = torch.unique(torch.where(sign > 0, edges, reversed_edges), dim=0, return_inverse=True)[1]
    return pair, sign[:, 0]


def learn(
    model: NeighbourNetwork, draw: Draw, recipe: Recipe, watched: Neighbourhoods, seed: int = 0, looks: int = 50
) -> list[dict[str, float]]:
    """Train a model in place; what was seen at so many looks at most: receivers, and the loss per receiver of `watched`.

    A recipe's `graphs` and `batch` count receivers. Raises `FloatingPointError` if training diverges.
    """
    device, loss = pick_device(), get_loss(recipe.loss)
    model.to(device)
    watched = watched.to(device)
    optimizer, rng = Optimizer(model, recipe), np.random.default_rng(seed)
    noise = torch.Generator().manual_seed(seed)
    low_precision = recipe.bfloat16 and has_bfloat16(device)
    steps = math.ceil(recipe.graphs / recipe.batch)
    every, history = max(APART, steps // looks), []
    for step in tqdm(range(steps), unit="step", disable=None):
        seen = draw(rng, recipe.batch).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=low_precision):
            predicted, regularizer = model.penalized(seen, model.noise(seen.edges, noise))
        share = step / steps
        objective = loss(predicted, seen.targets) + recipe.penalty_at(share) * regularizer
        objective.backward()
        optimizer.at(share)
        optimizer.step()
        if (step + 1) % every == 0 or step + 1 == steps:
            with torch.no_grad():
                now = float(mae(model(watched), watched.targets))
            if not math.isfinite(now):
                raise FloatingPointError(f"training diverged: the loss is {now} by step {step + 1}")
            history.append({"receivers": (step + 1) * recipe.batch, "loss": now})
    model.cpu().eval()
    return history
