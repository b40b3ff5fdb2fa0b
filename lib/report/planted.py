"""Planted messages: how often the announced law is right where messages are the true force in disguise.

`python -m lib.report.planted [SYSTEM ...]` plants, searches and announces, of all systems or of those named, and writes
`outputs/planted.csv`, one row a case. Rows that are there already are left as they are.

The rule was written down before the first run. Of each of `SYSTEMS` there are 13 cases a series, 104 in all, by seed
s = 0 to 12. A further series has other data sets. It was added, and run once, when the engine had been changed for what
those before had shown: series 2, s = 13 to 25, for the search for structures; series 3, s = 26 to 38, for products that
are multiplied out. Series 3 was ended by an error in `discontinuous`. This and a term of no size, which had not been
dropped, were mended. Then the cases went on that had no result yet: those of `discontinuous`, `own_length` and
`superposition`, and eight of `damped`.

- In each series a system has three data sets, one a noise, of trajectories from a random stream of their own: what runs
  of a system share, the seeds that have the same noise share here.
- The messages of all pairs are m = g f A + h, f the true force, A of independent normal entries, with the gauge
  number s mod 4 of `GAUGES` and the noise number s mod 3 of `NOISES`: all twelve combinations, and the first one again.
- Noise is Gaussian: of each message channel in units of its standard deviation (without outliers), of each component of
  the accelerations, by which constants are fitted and laws compared, in units of their median size.
- Messages and the node's accelerations are searched as those of a run are, with few evaluations: seconds a case.
- Three laws are announced: of the fronts alone, of generated formulas alone, and of both. None sees the truth, the gauge,
  A, or the noise; the verdict comes last.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lib import paths
from lib.distillation import regression
from lib.distillation.closed_form import node_names
from lib.errors import InputError
from lib.files import write_text
from lib.messages import discontinuities, extraction, unmixing
from lib.messages.extraction import Edges
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.forces import Pairs, input_names, pair_force, pair_inputs
from lib.physics.laws import get_law
from lib.physics.systems import parse_system
from lib.runs import System
from lib.selection import simulated
from lib.selection.judgement import judge
from lib.selection.law import Announcement
from lib.selection.of_runs import OfSystem, announce_run

log = logging.getLogger(__name__)

SYSTEMS = tuple(
    f"{law}-2d" for law in ("spring", "r1", "r2", "charge", "damped", "discontinuous", "own_length", "superposition")
)
"""Every registered law in which all pairs act alike and one formula holds for every body."""
SERIES = 13
"""Cases of a system in one series."""
SEEDS = range(3 * SERIES)
GAUGES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "force": (np.ones_like, 0.0),
    "acceleration": (lambda m: 1 / m, 0.0),
    "a function of the mass": (lambda m: 1 + 0.8 / m, 0.0),
    "with an offset": (np.ones_like, 0.3),
}
"""g of the receiver's mass, and the size of an offset h = 1/(1 + m) of the receiver, in standard deviations of messages."""
NOISES = (0.01, 0.02, 0.05)
STREAM = 4
"""Random stream of the trajectories, beside those of `datasets.SPLITS`."""
TRAJECTORIES = 50
EVERY = 4
"""Of their snapshots one in so many is kept."""
ROWS, EVALUATIONS = 500, 20_000
"""Edges, or bodies, of one search, and the expressions that it evaluates: a second or two."""
SOURCES = ("fronts", "formulas", "all")


