"""Motion in a plane: a third coordinate that never changes says nothing and is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib.observed.recording import Experiment, Recording

FLAT = "Coordinate z never changes: left out, the motion is in the plane."


def is_flat(z: np.ndarray) -> bool:
    """Whether a coordinate is the same for all bodies at all times, or never known."""
    known = z[~np.isnan(z)]
    return known.size == 0 or bool(known.min() == known.max())


def in_plane(recording: Recording) -> Recording:
    """Without the third coordinate where it never changes; told."""
    if recording.dim < 3 or not is_flat(np.concatenate([one.position[..., 2].ravel() for one in recording.experiments])):
        return recording

    def plane(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[..., :2]

    def flattened(one: Experiment) -> Experiment:
        return replace(
            one,
            position=one.position[..., :2],
            velocity=plane(one.velocity),
            acceleration=plane(one.acceleration),
        )

    experiments = tuple(map(flattened, recording.experiments))
    return replace(recording, experiments=experiments, box=plane(recording.box)).noting(FLAT)
