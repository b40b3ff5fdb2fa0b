"""Forces that were measured, as accelerations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib.observed.recording import Experiment


def as_accelerations(
    experiments: Sequence[Experiment], forces: Sequence[np.ndarray | None]
) -> tuple[list[Experiment], tuple[str, ...]]:
    """Experiments with a = F / m, or a = F where no masses are known, and what to tell; forces as positions.

    Accelerations that were given stay.
    """
    if not any(force is not None for force in forces):
        return list(experiments), ()
    if any(one.acceleration is not None for one in experiments):
        return list(experiments), ("Forces are left out, since accelerations are given.",)
    known = all("mass" in one.properties and (one.properties["mass"] > 0).all() for one in experiments)
    found = [
        one if force is None else replace(one, acceleration=force / one.properties["mass"][:, None] if known else force)
        for one, force in zip(experiments, forces, strict=True)
    ]
    if known:
        return found, ("Forces divided by the masses are taken as accelerations.",)
    return found, ("Forces are taken as accelerations of bodies of one mass, since no masses are given.",)
