"""Evidence of simulated trajectories: what a law's choice and constants see of a registered system, with or without noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib import paths
from lib.cache import Arrays, Record, load_or_make
from lib.physics import datasets
from lib.physics.bodies import Bodies
from lib.physics.datasets import SPLITS, Trajectories
from lib.profiles import get_profile
from lib.runs import System
from lib.selection.evidence import Evidence
from lib.selection.motion import Motion

TRAJECTORIES = 150
"""Of the training split, the first so many are seen, or all if there are fewer ..."""
EVERY = 4
"""... and of their snapshots one in so many: what a law leaves must still hang together from one to the next."""
NOISE_SEED = 0


def trajectories_of(system: System, profile: str, n: int = 4) -> Trajectories:
    """What is seen of the training split, simulated if it is not on disk."""
    count = min(TRAJECTORIES, get_profile(profile).trajectories["train"])
    wanted = datasets.identity(system, n=n, every=EVERY) | datasets.draw(0, SPLITS["train"], count)
    path = paths.dataset(system, "evidence", profile)

    def made() -> tuple[Arrays, Record]:
        found = datasets.make(system, count, n=n, every=EVERY, stream=SPLITS["train"], label=f"{system} evidence")
        return found.arrays(), found.record

    arrays, record = load_or_make(path, wanted, made)
    return Trajectories(**arrays, record=record)


def evidence_of(trajectories: Trajectories) -> Evidence:
    """Accelerations of bodies in simulated trajectories; masses and charges are given where they vary."""
    features, accelerations = trajectories.graphs()
    bodies = Bodies(features.astype(float))
    given = {"mass": bodies.mass, "charge": bodies.charge}
    count, times = trajectories.features.shape[:2]
    motion = Motion.of_arrays(
        bodies.position,
        bodies.velocity,
        {name: values for name, values in given.items() if np.ptp(values) > 0},
        np.repeat(np.arange(count), times),
    )
    rates = accelerations.reshape(-1, motion.dim).astype(float)
    return Evidence.of_rates(motion, rates, motion.trajectory)


def with_noise(evidence: Evidence, fraction: float, rng: np.random.Generator | None = None) -> Evidence:
    """The evidence with Gaussian noise on each component of its target, of so many times the target's median size."""
    noise = (rng or np.random.default_rng(NOISE_SEED)).standard_normal(evidence.target.shape)
    return replace(evidence, target=evidence.target + fraction * evidence.typical * noise)
