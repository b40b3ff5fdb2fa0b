"""Distillation: what a trained network says, as fronts of expressions, with the verdict on its messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib.distillation import axis_symmetry, closed_form, regression, verdict
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
    """The fronts of one reading of a run's messages."""

    reading: Projection
    fronts: list[Front]
    """One a component of the reading."""
    verdict: Verdict

    @property
    def tables(self) -> list[pd.DataFrame]:
        """The fronts as tables."""
        return [front.table for front in self.fronts]


def distil_messages(
    model: GraphNetwork, run: Run, trajectories: Trajectories, edges: int, rng: np.random.Generator, **search: Any
) -> Iterator[Distilled]:
    """Each reading's fronts and verdict: first as sent, then, if one asks for more, with the gauge-corrected, and at last
    with its components taken to be alike besides.

    So many quiet edges are fitted, drawn by `rng`, of a reading with a jump away from it; `search` goes to
    `symbolic.regress`.
    """
    names, probes = input_names(run.system.dim), verdict.frozen_probe(run.system)
    everything = extraction.extract(model, run, trajectories)

    def distilled(reading: Projection, fronts: list[Front]) -> Distilled:
        return Distilled(reading, fronts, verdict.judge([front.table for front in fronts], run.system, probes))

    for number, reading in enumerate(projections.of_run(model, run, trajectories)):
        typical = reading.of_edges(everything).without_outliers()
        if discontinuity := discontinuities.find(typical.inputs, typical.messages):
            typical = typical.take(discontinuity.clear(typical.inputs))
        drawn = typical.take(rng.choice(len(typical.messages), edges, replace=False))
        fronts = regression.regress(
            drawn.inputs,
            drawn.messages,
            names,
            purpose=f"messages {number}",
            discontinuity=discontinuity,
            **search,
        )
        yield distilled(reading, fronts)
    yield distilled(
        replace(reading, axis_symmetric=True), axis_symmetry.with_swapped_axes(fronts, drawn.inputs, drawn.messages, names)
    )


def distil_node(
    model: GraphNetwork,
    run: Run,
    reading: Projection,
    trajectories: Trajectories,
    bodies: int,
    rng: np.random.Generator,
    **search: Any,
) -> list[Front]:
    """Fronts of the node's accelerations, in `closed_form.node_names`: what it makes of its body and of the sum it received.

    So many bodies are fitted, drawn by `rng` from those without the largest accelerations.
    """
    graphs = trajectories.graphs()[0]
    senders = np.bincount(get_law(run.system.law).pairs(graphs.shape[1]).ravel())
    received = reading.of_sums(graphs, inference.received(model, graphs), senders)
    inputs = np.concatenate([graphs, received], axis=-1).reshape(-1, 3 * run.system.dim + 2).astype(float)
    targets = inference.predict(model, graphs).reshape(-1, run.system.dim)
    size = np.linalg.norm(targets, axis=1)
    usual = np.flatnonzero(size < np.quantile(size, extraction.OUTLIER_QUANTILE))
    drawn = rng.choice(usual, bodies, replace=False)
    return regression.regress(inputs[drawn], targets[drawn], closed_form.node_names(run.system.dim), purpose="node", **search)
