"""Distillation: how often the verdict holds on planted messages, and how long a run's search takes.

    python -m benchmarks.distillation --seeds 13            # a table, and benchmarks/distillation.csv

Messages are g A f plus 5% noise on the pairs of a law's frozen test set, f the true force, A drawn anew for each law,
gauge and seed, g = 1 (the force) or 1/m of the receiver (the acceleration). They are unmixed, searched and judged as
those that a run sends are. `failed` lists the condition numbers of A where the verdict does not hold.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from lib.distillation import regression, verdict
from lib.files import write_text
from lib.messages import unmixing
from lib.messages.extraction import Edges
from lib.physics import datasets
from lib.physics.forces import Pairs, input_names, pair_force, pair_inputs
from lib.physics.systems import parse_system
from lib.profiles import get_profile
from lib.runs import System

HERE = Path(__file__).parent
SYSTEMS = ("spring-2d", "r1-2d", "r2-2d", "charge-2d")
GAUGES = {"force": 0, "acceleration": -1}
"""Power of the receiver's mass that is g."""
NOISE = 0.05
"""Standard deviation of the noise, in those of the messages."""


def drawn(system: System, gauge: str, seed: int) -> tuple[np.ndarray, np.random.Generator]:
    """A [dim, dim] of independent normal entries, and the generator that goes on from there."""
    rng = np.random.default_rng([SYSTEMS.index(str(system)), list(GAUGES).index(gauge), seed])
    return rng.standard_normal((system.dim, system.dim)), rng


def planted(system: System, gauge: str, seed: int) -> Edges:
    """Messages on the pairs of the frozen test set."""
    mix, rng = drawn(system, gauge, seed)
    inputs = pair_inputs(system, datasets.frozen(system).graphs()[0])
    inputs = inputs.reshape(-1, inputs.shape[-1])
    force = pair_force(system.law, inputs)
    sent = Pairs(inputs).m1[:, None] ** float(GAUGES[gauge]) * (force @ mix)
    usual = Edges(sent, None, inputs, force, np.zeros(len(inputs), int)).without_outliers()
    noise = NOISE * usual.messages.std(axis=0) * rng.standard_normal(usual.messages.shape)
    return Edges(usual.messages + noise, None, usual.inputs, usual.force, usual.trajectory)


def attempt(system: System, gauge: str, seed: int) -> tuple[bool, float]:
    """Whether the verdict names the law in the gauge that was planted, and the seconds of search and verdict."""
    budget = get_profile("full")
    edges = planted(system, gauge, seed)
    edges = edges.take(np.random.default_rng(seed).choice(len(edges.messages), budget.regression_edges, replace=False))
    started = time.perf_counter()
    unmixed = edges.messages @ unmixing.unmix(edges.messages, edges.inputs).matrix
    fronts = regression.regress(edges.inputs, unmixed, input_names(system.dim), evaluations=budget.evaluations, seed=seed)
    judged = verdict.judge([front.table for front in fronts], system)
    return judged.recovered and judged.gauge == gauge, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distillation", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=13, metavar="N", help="seeds of each law and gauge (default 13)")
    seeds = range(parser.parse_args().seeds)
    rows = []
    for name in SYSTEMS:
        for gauge in GAUGES:
            found = [attempt(parse_system(name), gauge, seed) for seed in seeds]
            held, seconds = sum(ok for ok, _ in found), float(np.median([time for _, time in found]))
            failed = " ".join(
                f"{np.linalg.cond(drawn(parse_system(name), gauge, seed)[0]):.0f}"
                for seed, (ok, _) in zip(seeds, found, strict=True)
                if not ok
            )
            rows.append({"system": name, "gauge": gauge, "held": held, "of": len(seeds), "seconds": seconds, "failed": failed})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)
    table = pd.DataFrame(rows)
    print(f"{table['held'].sum()} of {table['of'].sum()}")
    write_text(HERE / "distillation.csv", table.to_csv(index=False, float_format="%.3g"))


if __name__ == "__main__":
    main()
