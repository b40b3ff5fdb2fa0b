"""The announced law of every simulated run, from its fronts, from generated formulas, and from both; without the truth.

`python -m lib.selection.of_runs [SYSTEM or RUN ...]` announces of all distilled runs, or of those named, and leaves each
`law.json`. What is there already is left as it is.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lib import paths
from lib.errors import InputError
from lib.network import inference, weights
from lib.network.catalogue import parse_folder
from lib.network.models import GraphNetwork
from lib.physics.datasets import Trajectories
from lib.profiles import PROFILES, get_profile
from lib.runs import Run, System
from lib.selection import simulated
from lib.selection.announce import FORM_EDGES, Prepared, announce, is_same
from lib.selection.candidates import Candidate
from lib.selection.choice import Scored, again, choose
from lib.selection.evidence import Evidence
from lib.selection.from_fronts import of_fronts
from lib.selection.from_splines import of_splines
from lib.selection.law import LAW, LAW_OF_FRONTS, LAW_OF_SEARCH, Announcement, noise_folder

log = logging.getLogger(__name__)

AXES = ("x", "y", "z")
BEHIND = 1000.0
"""Nats behind the best, on the part of the evidence where formulas are tried, beyond which one is not compared with others."""


@dataclass(frozen=True)
class OfSystem:
    """What all runs of a system share: evidence, its structure, and the best of the formulas generated from it."""

    system: System
    trajectories: Trajectories
    evidence: Evidence

    @classmethod
    def of(cls, system: System, profile: str, noise: float = 0.0) -> OfSystem:
        """Of a system's training trajectories, with noise on accelerations of so many times their median size."""
        trajectories = simulated.trajectories_of(system, profile)
        evidence = simulated.evidence_of(trajectories)
        return cls(system, trajectories, simulated.with_noise(evidence, noise) if noise else evidence)

    @cached_property
    def prepared(self) -> Prepared:
        """Its structures."""
        return Prepared.of(self.evidence)

    @cached_property
    def generated(self) -> list[Candidate]:
        """The best generated formulas."""
        return self.best(self.prepared.candidates())

    def best(self, candidates: list[Candidate]) -> list[Candidate]:
        """The candidates that are worth comparing with others', fitted; of those that give the same numbers the shortest."""
        found, _ = choose(candidates, self.evidence.sample(FORM_EDGES, 1))
        kept: list[Scored] = []
        for one in found:
            if one.length < found[0].length + BEHIND and not any(is_same(other, one) for other in kept):
                kept.append(one)
        return again(kept)

    def announce(self, candidates: list[Candidate], model: GraphNetwork | None = None) -> Announcement:
        """What is announced of candidates, beside a network where there is one."""
        error = None if model is None else network_error(model, self.trajectories, self.evidence)
        return announce(self.evidence, candidates, self.prepared, error)

    @cached_property
    def searched(self) -> list[Candidate]:
        """The best formulas of a symbolic regression on the splines of its best structure."""
        return self.best(of_splines(self.prepared.dictionary, self.prepared.structures[0], self.prepared.jump))


@dataclass(frozen=True)
class Announced:
    """What is announced of a run."""

    of_fronts: Announcement
    """Of its fronts alone."""
    of_all: Announcement
    """Of its fronts and of generated formulas."""

    def write(self, folder: Path) -> None:
        """Write both records."""
        self.of_fronts.write(folder / LAW_OF_FRONTS)
        self.of_all.write(folder / LAW)


def announce_run(
    known: OfSystem, messages: list[pd.DataFrame], node: list[pd.DataFrame], model: GraphNetwork | None = None
) -> Announced:
    """What is announced of a run with these fronts, one table a component of messages and node."""
    own = known.best(of_fronts(messages, node, known.evidence))
    return Announced(known.announce(own, model), known.announce([*own, *known.generated], model))


def network_error(model: GraphNetwork, trajectories: Trajectories, evidence: Evidence) -> float:
    """Root of the network's weighted square error on the evidence's rows, relative to no law."""
    predicted = inference.predict(model, trajectories.graphs()[0]).reshape(-1, evidence.motion.dim)
    weight = 1 / (evidence.typical + np.linalg.norm(evidence.target, axis=1))[:, None]
    left = (evidence.target - evidence.average @ predicted.astype(float)) * weight
    return float(np.linalg.norm(left) / np.linalg.norm(evidence.target * weight))


def fronts_of(run: Run) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """The fronts of a run's messages and of its node, as stage 4 left them."""
    folder, axes = paths.outputs(run), AXES[: run.system.dim]
    messages = [pd.read_csv(folder / f"front-{k + 1}.csv") for k in range(len(axes))]
    return messages, [pd.read_csv(folder / f"front-node-{axis}.csv") for axis in axes]


def distilled_runs(profile: str, only: list[str]) -> list[Run]:
    """Runs of a profile that have fronts, by seed and name; of these systems or runs only, if any are named."""
    found = sorted(paths.workspace(profile).glob("outputs/*/*/front-node-x.csv"))
    runs = [parse_folder(path.parent.parent.name, path.parent.name, profile) for path in found]
    chosen = [run for run in runs if not only or str(run) in only or str(run.system) in only]
    chosen = sorted(chosen, key=lambda run: run.seed)
    if not chosen:
        raise InputError(f"no distilled run of {', '.join(only) or profile}: stage 4 comes first")
    return chosen


def model_of(run: Run) -> GraphNetwork | None:
    """A run's network, where its weights are at hand."""
    return weights.load(run)[0] if paths.weights(run).exists() else None


def announce_all(runs: list[Run], noise: float = 0.0) -> Iterator[tuple[Run | System, Path]]:
    """Announce of runs that have no `law.json`, and of their systems, writing these; each with its record when it is done.

    With noise, records are written to a folder of their own.
    """
    place = noise_folder(noise)
    for system, group in groupby(runs, key=lambda run: run.system):
        of_system = list(group)
        profile = of_system[0].profile
        folder = paths.outputs_of_system(system, profile) / place
        due = [run for run in of_system if not (paths.outputs(run) / place / LAW).exists()]
        if not due and all((folder / name).exists() for name in (LAW, LAW_OF_SEARCH)):
            continue
        known = OfSystem.of(system, profile, noise)
        if not (folder / LAW).exists():
            known.announce(known.generated).write(folder / LAW)
            yield system, folder / LAW
        if not (folder / LAW_OF_SEARCH).exists():
            known.announce(known.searched).write(folder / LAW_OF_SEARCH)
            yield system, folder / LAW_OF_SEARCH
        for run in due:
            announce_run(known, *fronts_of(run), model_of(run)).write(paths.outputs(run) / place)
            yield run, paths.outputs(run) / place / LAW


def main() -> None:
    """Announce from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="systems or runs, such as spring-2d or spring-2d/l1; all if none are named")
    parser.add_argument("--noise", type=float, default=0.0, help="of accelerations, in units of their median size")
    parser.add_argument("--profile", default="full", choices=list(PROFILES))
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    get_profile(given.profile)
    with threadpool_limits(1):
        for what, record in announce_all(distilled_runs(given.profile, given.only), given.noise):
            log.info("%s: %s", what, paths.shown(record))


if __name__ == "__main__":
    main()
