"""Segments: short stretches of trajectories, each to be followed from a state of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lib.observed.derivatives import Smoothed
from lib.observed.periodic import unwrapped
from lib.observed.recording import Recording

SHORTEST, LONGEST = 8, 60
"""Measured times of a segment."""
WORK = 2e6
"""Segments x times x pairs x derivatives in one iteration; of more segments a random part is taken."""
FEWEST = 16
ROOM = 64
"""Times that arrays have room for, so that JAX compiles a law once for segments of all lengths."""
BATCH = 16
"""Segments integrated at once."""


@dataclass(frozen=True)
class Segments:
    """Stretches of trajectories, each array by segment first."""

    time: np.ndarray
    """[segments, times], from 0; the last is repeated where there are fewer."""
    values: np.ndarray
    """[segments, times, quantities, n, dim]: positions, and velocities where they were measured."""
    weight: np.ndarray
    """[segments, times, quantities, n], 1 / noise, 0 where nothing was measured."""
    properties: np.ndarray
    """[segments, properties, n]"""
    active: np.ndarray
    """[segments, n; bool]"""
    guess: np.ndarray
    """[segments, times, order, n, dim], smoothed positions (and velocities)."""
    start: np.ndarray
    """[segments, order, n, dim], states that segments start from, guessed or fitted."""
    trajectory: np.ndarray
    """[segments]"""
    steps: np.ndarray
    """[segments], of the integrator between two measured times; 0 where no number of them follows closely enough."""

    def take(self, chosen: np.ndarray) -> Segments:
        """Of some segments."""
        return Segments(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[Segments]) -> Segments:
        """All segments of several parts."""
        return cls(*(np.concatenate([getattr(one, name) for one in parts]) for name in cls.__dataclass_fields__))

    @property
    def measured(self) -> int:
        """Bodies' rows that were measured."""
        return int((self.weight > 0).sum())

    @property
    def counts(self) -> np.ndarray:
        """[segments], times of each."""
        seen = (self.weight > 0).any((2, 3))
        return seen.shape[1] - seen[:, ::-1].argmax(1)

    def halves(self) -> Segments:
        """Both halves of each segment, from guessed states."""
        counts = self.counts
        return Segments.joined([self._between(np.zeros_like(counts), counts // 2), self._between(counts // 2, counts)])

    def _between(self, first: np.ndarray, last: np.ndarray) -> Segments:
        """From one time [segments] to before another."""
        rows, each = first[:, None] + np.arange(self.time.shape[1]), np.arange(len(first))[:, None]
        inside, rows = rows < last[:, None], np.minimum(rows, last[:, None] - 1)
        time, guess = self.time[each, rows], self.guess[each, rows]
        return replace(
            self,
            time=time - time[:, :1],
            values=self.values[each, rows],
            weight=self.weight[each, rows] * inside[..., None, None],
            guess=guess,
            start=guess[:, 0],
        )

    def padded(self) -> Segments:
        """With room for `ROOM` times at least."""
        more = max(ROOM - self.time.shape[1], 0)

        def longer(one: np.ndarray, mode: str) -> np.ndarray:
            return np.pad(one, [(0, 0), (0, more), *[(0, 0)] * (one.ndim - 2)], mode)

        return replace(
            self,
            time=longer(self.time, "edge"),
            values=longer(self.values, "constant"),
            weight=longer(self.weight, "constant"),
            guess=longer(self.guess, "edge"),
        )

    def batches(self) -> Iterator[tuple[slice, tuple[int, int], tuple[np.ndarray, ...]]]:
        """Slices of `BATCH` segments, the most times and steps of one of them, and what the integrator needs of each; the last
        is filled up with repetitions."""
        each, counts = (self.time, self.values, self.weight, self.properties, self.active), self.counts
        for first in range(0, len(self.time), BATCH):
            rows = np.minimum(np.arange(first, first + BATCH), len(self.time) - 1)
            most = int(counts[rows].max()), int(self.steps[rows].max())
            yield slice(first, min(first + BATCH, len(self.time))), most, tuple(one[rows] for one in each)


def _stretches(known: np.ndarray, length: int, shortest: int) -> list[slice]:
    """Slices of at most so many times in which a body is not beyond its first or last row."""
    rows = np.flatnonzero(known)
    if len(rows) < shortest:
        return []
    first, last = rows[0], rows[-1] + 1
    count = max(round((last - first) / length), 1)
    bounds = np.linspace(first, last, count + 1).astype(int)
    found = [slice(a, b) for a, b in itertools.pairwise(bounds) if b - a >= shortest]
    return [one for one in found if known[one].all()]


def segments_of(
    recording: Recording,
    order: int,
    noises: Mapping[str, float],
    ways: list[Smoothed | None],
    rates: list[Smoothed | None],
    length: int,
    names: list[str],
) -> Segments | None:
    """All segments of a recording in which every body was measured often enough; None if there are none."""
    most = max(one.position.shape[1] for one in recording.experiments)
    found: list[tuple[np.ndarray, ...]] = []
    for number, (one, way, rate) in enumerate(zip(recording.experiments, ways, rates, strict=True)):
        if way is None or rate is None:
            continue
        there = np.isfinite(one.position).all(2).any(0)
        n = int(there.sum())
        position = unwrapped(one.position, recording.box)[:, there]
        quantities = [position] if "velocity" not in noises else [position, one.velocity[:, there]]
        first = rate.first if rate is way else rate.value
        known = np.isfinite(way.value[:, there]).all((1, 2)) & np.isfinite(first[:, there]).all((1, 2))
        for stretch in _stretches(known, length, min(SHORTEST, 2 * order + 1)):
            rows = stretch.stop - stretch.start
            measured = np.isfinite(position[stretch]).all(2)
            if (measured.sum(0) < order + 1).any():
                continue
            dim = position.shape[2]
            clock = one.time[stretch] - one.time[stretch.start]
            time = np.concatenate([clock, np.full(length * 2 - rows, clock[-1])])
            values = np.zeros((length * 2, len(quantities), most, dim))
            weight = np.zeros((length * 2, len(quantities), most))
            for k, (name, quantity) in enumerate(zip(noises, quantities, strict=True)):
                part = quantity[stretch]
                values[:rows, k, :n] = np.nan_to_num(part)
                weight[:rows, k, :n] = np.isfinite(part).all(2) / noises[name]
            properties = np.ones((len(names), most))
            for k, name in enumerate(names):
                properties[k, :n] = np.asarray(one.properties[name], float)[there]
            # bodies that are not there stand apart, and act on none
            guess = np.zeros((length * 2, order, most, dim))
            guess[:, 0, n:] = np.abs(np.nan_to_num(position)).max() * (2.0 + np.arange(most - n))[:, None]
            guess[:rows, 0, :n] = way.value[stretch][:, there]
            if order == 2:
                guess[:rows, 1, :n] = first[stretch][:, there]
            there_or_not = np.arange(most) < n
            found.append((time, values, weight, properties, there_or_not, guess, guess[0], np.array(number), np.array(1)))
    if not found:
        return None
    segments = Segments(*(np.stack(each) for each in zip(*found, strict=True)))
    used = int(segments.counts.max())
    return replace(segments, **{name: getattr(segments, name)[:, :used] for name in ("time", "values", "weight", "guess")})


def affordable(segments: Segments, parameters: float, seed: int) -> Segments:
    """All segments, or a random part of them."""
    count, times = len(segments.time), int(segments.counts.max())
    n = segments.active.shape[1]
    each = times * n**2 * (parameters + segments.start[0].size)
    most = max(int(WORK / each), FEWEST)
    if count <= most:
        return segments
    return segments.take(np.sort(np.random.default_rng(seed).permutation(count)[:most]))
