"""Training steps: against those of an earlier commit on one core, and by one worker and by two.

    python -m benchmarks.steps                        # against the last commit before workers: steps.csv
    python -m benchmarks.steps --against HEAD         # against what is committed

Processes take so many steps by turns, with the code of the commit, with ours by one worker, and with ours by two.
Against the commit the ratio is that of the processor's seconds in a step; of two workers it is that of the clock's, which needs
a machine without other work. Medians over turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
BEFORE = "65880a2"
"""The last commit without workers, with PyTorch's own Muon on processors."""
VARIANTS = ("standard", "bottleneck", "l1", "kl", "reciprocal")
TURNS, STEPS, WARM = 8, 10, 5


def serve(variant: str, workers: int) -> None:
    """Take steps as often as a line comes in, and answer with the processor's and the clock's seconds in one."""
    import torch

    from lib.memory import keep_freed_memory
    from lib.network import snapshots, training
    from lib.network.catalogue import parse_run
    from lib.network.losses import mae
    from lib.network.networks import build
    from lib.network.optimizer import Optimizer
    from lib.network.recipe import recipe_of

    keep_freed_memory()
    run = parse_run("spring-2d", variant)
    recipe, model = recipe_of(run), build(run)
    with ExitStack() as stack:
        if workers:
            from lib.network.workers import Workers

            by = Workers(workers)
            stack.enter_context(by.at_work())
            optimizer = Optimizer(model, recipe, by)
        else:  # as before there were workers
            optimizer = Optimizer(model, recipe)
        optimizer.at(0.5)
        data = torch.randn(20_000, 4, 6), torch.randn(20_000, 4, 2)
        for turn, count in enumerate(map(int, sys.stdin)):
            spent, started = time.process_time(), time.perf_counter()
            for batch in snapshots.batches(run, recipe, model, data, turn, count):
                training.step(model.penalized, mae, optimizer, True, *batch)
            print((time.process_time() - spent) / count, (time.perf_counter() - started) / count, flush=True)


def seconds(ways: list[tuple[Path, int]], variant: str) -> list[list[list[float]]]:
    """Seconds a step of the processor and of the clock, by turns, of each way: a folder with code, and workers."""
    with ExitStack() as stack:
        servers = []
        for folder, workers in ways:
            variables = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
            call = [sys.executable, __file__, "--serve", variant, "--workers", str(workers)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
            servers.append(stack.enter_context(subprocess.Popen(call, env=variables, **pipes)))

        def turn(server: subprocess.Popen[str], count: int) -> list[float]:
            server.stdin.write(f"{count}\n")
            return [float(word) for word in server.stdout.readline().split()]

        for server in servers:
            turn(server, WARM)
        return [[turn(server, STEPS) for server in servers] for _ in range(TURNS)]


def compare(commit: str) -> list[dict[str, object]]:
    """A row for each variant."""
    import numpy as np

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        git = ["git", "-C", str(HERE.parent), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(before), commit], check=True)
        try:
            for variant in VARIANTS:
                found = np.array(seconds([(before, 0), (HERE.parent, 1), (HERE.parent, 2)], variant))
                spent, clock = np.median(found, axis=0).T * 1e3
                row = {
                    "variant": variant,
                    "before_processor_ms": spent[0],
                    "now_processor_ms": spent[1],
                    "ratio": np.median(found[:, 0, 0] / found[:, 1, 0]),
                    "one_worker_ms": clock[1],
                    "two_workers_ms": clock[2],
                    "speed_up_of_two": np.median(found[:, 1, 1] / found[:, 2, 1]),
                }
                rows.append(row)
                print(
                    "  ".join(f"{name} {value:.3g}" if name != "variant" else value for name, value in row.items()), flush=True
                )
        finally:
            subprocess.run([*git, "remove", "--force", str(before)], check=True)
    return rows


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--against", default=BEFORE, metavar="COMMIT", help=f"the code to compare with (default {BEFORE})")
    parser.add_argument("--serve", metavar="VARIANT", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.workers)
        return
    import pandas as pd

    from lib.files import write_text

    table = pd.DataFrame(compare(options.against))
    write_text(HERE / "steps.csv", table.to_csv(index=False, float_format="%.3g"))


if __name__ == "__main__":
    main()