@dataclass(frozen=True)
class Case:
    """One run that is planted."""

    system: System
    seed: int

    @property
    def gauge(self) -> str:
        """Name of the gauge."""
        return list(GAUGES)[self.seed % len(GAUGES)]

    @property
    def noise(self) -> float:
        """Of messages and of accelerations."""
        return NOISES[self.seed % len(NOISES)]

    @property
    def data_set(self) -> int:
        """Number of its data set, among those of its system."""
        return NOISES.index(self.noise) + len(NOISES) * (self.seed // SERIES)

    def generator(self) -> np.random.Generator:
        """Random numbers of this case."""
        return np.random.default_rng([SYSTEMS.index(str(self.system)), self.seed])


def data_set(system: System, number: int) -> OfSystem:
    """Trajectories with noisy accelerations that several cases of a system share."""
    noise = NOISES[number % len(NOISES)]
    trajectories = datasets.make(system, TRAJECTORIES, seed=number, stream=STREAM, every=EVERY)
    rng = np.random.default_rng([len(SYSTEMS) + SYSTEMS.index(str(system)), number])
    evidence = simulated.with_noise(simulated.evidence_of(trajectories), noise, rng)
    return OfSystem(system, trajectories, evidence)


def planted(case: Case, trajectories: Trajectories, rng: np.random.Generator) -> Edges:
    """Messages of all pairs of the trajectories, as sent by a network that knows the force."""
    inputs = pair_inputs(case.system, trajectories.graphs()[0])
    inputs = inputs.reshape(-1, inputs.shape[-1])
    force, mass = pair_force(case.system.law, inputs), Pairs(inputs).m1
    gauge, offset = GAUGES[case.gauge]
    sent = gauge(mass)[:, None] * (force @ rng.standard_normal((case.system.dim, case.system.dim)))
    edges = Edges(sent, None, inputs, force, np.zeros(len(inputs), int))
    spread = edges.without_outliers().messages.std(axis=0)
    noise = case.noise * rng.standard_normal(sent.shape)
    return replace(edges, messages=sent + spread * (offset / (1 + mass)[:, None] + noise))


def fronts(
    case: Case, edges: Edges, targets: np.ndarray, trajectories: Trajectories, rng: np.random.Generator
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Fronts of messages, and of a node that gives the accelerations [bodies, dim], one table a component."""
    names, dim = input_names(case.system.dim), case.system.dim
    search = {"evaluations": EVALUATIONS, "seed": case.seed, "workers": 1}
    typical = edges.without_outliers()
    mix = unmixing.unmix(typical.messages, typical.inputs).matrix
    typical = replace(typical, messages=typical.messages @ mix)
    if discontinuity := discontinuities.find(typical.inputs, typical.messages):
        typical = typical.take(discontinuity.outside_transition(typical.inputs))
    drawn = typical.take(rng.choice(len(typical.messages), ROWS, replace=False))
    messages = regression.regress(
        drawn.inputs, drawn.messages, names, purpose="messages", discontinuity=discontinuity, **search
    )
    graphs = trajectories.graphs()[0]
    receiver = get_law(case.system.law).pairs(graphs.shape[1]).T.ravel()
    received = np.zeros((*graphs.shape[:2], dim))
    for k, body in enumerate(receiver):
        received[:, body] += (edges.messages @ mix).reshape(len(graphs), -1, dim)[:, k]
    bodies = np.concatenate([graphs, received], axis=-1).reshape(len(targets), -1).astype(float)
    size = np.linalg.norm(targets, axis=1)
    usual = np.flatnonzero(size < np.quantile(size, extraction.OUTLIER_QUANTILE))
    chosen = rng.choice(usual, ROWS, replace=False)
    node = regression.regress(bodies[chosen], targets[chosen], node_names(dim), purpose="node", **search)
    return [front.table for front in messages], [front.table for front in node]


def announced(case: Case, known: OfSystem) -> dict[str, Announcement]:
    """What is announced of a case on its data set, by source but for formulas alone."""
    rng = case.generator()
    edges = planted(case, known.trajectories, rng)
    found = announce_run(known, *fronts(case, edges, known.evidence.target, known.trajectories, rng))
    return {"fronts": found.of_fronts, "all": found.of_all}


def row(case: Case, found: dict[str, Announcement]) -> dict[str, Any]:
    """What the verdict says of a case, as a row of the table on disk."""
    judged = {source: judge(one, case.system) for source, one in found.items()}
    return {
        "system": str(case.system),
        "series": 1 + case.seed // SERIES,
        "seed": case.seed,
        "gauge": case.gauge,
        "noise": case.noise,
        **{source: judged[source].outcome for source in SOURCES},
        "law": found["all"].law.text,
        "reason": judged["all"].reason or "",
    }


def table_path(profile: str = "full") -> Path:
    """Where the table of all cases lies."""
    return paths.workspace(profile) / "outputs" / "planted.csv"


def read(profile: str = "full") -> pd.DataFrame:
    """The table of all cases."""
    return pd.read_csv(table_path(profile), keep_default_na=False)


def compute(names: Sequence[str], path: Path, seeds: Iterable[int] = SEEDS) -> None:
    """Add to the table on disk the cases of these systems that it lacks, each when it is done."""
    if unknown := set(names) - set(SYSTEMS):
        raise InputError(f"no planted messages of {', '.join(sorted(unknown))}: choose of {', '.join(SYSTEMS)}")
    rows = pd.read_csv(path, keep_default_na=False).to_dict("records") if path.exists() else []
    known = {(one["system"], one["seed"]) for one in rows}
    due = [Case(parse_system(name), seed) for name in names for seed in seeds if (name, seed) not in known]
    due.sort(key=lambda case: (-case.data_set, SYSTEMS.index(str(case.system))))
    for (system, number), group in itertools.groupby(due, key=lambda case: (case.system, case.data_set)):
        shared = data_set(system, number)
        formulas = shared.announce(shared.generated)
        for case in group:
            rows.append(last := row(case, announced(case, shared) | {"formulas": formulas}))
            rows.sort(key=lambda one: (SYSTEMS.index(one["system"]), one["seed"]))
            write_text(path, pd.DataFrame(rows).to_csv(index=False))
            log.info("%s seed %d: %s", system, case.seed, ", ".join(f"{source} {last[source]}" for source in SOURCES))


def main() -> None:
    """Compute from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help=f"systems, of {', '.join(SYSTEMS)}; all if none are named")
    only = parser.parse_args().only
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with threadpool_limits(1):
        compute(only or SYSTEMS, table_path())


if __name__ == "__main__":
    main()
