"""Distillation: what a trained network says, as fronts of expressions, with the verdict on its messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.distillation import axis_symmetry, regression, verdict
from lib.distillation.closed_form import node_names
from lib.distillation.regression import Front
from lib.distillation.verdict import Verdict
from lib.messages import discontinuities, extraction, projections
from lib.messages.projections import Projection
from lib.network import inference
from lib.network.models import GraphNetwork
from lib.physics.datasets import Trajectories
from lib.physics.forces import input_names
from lib.physics.laws import get_law
from lib.runs import Run


@dataclass(frozen=True)
class Distilled:
    """The fronts of one projection of a run's messages."""

    projection: Projection
    fronts: list[Front]
    """One a component of the projection."""
    verdict: Verdict

    @property
    def tables(self) -> list[pd.DataFrame]:
        """The fronts as tables."""
        return [front.table for front in self.fronts]


def distil_messages(
    model: GraphNetwork, run: Run, trajectories: Trajectories, edges: int, rng: np.random.Generator, **search: Any
) -> Iterator[Distilled]:
    """Fronts and verdict of each projection of a run's messages, searched when it is asked for.

    First the messages as sent; then gauge-corrected; at last these with the expressions of each component offered to the
    others, axes swapped. So many edges are fitted, drawn by `rng` from those without outliers, and away from a
    discontinuity; `search` goes to `regression.regress`.
    """
    names = input_names(run.system.dim)
    everything = extraction.extract(model, run, trajectories)

    def distilled(projection: Projection, fronts: list[Front]) -> Distilled:
        return Distilled(projection, fronts, verdict.judge([front.table for front in fronts], run.system))

    for number, projection in enumerate(projections.of_run(model, run, trajectories)):
        typical = projection.of_edges(everything).without_outliers()
        if discontinuity := discontinuities.find(typical.inputs, typical.messages):
            typical = typical.take(discontinuity.outside_transition(typical.inputs))
        drawn = typical.take(rng.choice(len(typical.messages), edges, replace=False))
        fronts = regression.regress(
            drawn.inputs,
            drawn.messages,
            names,
            purpose=f"messages {number}",
            discontinuity=discontinuity,
            **search,
        )
        yield distilled(projection, fronts)
    fronts = axis_symmetry.with_swapped_axes(fronts, drawn.inputs, drawn.messages, names)
    yield distilled(replace(projection, axis_symmetric=True), fronts)


def distil_node(
    model: GraphNetwork,
    run: Run,
    projection: Projection,
    trajectories: Trajectories,
    bodies: int,
    rng: np.random.Generator,
    **search: Any,
) -> list[Front]:
    """Fronts of the node's accelerations, a component each, in `closed_form.node_names`: its body, and the sum it received.

    So many bodies are fitted, drawn by `rng` from those without the largest accelerations; `search` goes to
    `regression.regress`.
    """
    graphs = trajectories.graphs()[0]
    senders = np.bincount(get_law(run.system.law).pairs(graphs.shape[1]).ravel())
    received = projection.of_sums(graphs, inference.received(model, graphs), senders)
    inputs = np.concatenate([graphs, received], axis=-1).reshape(-1, 3 * run.system.dim + 2).astype(float)
    targets = inference.predict(model, graphs).reshape(-1, run.system.dim)
    size = np.linalg.norm(targets, axis=1)
    usual = np.flatnonzero(size < np.quantile(size, extraction.OUTLIER_QUANTILE))
    drawn = rng.choice(usual, bodies, replace=False)
    return regression.regress(inputs[drawn], targets[drawn], node_names(run.system.dim), purpose="node", **search)
