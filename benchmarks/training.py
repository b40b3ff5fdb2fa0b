"""Training: throughput against the original's way of working, and the search for the recipe.

    python -m benchmarks.training                 # throughput: training.csv
    python -m benchmarks.training --search        # recipes: recipes.csv
    python -m benchmarks.training --collisions    # the original's recipe and ours on r2 and charge: collisions.csv

The original's way is a `DataLoader` of PyTorch Geometric `Data` objects, float32, batch 64, Adam on one cycle, MAE.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MessagePassing

from lib import paths
from lib.files import write_text
from lib.memory import keep_freed_memory
from lib.network import inference, snapshots, training
from lib.network.catalogue import parse_run
from lib.network.device import describe, has_bfloat16, pick_device
from lib.network.losses import mae
from lib.network.networks import build
from lib.network.optimizer import Optimizer
from lib.network.recipe import Recipe, recipe_of
from lib.network.replay import replayed
from lib.network.variants import HIDDEN, VARIANTS
from lib.physics import datasets
from lib.physics.laws import get_law
from lib.runs import Run

HERE = Path(__file__).parent
WARM = 10
"""Steps before the clock starts."""
ORIGINAL = Recipe(
    graphs=0,
    batch=64,
    initialization="uniform",
    optimizer="adam",
    other_rate=1e-3,
    schedule="one-cycle",
    warmup=0.3,
    bfloat16=False,
    loss="mae",
)
"""The recipe of the paper's code, but for the number of graphs."""


class OriginalNetwork(MessagePassing):
    """The paper's network as its code has it, on flat nodes [nodes, 2*dim+2] and an edge index [2, edges]."""

    def __init__(self, features: int, width: int, dim: int) -> None:
        super().__init__(aggr="add")

        def perceptron(inputs: int, outputs: int) -> nn.Sequential:
            sizes = [inputs, *HIDDEN]
            layers = [layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o), nn.ReLU())]
            return nn.Sequential(*layers, nn.Linear(HIDDEN[-1], outputs))

        self.edge, self.node = perceptron(2 * features, width), perceptron(features + width, dim)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.node(torch.cat([x, self.propagate(edge_index, x=x)], dim=-1))

    def message(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        return self.edge(torch.cat([x_i, x_j], dim=-1))


def finish(device: torch.device) -> None:
    """Wait for all that a GPU was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def original_rate(run: Run, steps: int) -> float:
    """Graphs a second of the original's loop."""
    device = pick_device()
    bodies, accelerations = inference.tensors(datasets.load(run.system, "validation", run.profile))
    i, j = torch.as_tensor(get_law(run.system.law).pairs(bodies.shape[1])).T
    edges = torch.stack([torch.cat([i, j]), torch.cat([j, i])])
    graphs = [Data(x=x, edge_index=edges, y=y) for x, y in zip(bodies[:20_000], accelerations[:20_000], strict=True)]
    dim = run.system.dim
    model = OriginalNetwork(bodies.shape[-1], VARIANTS[run.variant].width(dim), dim).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + WARM)
    loader, started, done = DataLoader(graphs, batch_size=ORIGINAL.batch, shuffle=True), 0.0, -WARM
    while done < steps:
        for batch in loader:
            if done == 0:
                finish(device)
                started = time.perf_counter()
            if done == steps:
                break
            batch = batch.to(device)
            shift = 3 * torch.randn(batch.num_graphs, dim, device=device)[batch.batch]
            x = torch.cat([batch.x[:, :dim] + shift, batch.x[:, dim:]], dim=-1)
            optimizer.zero_grad()
            mae(model(x, batch.edge_index), batch.y).backward()
            optimizer.step()
            cycle.step()
            done += 1
    finish(device)
    return steps * ORIGINAL.batch / (time.perf_counter() - started)


