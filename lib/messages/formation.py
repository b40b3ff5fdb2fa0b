"""How the encoding forms: messages of a fixed set of edges at moments of a training, which `Formation` watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from lib import paths
from lib.errors import InputError
from lib.files import atomic_write
from lib.messages import extraction, gauges
from lib.network.models import GraphNetwork
from lib.network.monitor import State
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.runs import Run

MOMENTS = 40
"""Looks at a training, evenly spread over the logarithm of the graphs seen, and one before it."""
GRAPHS = 1_000
"""Validation graphs whose edges are watched."""
SHOWN = 360
"""Edges whose messages are kept."""
HALF = (np.finfo(np.float16).min, np.finfo(np.float16).max)
"""What half precision can hold."""


@dataclass
class Encoding:
    """Scores and messages at each moment."""

    table: list[dict[str, float]] = field(default_factory=list)
    """graphs, sparsity, r2_force, r2_acceleration, exponent and r2_exponent of the D chosen channels at that moment."""
    messages: list[np.ndarray] = field(default_factory=list)
    """[SHOWN, dim] each, the chosen channels, the one that carries most first."""
    force: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """[SHOWN, dim], the true force on those edges."""

    def look(self, graphs: int, model: GraphNetwork, run: Run, trajectories: Trajectories) -> None:
        """Add what the model's messages on the trajectories' edges, trimmed, say after so many training graphs."""
        edges = extraction.extract(model, run, trajectories).trimmed()
        channels = extraction.choose_channels(edges, run.system.dim)
        sent = edges.messages[:, channels]
        exponent, score = gauges.gauge_exponent(edges, channels)
        self.table.append(
            {
                "graphs": graphs,
                "sparsity": extraction.sparsity(edges.messages, channels),
                "r2_force": float(extraction.linear_fit(edges.force, sent).r2.mean()),
                "r2_acceleration": float(extraction.linear_fit(edges.acceleration, sent).r2.mean()),
                "exponent": exponent,
                "r2_exponent": score,
            }
        )
        kept = shown(len(sent))
        self.messages.append(sent[kept].astype(np.float32))
        self.force = edges.force[kept].astype(np.float32)

    def frame(self) -> pd.DataFrame:
        """The table."""
        return pd.DataFrame(self.table)

    def save(self, path: Path) -> None:
        """Write it as npz, messages in half precision."""
        columns = {name: column.to_numpy(np.float64) for name, column in self.frame().items()}
        with atomic_write(path) as scratch, scratch.open("wb") as file:
            halves = np.clip(np.stack(self.messages), *HALF).astype(np.float16)
            np.savez_compressed(file, messages=halves, force=self.force, **columns)


class Formation:
    """A monitor of `training.train` that records how the run's encoding forms, and writes it where `paths.encoding` says."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.encoding = Encoding()

    @cached_property
    def trajectories(self) -> Trajectories:
        """Those whose edges are watched."""
        return datasets.load(self.run.system, "validation", self.run.profile).sample(GRAPHS)

    def look(self, model: GraphNetwork, graphs: int, completed: int, rounds: int) -> None:
        """Add the model's messages, before the first round and after those of `moments`."""
        if completed in {0, *moments(rounds)}:
            self.encoding.look(graphs, model, self.run, self.trajectories)

    def state(self) -> State:
        """Messages and forces, and the table."""
        arrays = {str(k): messages for k, messages in enumerate(self.encoding.messages)}
        return {"force": self.encoding.force, **arrays}, self.encoding.table

    def restore(self, state: State) -> None:
        """Take up what `state` gave."""
        arrays, table = state
        self.encoding = Encoding(table, [arrays[str(k)] for k in range(len(table))], arrays["force"])

    def save(self) -> None:
        """Write the record of the whole training."""
        self.encoding.save(paths.encoding(self.run))


def shown(edges: int) -> np.ndarray:
    """Which of so many edges are kept: `SHOWN` of them, evenly spread."""
    return np.linspace(0, edges - 1, min(SHOWN, edges)).astype(int)


def moments(rounds: int) -> set[int]:
    """Rounds after which to look."""
    return {int(k) for k in np.geomspace(1, rounds, MOMENTS).round()}


def load(path: Path) -> Encoding:
    """Read what `Encoding.save` wrote; `InputError` if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in arrays.files if name not in ("messages", "force")}
            table = pd.DataFrame(columns).to_dict("records")
            return Encoding(table, list(arrays["messages"].astype(np.float32)), arrays["force"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path.parent.name}/{path.name} cannot be read: {error}") from None
