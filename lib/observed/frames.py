"""The frame of reference: whether positions are relative to one of the bodies, and whether any body is held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lib.observed.recording import Recording
from lib.observed.wording import listed


def with_frame(recording: Recording) -> Recording:
    """Marked where one body rests at the origin in all experiments while others move: positions are relative to it.

    Bodies that rest elsewhere, or several of them, are told and taken as held.
    """
    still, at_origin = _at_rest(recording, "any"), _at_rest(recording, "origin")
    if not still or still == set.intersection(*(set(one.bodies) for one in recording.experiments)):
        return recording
    if len(still) == 1 and still == at_origin:
        name = next(iter(still))
        return replace(recording, frame=name).noting(
            f"Body {name} never moves from the origin: positions are relative to it, and the frame is accelerated with it. "
            f"Accelerations are known up to one vector common to all bodies at each time."
        )
    return recording.noting(f"Never moving, and taken as held: {listed(sorted(still))}.")


def _at_rest(recording: Recording, where: str) -> set[str]:
    """Bodies of all experiments that stay `any`where, or at the `origin`, at all of several times."""
    found: set[str] | None = None
    for one in recording.experiments:
        position = np.where(one.present[..., None], one.position, np.nan)
        known = one.present.sum(axis=0) > 1
        lowest = np.min(np.nan_to_num(position, nan=np.inf), axis=0)
        highest = np.max(np.nan_to_num(position, nan=-np.inf), axis=0)
        rests = known & (lowest == highest).all(axis=1)
        if where == "origin":
            rests &= (highest == 0).all(axis=1)
        here = {name for name, rest in zip(one.bodies, rests, strict=True) if rest}
        found = here if found is None else found & here
    return found or set()