def our_rate(run: Run, steps: int) -> float:
    """Graphs a second of ours, at the released recipe."""
    recipe, device = recipe_of(run), pick_device()
    data = inference.tensors(datasets.load(run.system, "validation", run.profile), device)
    model = build(run).to(device)
    optimizer = Optimizer(model, recipe)
    forward = training.compiled(model.penalized, device)
    take = replayed(partial(training.step, forward, mae, optimizer, has_bfloat16(device)), device)
    started = 0.0
    for done, batch in enumerate(snapshots.batches(run, recipe, model, data, 0, steps + WARM)):
        if done == WARM:
            finish(device)
            started = time.perf_counter()
        optimizer.at(0.5)
        take(*batch)
    finish(device)
    return steps * recipe.batch / (time.perf_counter() - started)


def peak_rate(seconds: float = 3.0) -> float:
    """Floating-point operations a second of the network's largest product, in its precision."""
    device = pick_device()
    kind = {"dtype": torch.bfloat16 if has_bfloat16(device) else torch.float32, "device": device}
    x, w = torch.randn(3072, HIDDEN[0], **kind), torch.randn(*HIDDEN[:2], **kind)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        torch.mm(x, w)
        done += 1
        if done % 1000 == 0:
            finish(device)
    finish(device)
    return done * 2 * x.shape[0] * w.numel() / (time.perf_counter() - started)


def operations(run: Run) -> float:
    """Floating-point operations of a training step, a graph: forward and backward, and Muon's share."""
    model, recipe = build(run), recipe_of(run)
    edges, bodies = model.edges.shape[1], 4
    parameters = {name: sum(p.numel() for p in part.parameters() if p.ndim == 2) for name, part in model.named_children()}
    passes = 3 * 2 * (edges * parameters["edge"] + bodies * parameters["node"])
    hidden = sum(1 for name, p in model.named_parameters() if "hidden" in name and p.ndim == 2)
    return passes + hidden * 5 * 3 * 2 * HIDDEN[0] ** 3 / recipe.batch  # five Newton-Schulz steps of three products


def throughput(steps: int, repeats: int = 3) -> pd.DataFrame:
    """Both ways in one run, the median of three; on the GPU, or on all the machine's threads, and on one."""
    every, device = torch.get_num_threads(), pick_device()
    counts = sorted({every, 1}, reverse=True) if device.type == "cpu" else [every]
    cases = [(variant, threads) for variant in ("standard", "bottleneck") for threads in counts]

    def measure(rate: Callable[[Run, int], float], count: int) -> dict[tuple[str, int], float]:
        found = {}
        for variant, threads in cases:
            torch.set_num_threads(threads)
            run = parse_run("spring-2d", variant)
            found[variant, threads] = float(np.median([rate(run, count) for _ in range(repeats)]))
        torch.set_num_threads(every)
        return found

    original = measure(original_rate, 4 * steps)
    keep_freed_memory()  # ours alone: the original does without
    ours = measure(our_rate, steps)
    peak = measure(lambda run, count: peak_rate(), 0)
    rows = [
        {
            "device": "CPU" if device.type == "cpu" else describe(device, threads),
            "variant": variant,
            "threads": threads,
            "original_graphs_per_second": original[variant, threads],
            "ours_graphs_per_second": ours[variant, threads],
            "ratio": ours[variant, threads] / original[variant, threads],
            "peak_gflops": peak[variant, threads] / 1e9,
            "share_of_peak": ours[variant, threads] * operations(parse_run("spring-2d", variant)) / peak[variant, threads],
        }
        for variant, threads in cases
    ]
    return pd.DataFrame(rows)


def trained(run: Run, recipe: Recipe) -> tuple[nn.Module, dict[str, Any]]:
    """Network and card of a training in a workspace of its own, which shares the data and leaves nothing behind."""
    datasets.load(run.system, "test", run.profile)
    data = paths.workspace(run.profile) / "data"
    before = os.environ.get("WORKSPACE")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data").symlink_to(data)
        os.environ["WORKSPACE"] = folder
        try:
            return training.train(run, recipe)
        finally:
            if before is None:
                del os.environ["WORKSPACE"]
            else:
                os.environ["WORKSPACE"] = before


