"""An adaptive Runge-Kutta integrator for many independent trajectories at once.

Every trajectory keeps its own time, step size and error control (Dormand-Prince 8(7), with the
tableau and the dense output that diffrax gives). Trajectories travel in a fixed number of lanes; a
lane whose trajectory has ended takes the next one from the queue, so that the few hard
trajectories, those with close encounters, never make the many easy ones wait. Lanes are the last
axis of every array: neighbours in memory do the same arithmetic, which the processor does at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

from lib.memory import keep_freed_memory

jax.config.update("jax_enable_x64", True)

SAVES_PER_STEP = 4
"""A step may pass this many save times at most; they are read off its dense output."""
STEPS_PER_VISIT = 32
"""Steps between two looks at which lanes have ended."""
STRAGGLING = 8
"""The last trajectories under way go on in so many times fewer lanes."""

Derivative = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Solution:
    """Saved states and how they were reached."""

    states: np.ndarray
    """[trajectories, times, *state], NaN after a trajectory failed."""
    steps: np.ndarray
    """[trajectories], attempted steps."""
    complete: np.ndarray
    """[trajectories], whether every save time was reached within `max_steps` with finite states."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Lanes:
    """The trajectories under way, one a lane, [..., lanes]."""

    t: Array
    h: Array
    y: Array
    slope: Array
    """dy/dt at y, the last stage of the step that led there."""
    constants: Array
    saved: Array
    steps: Array


def _combine(weights: np.ndarray | list[Array], stages: list[Array]) -> Array:
    """Weighted sum of stages, without those of no weight."""
    terms = [w * k for w, k in zip(weights, stages, strict=True) if not (isinstance(w, float) and w == 0)]
    return sum(terms[1:], terms[0])


def _attempt(lanes: Lanes, derivative: Derivative, times: Array, tolerance: float) -> tuple[Lanes, tuple[Array, Array, Array]]:
    """One attempted step of every lane.

    Returns the lanes after it, and what to save: states [SAVES_PER_STEP, *state, lanes], the index
    of the first one's time [lanes], and which of them are to be saved [SAVES_PER_STEP, lanes].
    """
    # imported where it is needed: it takes a second, which most notebooks need not wait
    from diffrax import Dopri8

    tableau = Dopri8.tableau
    # [stages, powers]: a stage's weight at a share of the step, as a polynomial, highest power first, down to the first
    dense = Dopri8.interpolation_cls.eval_coeffs
    last = len(times) - 1
    passed = lanes.saved + jnp.arange(SAVES_PER_STEP)[:, None]
    save_times = times[jnp.minimum(passed, last)]
    h = jnp.minimum(lanes.h, save_times[-1] - lanes.t)
    t1 = lanes.t + h

    stages = [lanes.slope]
    for row in tableau.a_lower:
        stages.append(derivative(lanes.y + h * _combine(row.tolist(), stages), lanes.constants))
    # the tableau's last row is the step itself
    y1 = lanes.y + h * _combine(tableau.b_sol.tolist(), stages)
    error = h * _combine(tableau.b_error.tolist(), stages)

    scale = tolerance * (1 + jnp.maximum(jnp.abs(lanes.y), jnp.abs(y1)))
    # maxima and square roots are exact, so that a lane's steps are the same in any company
    norm = jnp.max(jnp.abs(error) / scale, axis=tuple(range(error.ndim - 1)))
    norm = jnp.where(jnp.isfinite(norm), norm, 1e10)
    accepted = norm <= 1
    growth = jnp.clip(0.9 / jnp.sqrt(jnp.sqrt(jnp.sqrt(jnp.maximum(norm, 1e-10)))), 0.2, 5.0)
    # a step cut short by a save time says little about the step that the error allows
    grown = jnp.where(h < lanes.h, jnp.maximum(lanes.h, h * growth), h * growth)

    reached = accepted & (passed <= last) & (save_times <= t1)
    states = []
    for save_time in save_times:
        share = (jnp.minimum(save_time, t1) - lanes.t) / jnp.where(h > 0, h, 1.0)
        weights = [share * jnp.polyval(jnp.asarray(row), share) if row.any() else 0.0 for row in dense]
        states.append(lanes.y + h * _combine(weights, stages))
    after = Lanes(
        t=jnp.where(accepted, t1, lanes.t),
        h=jnp.where(accepted, grown, h * growth),
        y=jnp.where(accepted, y1, lanes.y),
        slope=jnp.where(accepted, stages[-1], lanes.slope),
        constants=lanes.constants,
        saved=lanes.saved + reached.sum(axis=0),
        steps=lanes.steps + (lanes.saved <= last),
    )
    return after, (jnp.stack(states), lanes.saved, reached)


@partial(jax.jit, static_argnums=1)
def _advance(lanes: Lanes, derivative: Derivative, times: Array, tolerance: float) -> tuple[Lanes, tuple[Array, Array, Array]]:
    """`STEPS_PER_VISIT` attempts, and what to save of each."""
    rate = jax.jit(derivative)  # traced once for all stages
    return jax.lax.scan(lambda lanes, _: _attempt(lanes, rate, times, tolerance), lanes, length=STEPS_PER_VISIT)


@partial(jax.jit, static_argnums=1)
def _fill_slots(lanes: Lanes, derivative: Derivative, slots: Array, y: Array, constants: Array, h: float) -> Lanes:
    """Put fresh trajectories into the given slots; slots beyond the last are dropped."""
    fresh = Lanes(t=0.0, h=h, y=y, slope=derivative(y, constants), constants=constants, saved=0, steps=0)
    return jax.tree.map(lambda old, new: old.at[..., slots].set(new, mode="drop"), lanes, fresh)


