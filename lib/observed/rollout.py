"""Rollouts: a law integrated from what was measured at one time, beside what was measured after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import solve_ivp

from lib.observed.derivatives import smooth
from lib.observed.discover import Discovery
from lib.observed.held_out import HELD_OUT, HeldOut
from lib.observed.noise import noise_of
from lib.observed.periodic import unwrapped
from lib.observed.recording import INERTIAL, Experiment, Recording
from lib.selection.law import Law
from lib.selection.motion import Motion

MOST_TIMES = 200
"""Measured times that a rollout follows at most."""
EVALUATIONS = 40_000
"""Of the law, at most, in one rollout: a collision without softening would take for ever."""
TOLERANCE = 1e-8
"""Relative, of an integration's step."""
EARLY = 10
"""A rollout begins within the first of so many parts of the times."""
CONTINUOUS = 0.3
"""Rows are of one motion if positions move by the velocities between them, up to this part."""


@dataclass(frozen=True)
class Rollout:
    """What a law says of a motion after its start, and what was measured."""

    trajectory: str
    """Which experiment, counted from 1."""
    bodies: tuple[str, ...]
    time: np.ndarray
    """[times], from the start."""
    measured: np.ndarray
    """[times, n, dim], continuous paths; NaN where missing."""
    predicted: np.ndarray
    """[times, n, dim], NaN after the integration was given up."""

    @property
    def distance(self) -> np.ndarray:
        """[times], mean over bodies of the distance between predicted and measured."""
        apart = np.linalg.norm(self.predicted - self.measured, axis=2)
        known = np.isfinite(apart)
        total = np.where(known, apart, 0.0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)


def rollouts(recording: Recording, discovery: Discovery, held_out: HeldOut, count: int = 3) -> list[Rollout]:
    """Of the first few experiments held out; none where rows are no motion in time."""
    found = []
    for number in held_out.trajectories:
        one = recording.experiments[number]
        if len(found) < count and len(one.time) > 2 and is_continuous(one, recording.box):
            first = 0 if held_out.whole_trajectories else len(one.time) - len(one.time) // HELD_OUT
            rollout = follow(recording, discovery, held_out.law, int(number), first)
            found += [rollout] if rollout is not None else []
    return found


def is_continuous(one: Experiment, box: np.ndarray | None) -> bool:
    """Whether the rows of an experiment follow each other closely enough to be one motion."""
    if one.velocity is None or one.acceleration is None:
        return True  # positions alone are used as one motion anyway
    step = np.diff(unwrapped(one.position, box), axis=0)
    by_velocity = np.diff(one.time)[:, None, None] * (one.velocity[1:] + one.velocity[:-1]) / 2
    moved = np.nanmedian(np.linalg.norm(step, axis=2))
    return bool(np.nanmedian(np.linalg.norm(step - by_velocity, axis=2)) <= CONTINUOUS * moved)


def follow(recording: Recording, discovery: Discovery, law: Law, number: int, first: int) -> Rollout | None:
    """One experiment from the first time, at or after number `first`, at which its bodies are known; None if there is none.

    The start is smoothed, as noise of a velocity would grow with time. Bodies that never move are held.
    """
    one = recording.experiments[number]
    position, velocity, error = _smoothed(one, recording.box)
    seen = one.present.any(0)
    whole = np.isfinite(position).all(2) & np.isfinite(velocity).all(2) & one.present
    starts = np.flatnonzero(whole[:, seen].all(1) & (np.arange(len(one.time)) >= first))
    if not len(starts) or starts[0] > len(one.time) - 3:
        return None
    # at its very ends a smoothed path's velocity is known worst
    early = starts[: max(len(starts) // EARLY, 1)]
    start = early[np.argmin(np.nan_to_num(error[early][:, seen].mean(1)))]
    times = slice(start, start + MOST_TIMES)
    learned = discovery.learned.properties if discovery.learned else {}
    properties = {name: np.asarray(values, float)[seen] for name, values in {**one.properties, **learned}.items()}
    bodies = Motion(
        position[start, seen],
        velocity[start, seen],
        properties,
        np.zeros(seen.sum(), int),
        np.flatnonzero(seen),
        np.zeros(seen.sum(), int),
        recording.box,
        discovery.evidence.motion.reach,
        discovery.evidence.motion.ties,
    )
    names = tuple(name for name, here in zip(one.bodies, seen, strict=True) if here)
    reference = None if recording.frame == INERTIAL else names.index(recording.frame)
    held = _never_move(one)[seen]
    measured = unwrapped(one.position, recording.box)[times][:, seen]
    if recording.box is not None:  # smoothed paths may begin in another image
        measured = measured - recording.box * np.round((measured[0] - bodies.position) / recording.box)
    predicted = integrate(law, bodies, one.time[times], held, reference)[0]
    return Rollout(f"{number + 1}", names, one.time[times] - one.time[start], measured, predicted)


def _smoothed(one: Experiment, box: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions and velocities [times, n, dim] without most of their noise, and standard errors of the latter [times, n]."""
    way = smooth([one], noise_of([one], "position", box).standard_deviation, box=box)[0]
    if one.velocity is None:
        return way.value, way.first, way.errors[1]
    rate = smooth([one], noise_of([one], "velocity").standard_deviation, "velocity")[0]
    return way.value, rate.value, rate.errors[0]


def _never_move(one: Experiment) -> np.ndarray:
    """[n; bool], bodies that stay where they are at all of several times."""
    position = np.where(one.present[..., None], one.position, np.nan)
    same = np.fmin.reduce(position, axis=0) == np.fmax.reduce(position, axis=0)
    return (one.present.sum(0) > 1) & same.all(1)


class _TooLong(Exception):
    """The law was evaluated too often."""


def integrate(law: Law, start: Motion, time: np.ndarray, held: np.ndarray, reference: int | None = None) -> np.ndarray:
    """Positions and velocities [2, times, n, dim] of bodies that begin at `start` at the first of the times, by DOP853.

    `held` [n; bool] do not move. In the frame of the body `reference` its own acceleration is taken from all. In a box
    positions are continuous paths. NaN from where the law has no value or
    takes too many steps, and for velocities of first order.
    """
    shape = start.position.shape
    found = np.full((2, len(time), *shape), np.nan)
    found[:, 0] = start.position, start.velocity
    moves = np.where(held, 0.0, 1.0)[:, None]
    evaluations = 0

    def rates(_: float, state: np.ndarray) -> np.ndarray:
        nonlocal evaluations
        evaluations += 1
        halves = state.reshape(-1, *shape)
        velocity = halves[1] if law.order == 2 else start.velocity
        value = law.rates(replace(start, position=halves[0], velocity=velocity))
        if reference is not None:
            value = value - value[reference]
        if evaluations > EVALUATIONS or not np.isfinite(value).all():
            raise _TooLong
        value = value * moves
        return np.concatenate([velocity * moves, value]).ravel() if law.order == 2 else value.ravel()

    parts = [start.position, start.velocity] if law.order == 2 else [start.position]
    state = np.concatenate(parts).ravel()
    scale = TOLERANCE * max(float(np.ptp(start.position, axis=0).max()), 1e-300)
    for k in range(1, len(time)):
        try:
            solved = solve_ivp(rates, (time[k - 1], time[k]), state, "DOP853", rtol=TOLERANCE, atol=scale)
        except _TooLong:
            break
        if not solved.success:
            break
        state = solved.y[:, -1]
        found[: law.order, k] = state.reshape(law.order, *shape)
    return found