def recipes(run: Run, graphs: int) -> dict[str, Recipe]:
    """The released recipe, and what differs from it in one thing."""
    base = replace(recipe_of(run), graphs=graphs)
    return {
        "released": base,
        "Adam": replace(base, optimizer="adam", other_rate=1e-3),
        "Adam, rate 3e-3": replace(base, optimizer="adam", other_rate=3e-3),
        "rates halved": replace(base, hidden_rate=base.hidden_rate / 2, other_rate=base.other_rate / 2),
        "rates doubled": replace(base, hidden_rate=base.hidden_rate * 2, other_rate=base.other_rate * 2),
        "Adam's rate halved": replace(base, other_rate=base.other_rate / 2),
        "batch 64": replace(base, batch=64, hidden_rate=base.hidden_rate / 2, other_rate=base.other_rate / 2),
        "batch 512": replace(base, batch=512, hidden_rate=base.hidden_rate * 1.4, other_rate=base.other_rate * 1.4),
        "linear schedule": replace(base, schedule="linear"),
        "one cycle": replace(base, schedule="one-cycle", warmup=0.3),
        "warm-up 0.1": replace(base, warmup=0.1),
        "float32": replace(base, bfloat16=False),
        "original": replace(ORIGINAL, graphs=graphs),
    }


def search(graphs: int) -> pd.DataFrame:
    """Test loss of each recipe at equal graphs, and at the seconds that the released one takes."""
    run = parse_run("spring-2d", "bottleneck")
    rows, allowed = [], 0.0
    for name, recipe in recipes(run, graphs).items():
        _, card = trained(run, recipe)
        seconds = card["train_seconds"]
        allowed = allowed or seconds
        affordable = int(graphs * allowed / seconds)
        # the released recipe's own seconds are the measure, and near enough is the same
        same = abs(affordable / graphs - 1) < 0.1
        equal = card if same else trained(run, replace(recipe, graphs=affordable))[1]
        rows.append(
            {
                "recipe": name,
                "graphs": graphs,
                "seconds": seconds,
                "loss_at_equal_graphs": card["test_loss_per_node"],
                "graphs_at_equal_seconds": equal["graphs_seen"],
                "loss_at_equal_seconds": equal["test_loss_per_node"],
            }
        )
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.4g"), flush=True)
    return pd.DataFrame(rows)


def collisions(graphs: int) -> pd.DataFrame:
    """Where bodies collide: the original's recipe against ours under MAE and under the law's loss, at equal graphs."""
    rows = []
    for system in ("r2-2d", "charge-2d", "r2-3d", "charge-3d"):
        run = parse_run(system, "bottleneck")
        ours = replace(recipe_of(run), graphs=graphs)
        for name, recipe in {
            "original": replace(ORIGINAL, graphs=graphs),
            "ours, mae": replace(ours, loss="mae"),
            f"ours, {ours.loss}": ours,
        }.items():
            _, card = trained(run, recipe)
            losses = {key: card[key] for key in ("test_loss_per_node", "test_relative_error", "train_seconds")}
            rows.append({"system": system, "recipe": name, "graphs": graphs, **losses})
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.4g"), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    """Measure, print and write the table that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    tables = parser.add_mutually_exclusive_group()
    tables.add_argument("--search", action="store_true", help="recipes at equal graphs and at equal seconds")
    tables.add_argument("--collisions", action="store_true", help="r2 and charge against the original's recipe")
    parser.add_argument("--graphs", type=int, default=500_000, help="training graphs of each recipe")
    parser.add_argument("--steps", type=int, default=100, help="steps timed of ours, and four times as many of the original")
    options = parser.parse_args()
    if options.search:
        name, table = "recipes", search(options.graphs)
    elif options.collisions:
        name, table = "collisions", collisions(options.graphs)
    else:
        name, table = "training", throughput(options.steps)
        print(table.to_string(index=False, float_format="%.3g"))
        if (HERE / "training.csv").exists():  # what other devices gave stays
            before = pd.read_csv(HERE / "training.csv")
            table = pd.concat([before[~before.device.isin(table.device)], table])
    write_text(HERE / f"{name}.csv", table.to_csv(index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