def _integrate(
    derivative: Derivative,
    initial: np.ndarray,
    constants: np.ndarray,
    times: np.ndarray,
    tolerance: float,
    max_steps: int,
    lanes: int,
    bar: tqdm,
    states: np.ndarray,
    steps: np.ndarray,
) -> None:
    """Fill in states [trajectories, times, *state] and attempted steps [trajectories], on one core."""
    count = len(initial)
    if few_lanes_suffice(count, lanes):
        lanes //= STRAGGLING
    grid = jnp.asarray(times, float)
    first_step = float(times[-1]) * 1e-4
    active = Lanes(
        t=jnp.full(lanes, times[-1], float),
        h=jnp.full(lanes, first_step, float),
        y=jnp.zeros((*initial.shape[1:], lanes)),
        slope=jnp.zeros((*initial.shape[1:], lanes)),
        constants=jnp.ones((*constants.shape[1:], lanes)),
        saved=jnp.full(lanes, len(times), int),
        steps=jnp.zeros(lanes, int),
    )
    in_slot = np.full(lanes, -1)
    queue = 0
    while True:
        ended = (np.asarray(active.saved) == len(times)) | (np.asarray(active.steps) >= max_steps)
        finished = np.flatnonzero(ended & (in_slot >= 0))
        steps[in_slot[finished]] = np.asarray(active.steps)[finished]
        in_slot[finished] = -1
        bar.update(len(finished))

        free = np.flatnonzero(in_slot < 0)
        entering = np.arange(queue, min(queue + len(free), count))
        queue += len(entering)
        if len(entering):
            slots = np.full(lanes, lanes)
            slots[: len(entering)] = free[: len(entering)]
            in_slot[free[: len(entering)]] = entering
            rows = np.resize(entering, lanes)
            y, fixed = np.moveaxis(initial[rows], 0, -1), np.moveaxis(constants[rows], 0, -1)
            active = _fill_slots(active, derivative, slots, y, fixed, first_step)
        if (in_slot < 0).all():
            return
        # the last stragglers need not drag empty lanes along
        if queue == count and few_lanes_suffice((in_slot >= 0).sum(), lanes):
            lanes //= STRAGGLING
            kept = np.argsort(in_slot < 0, kind="stable")[:lanes]
            active = jax.tree.map(lambda a, kept=kept: a[..., kept], active)
            in_slot = in_slot[kept]
        active, to_save = _advance(active, derivative, grid, tolerance)
        found, first, reached = map(np.asarray, to_save)
        # a trajectory that was given up still moves in its lane until another boards
        step, save, lane = np.nonzero(reached & (in_slot >= 0))
        states[in_slot[lane], first[step, lane] + save] = found[step, save, ..., lane]


def few_lanes_suffice(count: int, lanes: int) -> bool:
    """Whether the lanes of the last trajectories under way are enough for `count`, and enough to be compiled alike.

    No third number of lanes is ever at work: to compile another takes longer than to leave lanes empty.
    """
    return lanes >= 16 * STRAGGLING and count <= lanes // STRAGGLING


def lanes_of(state: int) -> int:
    """Lanes for `state` numbers a trajectory.

    Few enough that a step's stages stay near the processor, and that the compiler arranges the
    arithmetic alike for all and for the last stragglers, which keeps results equal to the bit.
    """
    return min(128, max(16, 1 << (3072 // state).bit_length() - 1))


def integrate(
    derivative: Derivative,
    initial: np.ndarray,
    constants: np.ndarray,
    times: np.ndarray,
    *,
    tolerance: float = 1e-7,
    max_steps: int = 100_000,
    lanes: int | None = None,
    workers: int = os.cpu_count() or 1,
    label: str | None = None,
    out: np.ndarray | None = None,
) -> Solution:
    """Integrate dy/dt = derivative(y, constants) from t = 0 for each trajectory.

    Args:
        derivative: of y [*state, lanes] and constants [*constants, lanes], lane by lane; a function
            that lives on, since its compiled step is kept under its identity.
        initial: [trajectories, *state], float64.
        constants: [trajectories, *constants], what stays fixed along a trajectory.
        times: [times], ascending, from 0 on.
        tolerance: absolute and relative local error allowed in a step.
        max_steps: attempted steps after which a trajectory is given up.
        lanes: trajectories under way at once on each core; None takes what suits the state's size.
        workers: cores; what is found does not depend on them.
        label: text of the progress bar; None shows none.
        out: [trajectories, times, *state], where the states are written; None makes room for them.
    """
    keep_freed_memory()
    workers = max(1, min(workers, len(initial) // 64))
    lanes = lanes or lanes_of(int(np.prod(initial.shape[1:])))
    states = np.empty((len(initial), len(times), *initial.shape[1:])) if out is None else out
    states[:] = np.nan
    steps = np.zeros(len(initial), int)
    with (
        tqdm(total=len(initial), desc=label, disable=label is None, unit="trajectory") as bar,
        ThreadPoolExecutor(workers) as pool,
    ):

        def share(first: int) -> None:
            mine = slice(first, None, workers)
            arrays = (initial[mine], constants[mine], times)
            _integrate(derivative, *arrays, tolerance, max_steps, lanes, bar, states[mine], steps[mine])

        list(pool.map(share, range(workers)))
    complete = np.isfinite(states).all(axis=tuple(range(1, states.ndim)))
    return Solution(states, steps, complete)
