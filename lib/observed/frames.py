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
    still, at_origin = _at_rest(recording)
    if not still or still == set.intersection(*(set(one.bodies) for one in recording.experiments)):
        return recording
    if len(still) == 1 and still == at_origin:
        name = next(iter(still))
        return replace(recording, frame=name).noting(
            f"Body {name} never moves from the origin: positions are relative to it, and the frame is accelerated with it. "
            f"Accelerations are known up to one vector common to all bodies at each time."
        )
    return recording.noting(f"Never moving, and taken as held: {listed(sorted(still))}.")


def _at_rest(recording: Recording) -> tuple[set[str], set[str]]:
    """Bodies of all experiments that stay where they are at all of several times, and those of them at the origin."""
    still: set[str] | None = None
    at_origin: set[str] = set()
    for one in recording.experiments:
        position = np.where(one.present[..., None], one.position, np.nan)
        lowest, highest = np.fmin.reduce(position, axis=0), np.fmax.reduce(position, axis=0)
        rests = (one.present.sum(axis=0) > 1) & (lowest == highest).all(axis=1)
        here = {name: bool((highest[i] == 0).all()) for i, name in enumerate(one.bodies) if rests[i]}
        at_origin = {name for name, at in here.items() if at and (still is None or name in at_origin)}
        still = set(here) if still is None else still & set(here)
        if not still:
            break
    return still or set(), at_origin & (still or set())
