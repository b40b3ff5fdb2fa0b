"""The verdict on messages asked anew of fronts that are on disk, without a search.

    python -m lib.report.rejudge            # which runs' verdicts would change
    python -m lib.report.rejudge --write    # and verdict.json of these written anew

A run whose law is no longer on the fronts of its last projection may have others on disk; only a search would tell.
"""

from __future__ import annotations

import argparse

import pandas as pd

from lib import paths
from lib.distillation import verdict
from lib.distillation.verdict import Verdict
from lib.files import read_json, write_json
from lib.report.results import finished_runs
from lib.runs import Run

VERDICT = "verdict.json"


def distilled_runs(profile: str) -> list[Run]:
    """Runs of a profile that have fronts and a verdict."""
    return [run for run in finished_runs(profile) if (paths.outputs(run) / VERDICT).exists()]


def judged_anew(run: Run) -> Verdict:
    """The verdict on the fronts that a run has on disk."""
    folder = paths.outputs(run)
    return verdict.judge([pd.read_csv(folder / f"front-{k + 1}.csv") for k in range(run.system.dim)], run.system)


def compare(runs: list[Run], write: bool = False) -> pd.DataFrame:
    """The gauge that is recorded of each run and that found now, the same of the engine's choices; recorded if `write`."""
    rows = []
    for run in runs:
        path = paths.outputs(run) / VERDICT
        recorded, found = read_json(path), judged_anew(run)
        names = {"run": str(run), "recorded": recorded["gauge"], "now": found.gauge}
        rows.append(names | {"choice recorded": recorded["choice"], "choice now": found.choice})
        if write:
            write_json(path, recorded | found.record())
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lib.report.rejudge", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write verdict.json of each run anew")
    parser.add_argument("--profile", default="full")
    options = parser.parse_args()
    table = compare(distilled_runs(options.profile), options.write)
    changed = table[(table["recorded"].fillna("") != table["now"].fillna(""))]
    print(changed.to_string(index=False))
    for what in ("recorded", "now", "choice recorded", "choice now"):
        print(f"{what}: {table[what].notna().sum()} of {len(table)}")


if __name__ == "__main__":
    main()
