"""Readings: what is made of a run's messages before they are distilled.

A view takes as many combinations of channels as the force has components: the chosen channels where they hold
most of the spread, else what the node network reads, both turned into components along the axes. It is taken as
sent, or with the receiver's gauge taken off by action and reaction. None of it needs the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lib.messages import extraction, unmixing
from lib.messages.extraction import OUTLIER_QUANTILE, Combination, Edges
from lib.messages.gauges import ReactionGauge, gauge_fit, reaction_gauge
from lib.network import inference
from lib.network.models import GraphNetwork
from lib.physics.datasets import Trajectories
from lib.runs import Run

LEGIBLE = 0.75
"""Share of all standard deviation that a few channels must hold to be read by themselves."""
COMPONENTS = 16
"""Principal components of the messages that a node is taken to read."""
FAINTEST = 1e-4
"""Of these, those are left out whose standard deviation is below this part of the largest: a fit would blow them up."""


@dataclass(frozen=True)
class Projection:
    """Linear combinations of a model's messages, their gauge as the model chose it or undone."""

    combination: Combination
    across: float
    """Share of the variance that is across the line between the bodies, before a gauge is undone."""
    gauge: ReactionGauge | None = None
    axis_symmetric: bool = False
    """Whether its components are taken to say the same, each along its axis."""

    @property
    def name(self) -> str:
        """In words."""
        corrected, exchanged = (
            "" if self.gauge is None else ", gauge-corrected",
            ", axes exchanged" if self.axis_symmetric else "",
        )
        return f"{self.combination.name}{corrected}{exchanged}"

    def of_edges(self, edges: Edges) -> Edges:
        """The edges with the reading, [edges, dim], in place of all channels."""
        seen = edges.seen(self.combination)
        return seen if self.gauge is None else replace(seen, messages=self.gauge.undo(edges.inputs, seen.messages))

    def of_sums(self, bodies: np.ndarray, sums: np.ndarray, senders: np.ndarray) -> np.ndarray:
        """Sums of the reading, [graphs, n, dim], of the sums of messages [graphs, n, channels] that bodies
        [graphs, n, 2*dim+2] received from so many senders [n]."""
        seen = self.combination(sums)
        return seen if self.gauge is None else self.gauge.undo_sums(bodies, seen, senders)


def node_weighted_combination(model: GraphNetwork, edges: Edges, bodies: np.ndarray) -> Combination:
    """What the node network reads of its messages, as sent along edges and received by bodies [graphs, n, 2*dim+2].

    Its accelerations are fitted as g(v_i) A S_i + h(v_i), S_i the sum of the messages that body i received,
    with g and h flexible: A are the combinations. Bodies with the largest accelerations are left out.
    """
    spread = extraction.principal_components(edges, min(COMPONENTS, model.width)).matrix
    size = (edges.messages.astype(float) @ spread).std(axis=0)
    spread = spread[:, size > FAINTEST * size.max()]
    sums = (inference.received(model, bodies) @ spread).reshape(-1, spread.shape[1])
    accelerations = inference.predict(model, bodies).reshape(-1, model.dim)
    size = np.linalg.norm(accelerations, axis=1)
    usual = size < np.quantile(size, OUTLIER_QUANTILE)
    receivers = bodies.reshape(-1, bodies.shape[-1])[usual]
    fit = gauge_fit(receivers[:, -1], receivers[:, -2], sums[usual], accelerations[usual])
    return Combination("node-weighted combinations", spread @ fit.a)


def of_run(model: GraphNetwork, run: Run, trajectories: Trajectories) -> tuple[Projection, Projection]:
    """A run's messages on trajectories as sent, and and gauge-corrected."""
    edges = extraction.extract(model, run, trajectories)
    combination = extraction.channel_combination(edges, run.system.dim)
    held = extraction.sparsity(edges.without_outliers().messages, extraction.choose_channels(edges, run.system.dim))
    if held < LEGIBLE:
        combination = node_weighted_combination(model, edges, trajectories.graphs()[0])
    seen = edges.seen(combination).without_outliers()
    unmixed = unmixing.unmix(seen.messages, seen.inputs)
    combination = Combination(combination.name, combination.matrix @ unmixed.matrix)
    sent = combination(edges.messages.astype(float))
    back = extraction.returned(model, sent)
    typical = extraction.inliers(sent) & extraction.inliers(back)
    undone = reaction_gauge(edges.inputs[typical], sent[typical], back[typical])
    return Projection(combination, unmixed.across), Projection(combination, unmixed.across, undone)
