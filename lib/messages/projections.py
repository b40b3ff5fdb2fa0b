"""Projections: the linear combinations of a run's message channels that are distilled, found without the truth.

There are as many as the force has components: the chosen channels where they hold most of the standard deviation,
else the node-weighted combinations, both unmixed into components along the axes. They are taken as sent, and
gauge-corrected by action and reaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lib.messages import extraction, unmixing
from lib.messages.extraction import OUTLIER_QUANTILE, Combination, Edges
from lib.messages.gauges import ReactionGauge, gauge_fit, reaction_gauge
from lib.network import inference
from lib.network.models import GraphNetwork
from lib.physics.bodies import Bodies
from lib.physics.datasets import Trajectories
from lib.runs import Run

MIN_SPARSITY = 0.75
"""Fraction of all standard deviation that the chosen channels must hold to be taken by themselves."""
MAX_COMPONENTS = 16
"""Principal components of the messages that a node-weighted combination may consist of."""
MIN_RELATIVE_SPREAD = 1e-4
"""Components of less than this part of the largest standard deviation are left out: a fit would scale them up."""


@dataclass(frozen=True)
class Projection:
    """Linear combinations of a model's messages, as sent or gauge-corrected."""

    combination: Combination
    perpendicular: float
    """Fraction of their variance that is perpendicular to the line between the bodies, as sent."""
    gauge: ReactionGauge | None = None
    """The gauge that they are corrected for."""
    axis_symmetric: bool = False
    """Whether one expression stands for all components, each with its own axis first."""

    @property
    def name(self) -> str:
        """Which combinations, and what was done to them."""
        corrected, exchanged = (
            "" if self.gauge is None else ", gauge-corrected",
            ", axes exchanged" if self.axis_symmetric else "",
        )
        return f"{self.combination.name}{corrected}{exchanged}"

    def of_edges(self, edges: Edges) -> Edges:
        """The edges with the projection, [edges, dim], in place of all channels."""
        sent = edges.combined(self.combination)
        return sent if self.gauge is None else replace(sent, messages=self.gauge.correct(edges.inputs, sent.messages))

    def of_sums(self, bodies: np.ndarray, sums: np.ndarray, senders: np.ndarray) -> np.ndarray:
        """The projection of sums, [graphs, n, dim], of the sums of messages [graphs, n, channels] that bodies
        [graphs, n, 2*dim+2] received from so many senders [n]."""
        sent = self.combination(sums)
        return sent if self.gauge is None else self.gauge.correct_sums(bodies, sent, senders)


def node_weighted_combination(model: GraphNetwork, edges: Edges, bodies: np.ndarray) -> Combination:
    """Combinations of channels weighted as the node network weighs them, for bodies [graphs, n, 2*dim+2] and their edges.

    The model's accelerations are fitted as g(v_i) A S_i + h(v_i), S_i the sum of the messages that body i received,
    with g and h flexible: the columns of A are the combinations. Bodies with the largest accelerations are left out.
    """
    components = extraction.principal_components(edges, min(MAX_COMPONENTS, model.width)).matrix
    spread = (edges.messages.astype(float) @ components).std(axis=0)
    components = components[:, spread > MIN_RELATIVE_SPREAD * spread.max()]
    sums = (inference.received(model, bodies) @ components).reshape(-1, components.shape[1])
    accelerations = inference.predict(model, bodies).reshape(-1, model.dim)
    size = np.linalg.norm(accelerations, axis=1)
    usual = size < np.quantile(size, OUTLIER_QUANTILE)
    receivers = Bodies(bodies.reshape(-1, bodies.shape[-1])[usual])
    fit = gauge_fit(receivers.mass, receivers.charge, sums[usual], accelerations[usual])
    return Combination("node-weighted combinations", components @ fit.a)


def of_run(model: GraphNetwork, run: Run, trajectories: Trajectories) -> tuple[Projection, Projection]:
    """The projection of a run's messages on trajectories, as sent and gauge-corrected."""
    edges, dim = extraction.extract(model, run, trajectories), run.system.dim
    sparsity = extraction.sparsity(edges.without_outliers().messages, extraction.choose_channels(edges, dim))
    if sparsity < MIN_SPARSITY:
        combination = node_weighted_combination(model, edges, trajectories.graphs()[0])
    else:
        combination = extraction.channel_combination(edges, dim)
    typical = edges.combined(combination).without_outliers()
    unmixed = unmixing.unmix(typical.messages, typical.inputs)
    combination = Combination(combination.name, combination.matrix @ unmixed.matrix)
    sent = combination(edges.messages.astype(float))
    back = extraction.returned(model, sent)
    inliers = extraction.inliers(sent) & extraction.inliers(back)
    gauge = reaction_gauge(edges.inputs[inliers], sent[inliers], back[inliers])
    return Projection(combination, unmixed.perpendicular), Projection(combination, unmixed.perpendicular, gauge)
