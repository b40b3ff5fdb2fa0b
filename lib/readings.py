"""Readings: what is made of a run's messages before they are distilled.

As they are sent, or with the receiver's gauge taken off by action and reaction, which needs no truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lib import messages
from lib.gauges import ReactionGauge, reaction_gauge
from lib.messages import Edges, View
from lib.models import GraphNetwork


@dataclass(frozen=True)
class Reading:
    """Linear combinations of a model's messages, their gauge as the model chose it or undone."""

    view: View
    gauge: ReactionGauge | None = None

    @property
    def name(self) -> str:
        """In words."""
        return self.view.name if self.gauge is None else f"{self.view.name}, gauge undone"

    def of_edges(self, edges: Edges) -> Edges:
        """The edges with the reading, [edges, dim], in place of all channels."""
        seen = edges.seen(self.view)
        return seen if self.gauge is None else replace(seen, messages=self.gauge.undo(edges.inputs, seen.messages))

    def of_sums(self, bodies: np.ndarray, sums: np.ndarray, senders: np.ndarray) -> np.ndarray:
        """Sums of the reading, [graphs, n, dim], of the sums of messages [graphs, n, channels] that bodies
        [graphs, n, 2*dim+2] received from so many senders [n]."""
        seen = self.view(sums)
        return seen if self.gauge is None else self.gauge.undo_sums(bodies, seen, senders)


def readings(model: GraphNetwork, edges: Edges, dim: int) -> tuple[Reading, Reading]:
    """The messages of all edges of whole graphs as sent, and with their gauge undone."""
    view = messages.legible_view(edges, dim)
    sent = view(edges.messages.astype(float))
    back = messages.returned(model, sent)
    calm = messages.quiet(sent) & messages.quiet(back)
    return Reading(view), Reading(view, reaction_gauge(edges.inputs[calm], sent[calm], back[calm]))
