"""Monitors of a training: they look at the model between rounds and change nothing of it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from lib.network.models import MessageNetwork

State = tuple[dict[str, np.ndarray], Any]
"""Arrays by name, and what JSON can hold."""


class Monitor(Protocol):
    """Looks at a model between rounds of training; its state is kept in checkpoints."""

    def look(self, model: MessageNetwork, graphs: int, completed: int, rounds: int) -> None:
        """Look at the model after so many training graphs, `completed` of `rounds` rounds; 0 of them before the first."""

    def state(self) -> State:
        """All that a training that is resumed must hand to `restore`."""

    def restore(self, state: State) -> None:
        """Take the state that the checkpoint kept."""

    def save(self) -> None:
        """Write the record; the training has ended."""


class Silent:
    """The monitor that records nothing."""

    def look(self, model: MessageNetwork, graphs: int, completed: int, rounds: int) -> None:
        """Record nothing."""

    def state(self) -> State:
        """An empty state."""
        return {}, None

    def restore(self, state: State) -> None:
        """Restore nothing."""

    def save(self) -> None:
        """Write nothing."""
