"""Distillation: what a trained network says, as fronts of expressions, with the verdict on its messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lib import closed_form, exchange, jumps, messages, readings, symbolic, training, verdict
from lib.datasets import Trajectories
from lib.forces import input_names
from lib.laws import get_law
from lib.models import GraphNetwork
from lib.readings import Reading
from lib.runs import Run
from lib.symbolic import Front
from lib.verdict import Verdict


@dataclass(frozen=True)
class Distilled:
    """The fronts of one reading of a run's messages."""

    reading: Reading
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
    """Each reading's fronts and verdict: first as sent, then, if one asks for more, with the gauge undone, and at last
    with its components taken to be alike besides.

    So many quiet edges are fitted, drawn by `rng`, of a reading with a jump away from it; `search` goes to
    `symbolic.regress`.
    """
    names, probes = input_names(run.system.dim), verdict.frozen_probe(run.system)
    everything = messages.extract(model, run, trajectories)

    def distilled(reading: Reading, fronts: list[Front]) -> Distilled:
        return Distilled(reading, fronts, verdict.judge([front.table for front in fronts], run.system, probes))

    for reading in readings.readings(model, run, trajectories):
        calm = reading.of_edges(everything).quiet()
        if jump := jumps.find(calm.inputs, calm.messages):
            calm = calm.take(jump.clear(calm.inputs))
        drawn = calm.take(rng.choice(len(calm.messages), edges, replace=False))
        fronts = symbolic.regress(drawn.inputs, drawn.messages, names, jump=jump, **search)
        yield distilled(reading, fronts)
    yield distilled(replace(reading, alike=True), exchange.exchanged(fronts, drawn.inputs, drawn.messages, names))


def distil_node(
    model: GraphNetwork,
    run: Run,
    reading: Reading,
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
    received = reading.of_sums(graphs, training.received(model, graphs), senders)
    inputs = np.concatenate([graphs, received], axis=-1).reshape(-1, 3 * run.system.dim + 2).astype(float)
    targets = training.predict(model, graphs).reshape(-1, run.system.dim)
    size = np.linalg.norm(targets, axis=1)
    usual = np.flatnonzero(size < np.quantile(size, messages.LOUDEST))
    drawn = rng.choice(usual, bodies, replace=False)
    return symbolic.regress(inputs[drawn], targets[drawn], closed_form.node_names(run.system.dim), **search)
