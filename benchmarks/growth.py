"""How cost grows with the number of bodies: a training step, messages, and a simulation, one core each.

    python -m benchmarks.growth        # growth.csv

Processor seconds a graph (training, messages) or a trajectory (simulation) of spring-2d with n bodies, each of which acts on
all others, and the exponent k of n^k fitted to them. Pairs alone would give 2.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.files import write_text
from lib.memory import keep_freed_memory
from lib.network import snapshots, training
from lib.network.catalogue import parse_run
from lib.network.device import has_bfloat16, pick_device
from lib.network.losses import mae
from lib.network.networks import build
from lib.network.optimizer import Optimizer
from lib.network.recipe import recipe_of
from lib.physics.simulate import initial_bodies, simulate, snapshot_times

HERE = Path(__file__).parent
BODIES = (4, 8, 16, 64)
RUN = parse_run("spring-2d", "standard")
EDGES = 3072
"""Edges in a step and in a batch of messages, about as many as in training."""
TRAJECTORIES, SNAPSHOTS = 16, 3
REPEATS = 3


def processor_seconds(work: Callable[[], object]) -> float:
    """The least of some repeats, after one that compiles what is to be compiled."""
    work()
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return min(spent)


def step(n: int, graphs: int) -> Callable[[], object]:
    """One training step on so many graphs of n bodies."""
    model, recipe = build(RUN, n), recipe_of(RUN)
    optimizer = Optimizer(model, recipe)
    optimizer.at(0.5)
    data = torch.randn(1_000, n, 6), torch.randn(1_000, n, 2)
    batch = next(snapshots.batches(RUN, recipe, model, data, 0, 1))
    bodies, targets = (part[:graphs] for part in batch[:2])
    return lambda: training.step(model.penalized, mae, optimizer, has_bfloat16(pick_device()), bodies, targets, None)


def messages(n: int, graphs: int) -> Callable[[], object]:
    """Messages along all edges of so many graphs of n bodies."""
    model, bodies = build(RUN, n), torch.randn(graphs, n, 6)

    def send() -> object:
        with torch.no_grad():
            return model.messages(bodies)

    return send


def simulation(n: int) -> Callable[[], object]:
    """A few trajectories of n bodies, to the third snapshot."""
    law = RUN.system.law
    initial = initial_bodies(law, TRAJECTORIES, n, 2, seed=0)
    return lambda: simulate(law, initial, snapshot_times(law)[:SNAPSHOTS])


def main() -> None:
    """Measure, print the exponents, write the table."""
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = []
    for n in BODIES:
        graphs = max(2, EDGES // (n * (n - 1)))
        row = {
            "bodies": n,
            "step_ms_a_graph": 1e3 * processor_seconds(step(n, graphs)) / graphs,
            "messages_ms_a_graph": 1e3 * processor_seconds(messages(n, graphs)) / graphs,
            "simulation_ms_a_trajectory": 1e3 * processor_seconds(simulation(n)) / TRAJECTORIES,
        }
        rows.append(row)
        print("  ".join(f"{name} {value:.3g}" for name, value in row.items()), flush=True)
    table = pd.DataFrame(rows)
    fits = {name: np.polyfit(np.log(table["bodies"]), np.log(table[name]), 1)[0] for name in table.columns[1:]}
    print("exponents:", ", ".join(f"{name} {fit:.2f}" for name, fit in fits.items()))
    table = pd.concat([table, pd.DataFrame([{"bodies": "exponent", **fits}])])
    write_text(HERE / "growth.csv", table.to_csv(index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
