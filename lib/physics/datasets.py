"""Simulated trajectories on disk: made once for each split, and checked before every use."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib import paths
from lib.cache import Arrays, Record, differing, load_or_make
from lib.errors import InputError
from lib.files import read_arrays, write_arrays
from lib.physics.fingerprint import fingerprint
from lib.physics.laws import SOFTENING, get_law
from lib.physics.simulate import EVERY, STEPS, TOLERANCE, accelerations, check, initial_bodies, simulate, snapshot_times
from lib.profiles import get_profile
from lib.runs import System

log = logging.getLogger(__name__)

SPLITS = {"train": 0, "validation": 1, "test": 2, "frozen": 3}
"""Random stream of each split. Splits share no trajectory: one cut in two would leak."""

FROZEN_COUNT = 100
"""Trajectories of a frozen test set."""
FROZEN_EVERY = 20
"""Of the snapshots of these, one in so many is kept."""


@dataclass(frozen=True)
class Trajectories:
    """Simulated trajectories, with the accelerations at each snapshot."""

    features: np.ndarray
    """[trajectories, times, n, 2*dim+2], float32: x, v, charge q, mass m of each body."""
    accelerations: np.ndarray
    """[trajectories, times, n, dim], float32."""
    record: dict[str, Any]
    """How they were made, and the SHA-256 of their file."""

    def arrays(self) -> Arrays:
        """What their file holds, by name."""
        return {"features": self.features, "accelerations": self.accelerations}

    def thinned(self, every: int) -> Trajectories:
        """The same trajectories with each `every`-th snapshot."""
        return Trajectories(self.features[:, ::every], self.accelerations[:, ::every], self.record)

    def sample(self, graphs: int) -> Trajectories:
        """At least so many graphs, if there are, spread evenly over trajectories and times."""
        every = max(1, math.isqrt(math.prod(self.features.shape[:2]) // graphs))
        return Trajectories(self.features[::every, ::every], self.accelerations[::every, ::every], self.record)

    def graphs(self) -> tuple[np.ndarray, np.ndarray]:
        """All snapshots: features [graphs, n, 2*dim+2] and accelerations [graphs, n, dim]."""
        return (
            self.features.reshape(-1, *self.features.shape[2:]),
            self.accelerations.reshape(-1, *self.accelerations.shape[2:]),
        )


def identity(system: System, *, n: int = 4, dt: float | None = None, every: int = 1) -> Record:
    """What decides how n bodies move under a system's law, and which snapshots are kept, as JSON."""
    law = get_law(system.law)
    return {
        "law": system.law,
        "dim": system.dim,
        "n": n,
        "dt": law.dt if dt is None else dt,
        "force": str(law.force),
        "friction": law.friction(n).tolist(),
        "offsets": list(law.offsets(n)),
        "softening": SOFTENING,
        "steps": STEPS,
        "every": EVERY * every,
        "tolerance": TOLERANCE,
        "fingerprint": fingerprint(law, n, system.dim),
    }


def draw(seed: int, stream: int, count: int) -> Record:
    """Which trajectories of a system are drawn, as a record has it."""
    return {"seed": seed, "stream": stream, "requested": count}


def wanted(system: System, split: str, profile: str = "full", *, n: int = 4, dt: float | None = None, seed: int = 0) -> Record:
    """What the record of a split on disk must hold; `InputError` if there is no such split, or system of n bodies."""
    check(n, system.dim, dt)
    counts = get_profile(profile).trajectories
    if split not in counts:
        raise InputError(f"unknown split {split!r}: choose one of {', '.join(counts)}")
    return identity(system, n=n, dt=dt) | draw(seed, SPLITS[split], counts[split])


def make(
    system: System,
    count: int,
    *,
    n: int = 4,
    seed: int = 0,
    stream: int = 0,
    dt: float | None = None,
    every: int = 1,
    label: str | None = None,
) -> Trajectories:
    """Simulate `count` trajectories of n bodies, keeping each `every`-th snapshot; drop and count failures."""
    check(n, system.dim, dt)
    times = snapshot_times(system.law, dt)[::every]
    initial = initial_bodies(system.law, count, n, system.dim, seed, stream)
    bodies, solution = simulate(system.law, initial, times, label=label)
    kept = np.flatnonzero(solution.complete)
    features = bodies[kept].astype(np.float32)
    # of the rounded positions, so that a close encounter's acceleration is that of its features
    rates = accelerations(system.law, features).astype(np.float32)
    finite = np.isfinite(rates).all(axis=(1, 2, 3))
    dropped = {
        "integration failed": count - len(kept),
        "acceleration not finite": int((~finite).sum()),
    }
    if any(dropped.values()):
        log.warning("%s: dropped of %d trajectories: %s", system, count, dropped)
    record = identity(system, n=n, dt=dt, every=every) | draw(seed, stream, count)
    return Trajectories(features[finite], rates[finite], record | {"trajectories": int(finite.sum()), "dropped": dropped})


def save(trajectories: Trajectories, path: Path) -> Trajectories:
    """Write trajectories, and beside them their record with the SHA-256 of the file."""
    arrays = trajectories.arrays()
    return Trajectories(**arrays, record=write_arrays(path, trajectories.record, **arrays))


def read(path: Path) -> Trajectories:
    """Read trajectories; `InputError` if the file is missing, damaged, or not the one recorded."""
    arrays, record = read_arrays(path)
    try:
        return Trajectories(arrays["features"], arrays["accelerations"], record)
    except KeyError as error:
        raise InputError(f"{path.name} of {path.parent.name} cannot be read: no {error} in it") from None


def load(
    system: System, split: str, profile: str = "full", *, n: int = 4, dt: float | None = None, seed: int = 0
) -> Trajectories:
    """Trajectories of a split, simulated first if they are not on disk as they should be.

    Other than four bodies, another dt than the law's or another seed than 0 have a folder of their own.
    """
    record = wanted(system, split, profile, n=n, dt=dt, seed=seed)
    path = paths.dataset(system, split, profile)
    if (n, record["dt"], seed) != (4, get_law(system.law).dt, 0):
        path = path.parent / f"n{n}-dt{record['dt']:g}-seed{seed}" / path.name

    def made() -> tuple[Arrays, Record]:
        drawn = {"seed": seed, "stream": SPLITS[split], "label": f"{system} {split}"}
        trajectories = make(system, record["requested"], n=n, dt=dt, **drawn)
        return trajectories.arrays(), trajectories.record

    arrays, record = load_or_make(path, record, made)
    return Trajectories(**arrays, record=record)


def frozen(system: System) -> Trajectories:
    """The tracked test set: 100 trajectories, 5 snapshots each, the same bytes on every machine.

    Raises `InputError` if it is missing or damaged, or was made under another law than the registered one.
    """
    found = read(paths.frozen_set(system))
    due = identity(system, every=FROZEN_EVERY) | draw(0, SPLITS["frozen"], FROZEN_COUNT)
    if other := differing(found.record, due):
        raise InputError(
            f"the frozen test set of {system} was made with other {', '.join(other)}: "
            "take the law back, or make the set anew (CONTRIBUTING.md says how)"
        )
    return found


def freeze(system: System) -> Trajectories:
    """Make the tracked test set anew; needed once for each system."""
    return save(make(system, FROZEN_COUNT, stream=SPLITS["frozen"], every=FROZEN_EVERY), paths.frozen_set(system))
