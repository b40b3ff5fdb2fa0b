"""What watches a training from outside: it sees the model as it learns, and changes nothing of it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from lib.network.models import MessageNetwork

State = tuple[dict[str, np.ndarray], Any]
"""Arrays by name, and what JSON can hold."""


class Monitor(Protocol):
    """Looks at a model between rounds of training; its state is kept in checkpoints."""

    def look(self, model: MessageNetwork, graphs: int, completed: int, rounds: int) -> None:
        """See a model after so many training graphs, `completed` of `rounds` rounds; 0 of them before the first."""

    def state(self) -> State:
        """All that a training that is resumed must hand to `restore`."""

    def restore(self, state: State) -> None:
        """Take up the state of the training that is resumed."""

    def save(self) -> None:
        """Write what was seen; the training has ended."""


class Silent:
    """A monitor that sees nothing."""

    def look(self, model: MessageNetwork, graphs: int, completed: int, rounds: int) -> None:
        """Nothing is looked at."""

    def state(self) -> State:
        """An empty state."""
        return {}, None

    def restore(self, state: State) -> None:
        """Nothing is to be restored."""

    def save(self) -> None:
        """Nothing is written."""
