"""A recording as multiple shooting needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.observed.batches import interval_of
from lib.observed.derivatives import Smoothed, smooth
from lib.observed.integrator import Model, model_of
from lib.observed.noise import noise_of
from lib.observed.recording import Recording
from lib.observed.segments import LONGEST, SHORTEST, Segments, affordable, segments_of
from lib.observed.weak_form import time_scale
from lib.physics.compilation import keep_programs
from lib.selection.fitting import Family

LENGTHS = (2.0, 4.0)
"""Durations of segments, in time scales of the motion, one fit after the other: long ones tell more of the constants, and are
followed only by constants that are nearly right."""
LEAST_NOISE = 1e-7
"""In parts of the spread: exact data are not followed more closely."""


@dataclass(frozen=True)
class Tracks:
    """A recording as shooting needs it: noise, smooth guesses of states, and time in units of the motion's own."""

    recording: Recording
    order: int
    noises: Mapping[str, float]
    ways: list[Smoothed | None]
    rates: list[Smoothed | None]
    lengths: tuple[int, ...]
    """Measured times of a segment, one fit after the other."""

    @classmethod
    def of(cls, recording: Recording, order: int, scalars: Mapping[str, np.ndarray] | None = None) -> Tracks:
        """Of a recording, with further properties `scalars` [n] of bodies that are the same in all experiments."""
        keep_programs()
        experiments = tuple(replace(one, properties={**one.properties, **(scalars or {})}) for one in recording.experiments)
        recording = replace(recording, experiments=experiments)
        quantities = ["position"]
        if order == 2 and all(one.velocity is not None for one in experiments):
            quantities.append("velocity")
        noises = {name: _noise(recording, name) for name in quantities}
        ways = smooth(experiments, noises["position"], box=recording.box)
        rates = smooth(experiments, noises["velocity"], "velocity") if "velocity" in noises else ways
        interval = float(np.median([interval_of(one.time) for one in experiments]))
        scale = min(time_scale(ways, order), LONGEST * interval) / interval
        longest = max(min(max(len(one.time) for one in experiments), LONGEST), SHORTEST)
        lengths = dict.fromkeys(int(np.clip(each * scale, SHORTEST, longest)) for each in LENGTHS)
        return cls(recording, order, noises, ways, rates, tuple(lengths))

    @property
    def names(self) -> list[str]:
        """Names of properties."""
        return [*self.recording.experiments[0].properties]

    def model(self, family: Family, scalars: Sequence[str], ties: np.ndarray | None) -> Model:
        """A family of laws for JAX, the named properties being free."""
        radial, transverse, *single = family.forms
        box = self.recording.box
        return model_of(
            replace(family.law, radial=radial, transverse=transverse, single=tuple(single)),
            tuple(family.symbols),
            tuple(self.names),
            tuple(map(self.names.index, scalars)),
            None if box is None else tuple(box.tolist()),
            None if ties is None else tuple(map(tuple, ties.tolist())),
        )

    def segments(self, length: int, parameters: float, seed: int) -> Segments | None:
        """Segments of so many times, or a random part of them; None if there are none."""
        found = segments_of(self.recording, self.order, self.noises, self.ways, self.rates, length, self.names)
        return None if found is None else affordable(found, parameters, seed).padded()


def _noise(recording: Recording, quantity: str) -> float:
    sizes = np.concatenate([getattr(one, quantity).reshape(-1, recording.dim) for one in recording.experiments])
    spread = float(np.sqrt(np.nanvar(sizes, axis=0).mean()))
    found = noise_of(recording.experiments, quantity, recording.box if quantity == "position" else None).standard_deviation
    return float(np.fmax(found, LEAST_NOISE * spread))
