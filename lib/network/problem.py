"""What a training needs to be told: a network, a recipe, and data from which batches are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lib.network.models import MessageNetwork
from lib.network.recipe import Recipe
from lib.runs import Run

Batch = tuple[Any, Tensor, Tensor | None]
"""A network's inputs, the targets, and the noise for Gaussian messages."""


def cut(inputs: Any, targets: Tensor, noise: Tensor | None, count: int) -> list[Batch]:
    """A batch in so many parts at most, graph by graph; whole where it is no array of graphs."""
    if count == 1 or not isinstance(inputs, Tensor):
        return [(inputs, targets, noise)]
    parts = inputs.chunk(count)
    noises = [None] * len(parts) if noise is None else noise.chunk(count)
    return list(zip(parts, targets.chunk(count), noises, strict=True))


@dataclass(frozen=True)
class Task:
    """The data of one training, on its device."""

    batches: Callable[[int, int], Iterator[Batch]]
    """batches(number, steps): the batches of a round, decided by its number and the run's seed."""
    validation: tuple[Any, Tensor]
    """Inputs and targets on which the best weights are chosen."""
    identity: Any
    """Tells these data from others; JSON."""


class Problem(Protocol):
    """A kind of trainings: few bodies under a law, or receivers among many bodies."""

    def network(self, run: Run) -> MessageNetwork:
        """The run's untrained network, initialized from its seed."""

    def recipe(self, run: Run) -> Recipe:
        """The recipe that the run asks for."""

    def data(self, run: Run) -> dict[str, dict[str, Any]]:
        """How the data of training and validation are made, as JSON by split; the data themselves need not exist."""

    def task(self, run: Run, recipe: Recipe, model: MessageNetwork, device: torch.device) -> Task:
        """The run's data, made first if need be."""

    def test(self, run: Run, model: MessageNetwork, device: torch.device) -> dict[str, float]:
        """Figures of the trained model for its card."""
