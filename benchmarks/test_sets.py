"""Test sets: how much a loss per node hangs on the trajectories that happen to be in the test set.

    python -m benchmarks.test_sets                # test_sets.csv

The released networks of spring and r1 on further test sets, as many trajectories each as the released one and none in
common with it, every tenth of their snapshots.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from lib.files import write_text
from lib.network import inference, weights
from lib.network.catalogue import select
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.systems import DIMENSIONS
from lib.profiles import get_profile
from lib.report.results import published
from lib.runs import Run, System

HERE = Path(__file__).parent
LAWS = ("spring", "r1")
"""Those trained under the paper's loss."""


def further_sets(system: System, count: int) -> list[Trajectories]:
    """Test sets from seeds 1, 2, ..."""
    size = get_profile("full").trajectories["test"]
    stream = datasets.SPLITS["test"]
    return [datasets.make(system, size, seed=1 + k, stream=stream, every=10) for k in range(count)]


def losses(run: Run, sets: list[Trajectories]) -> dict[str, float | str]:
    """Loss per node of a run's network on the released test set and on others."""
    model, card = weights.load(run)
    found = [inference.evaluate(model, *inference.tensors(one)) for one in sets]
    known = published("test_loss_per_node").set_index(["source", "system", "variant"])["value"]
    return {
        "system": str(run.system),
        "variant": run.variant,
        "paper": float(known.get(("paper_table3", str(run.system), run.variant), np.nan)),
        "released_set": card["test_loss_per_node"],
        "median": float(np.median(found)),
        "least": min(found),
        "most": max(found),
        "mean": float(np.mean(found)),
    }


def main() -> None:
    """Evaluate, print and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.test_sets", description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=10, metavar="N", help="further test sets (default 10)")
    count = parser.parse_args().sets
    rows = []
    for system in (System(law, dim) for dim in DIMENSIONS for law in LAWS):
        sets = further_sets(system, count)
        rows += [losses(run, sets) for run in select([str(system)])]
        print(pd.DataFrame(rows[-6:]).to_string(index=False, float_format="%.3g"), flush=True)
    write_text(HERE / "test_sets.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.3g"))


if __name__ == "__main__":
    main()
