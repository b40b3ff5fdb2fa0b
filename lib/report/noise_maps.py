"""What is announced under noise: the way of a user's data on simulated trajectories, judged cell by cell.

`python -m lib.report.noise_maps` fills the maps that `outputs/noise_maps.csv` does not hold yet, cell by cell: noise of
measured accelerations by the number of trajectories; where positions alone are measured, noise of positions by sampling.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lib import paths
from lib.files import write_text
from lib.observed.discover import discover
from lib.observed.recording import Experiment, Recording
from lib.physics import datasets
from lib.physics.bodies import Bodies
from lib.physics.datasets import Trajectories
from lib.physics.simulate import snapshot_times
from lib.physics.systems import parse_system
from lib.runs import System
from lib.selection.judgement import judge

log = logging.getLogger(__name__)

SYSTEMS = ("spring-2d", "r1-2d", "r2-2d", "charge-2d")
ACCELERATION_NOISE = (0.0, 0.01, 0.05, 0.1, 0.3)
"""Standard deviations of a component, in units of the median acceleration."""
TRAJECTORIES = (10, 100, 1000, 10_000)
SNAPSHOTS = 5
"""Of each trajectory, evenly over its time, where accelerations are measured."""
POSITION_NOISE = (1e-4, 1e-3, 1e-2)
"""Standard deviations of a component, in units of the positions' own standard deviation."""
SAMPLING = (1, 2, 4)
"""Each so many snapshots of the simulation are measured, where positions are."""
FOLLOWED = 50
"""Trajectories whose positions are measured."""
STREAM = 7
"""Of random numbers: trajectories that no network, search or verdict has seen."""
COLUMNS = ["system", "measured", "noise", "trajectories", "each", "outcome", "expression", "reason", "seconds"]


@dataclass(frozen=True)
class Cell:
    """One measurement: of a system's accelerations, or of its positions."""

    system: str
    measured: str
    noise: float
    trajectories: int
    each: int
    """Each so many snapshots are measured."""

    @property
    def key(self) -> tuple[str, str, float, int, int]:
        """What tells it from others."""
        return self.system, self.measured, self.noise, self.trajectories, self.each


def cells(profile: str = "full") -> list[Cell]:
    """All cells of both maps; of short profiles only the first few of the first map."""
    every = 100 // SNAPSHOTS
    if profile != "full":
        return [Cell(SYSTEMS[0], "accelerations", noise, TRAJECTORIES[0], every) for noise in ACCELERATION_NOISE[:2]]
    found = [
        Cell(s, "accelerations", noise, count, every) for s in SYSTEMS for noise in ACCELERATION_NOISE for count in TRAJECTORIES
    ]
    return found + [
        Cell(s, "positions", noise, FOLLOWED, each) for s in SYSTEMS for noise in POSITION_NOISE for each in SAMPLING
    ]


@lru_cache(maxsize=2)
def simulated(system: System, count: int, every: int) -> Trajectories:
    """So many trajectories of a system, each `every`-th snapshot."""
    return datasets.make(system, count, every=every, stream=STREAM, label=f"{system} measured")


def measured(cell: Cell, seed: int = 0) -> Recording:
    """What is measured of a cell; masses and charges are given where they vary, which nothing tells to matter."""
    system = parse_system(cell.system)
    many = max(TRAJECTORIES) if cell.measured == "accelerations" else FOLLOWED
    every = cell.each if cell.measured == "accelerations" else 1
    found = simulated(system, many, every)
    features = found.features[: cell.trajectories, :: 1 if cell.measured == "accelerations" else cell.each].astype(float)
    rates = found.accelerations[: cell.trajectories].astype(float)
    clock = snapshot_times(system.law)[:: cell.each]
    bodies, rng = Bodies(features), np.random.default_rng(seed)
    position, names = bodies.position, tuple("abcd")
    given = {name: values[:, 0] for name, values in (("mass", bodies.mass), ("charge", bodies.charge)) if np.ptp(values) > 0}
    alone = cell.measured == "positions"
    unit = position.std() if alone else np.median(np.linalg.norm(rates, axis=-1))
    noisy = (position if alone else rates) + cell.noise * unit * rng.standard_normal(position.shape)
    experiments = tuple(
        Experiment(
            clock,
            noisy[k] if alone else position[k],
            None if alone else bodies.velocity[k],
            None if alone else noisy[k],
            {name: values[k] for name, values in given.items()},
            names,
        )
        for k in range(len(position))
    )
    return Recording(experiments, None, ())


def judged(cell: Cell) -> dict[str, object]:
    """A cell's row: right, wrong or none, and what was announced or why nothing."""
    began = time.perf_counter()
    told = discover(measured(cell)).announcement
    outcome = judge(told, parse_system(cell.system)).outcome
    seconds = round(time.perf_counter() - began, 1)
    said = {"outcome": outcome, "expression": told.law.text, "reason": told.reason or "", "seconds": seconds}
    return dict(zip(COLUMNS, cell.key, strict=False)) | said


def read(path: Path) -> pd.DataFrame:
    """The cells that are known."""
    return pd.read_csv(path, keep_default_na=False) if path.exists() else pd.DataFrame(columns=COLUMNS)


def fill(path: Path, wanted: list[Cell]) -> Iterator[dict[str, object]]:
    """Cells that the file does not hold yet, written to it one by one."""
    known = {tuple(row) for row in read(path)[COLUMNS[:5]].itertuples(index=False)}
    for cell in wanted:
        if cell.key not in known:
            row = judged(cell)
            table = pd.concat([read(path), pd.DataFrame([row], columns=COLUMNS)])
            order = {one.key: k for k, one in enumerate(cells())}
            table = table.iloc[
                np.argsort([order.get(tuple(r), 0) for r in table[COLUMNS[:5]].itertuples(index=False)], kind="stable")
            ]
            write_text(path, table.to_csv(index=False))
            yield row


def main() -> None:
    """Fill the maps from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", nargs="?", choices=["accelerations", "positions"], help="one map only")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with threadpool_limits(1):
        for row in fill(paths.noise_maps("full"), [one for one in cells() if given.measured in (None, one.measured)]):
            log.info("%s", ", ".join(f"{row[name]}" for name in COLUMNS))


if __name__ == "__main__":
    main()
