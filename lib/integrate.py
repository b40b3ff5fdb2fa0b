"""An adaptive Runge-Kutta integrator for many independent trajectories at once.

Every trajectory keeps its own time, step size and error control (Dormand-Prince 8(7) from
diffrax, with its dense output). Trajectories travel in a fixed number of lanes; a lane whose
trajectory has ended takes the next one from the queue, so that the few hard trajectories, those
with close encounters, never make the many easy ones wait.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

jax.config.update("jax_enable_x64", True)

SAVES_PER_STEP = 4
"""A step may pass this many save times at most; they are read off its dense output."""
STEPS_PER_VISIT = 32
"""Steps between two looks at which lanes have ended."""

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
    """The trajectories under way, one a lane."""

    t: Array
    h: Array
    y: Array
    constants: Array
    saved: Array
    steps: Array
    out: Array


def _attempt(lane: Lanes, derivative: Derivative, times: Array, tolerance: float) -> Lanes:
    """One attempted step of one lane."""
    solver = diffrax.Dopri8()
    term = diffrax.ODETerm(lambda t, y, constants: derivative(y, constants))
    last = len(times) - 1
    passed = lane.saved + jnp.arange(SAVES_PER_STEP)
    h = jnp.minimum(lane.h, times[jnp.minimum(passed[-1], last)] - lane.t)
    t1 = lane.t + h
    state = solver.init(term, lane.t, t1, lane.y, lane.constants)
    y1, error, dense, _, _ = solver.step(term, lane.t, t1, lane.y, lane.constants, state, True)

    scale = tolerance * (1 + jnp.maximum(jnp.abs(lane.y), jnp.abs(y1)))
    norm = jnp.sqrt(jnp.mean((error / scale) ** 2))
    norm = jnp.where(jnp.isfinite(norm), norm, 1e10)
    accepted = norm <= 1
    growth = jnp.clip(0.9 * jnp.maximum(norm, 1e-10) ** (-1 / 8), 0.2, 5.0)
    # a step cut short by a save time says little about the step that the error allows
    grown = jnp.where(h < lane.h, jnp.maximum(lane.h, h * growth), h * growth)

    save_times = times[jnp.minimum(passed, last)]
    reached = accepted & (passed <= last) & (save_times <= t1)
    interpolation = solver.interpolation_cls(t0=lane.t, t1=t1, **dense)
    states = jax.vmap(interpolation.evaluate)(jnp.minimum(save_times, t1))
    return Lanes(
        t=jnp.where(accepted, t1, lane.t),
        h=jnp.where(accepted, grown, h * growth),
        y=jnp.where(accepted, y1, lane.y),
        constants=lane.constants,
        saved=lane.saved + reached.sum(),
        steps=lane.steps + (lane.saved <= last),
        out=lane.out.at[jnp.where(reached, passed, last + 1)].set(states, mode="drop"),
    )


@partial(jax.jit, static_argnums=1, donate_argnums=0)
def _advance(lanes: Lanes, derivative: Derivative, times: Array, tolerance: float) -> Lanes:
    step = jax.vmap(lambda lane: _attempt(lane, derivative, times, tolerance))
    return jax.lax.fori_loop(0, STEPS_PER_VISIT, lambda _, lanes: step(lanes), lanes)


@partial(jax.jit, donate_argnums=0)
def _board(lanes: Lanes, slots: Array, y: Array, constants: Array, h: float) -> Lanes:
    """Put fresh trajectories into the given slots; slots beyond the last are dropped."""
    put = partial(jax.tree.map, lambda old, new: old.at[slots].set(new, mode="drop"))
    fresh = Lanes(t=0.0, h=h, y=y, constants=constants, saved=0, steps=0, out=jnp.nan)
    return put(lanes, fresh)


def _integrate(
    derivative: Derivative,
    initial: np.ndarray,
    constants: np.ndarray,
    times: np.ndarray,
    tolerance: float,
    max_steps: int,
    lanes: int,
    bar: tqdm,
) -> tuple[np.ndarray, np.ndarray]:
    """States [trajectories, times, *state] and attempted steps [trajectories], on one core."""
    count = len(initial)
    lanes = min(lanes, 1 << max(count - 1, 0).bit_length())
    grid = jnp.asarray(times, float)
    first_step = float(times[-1]) * 1e-4
    active = Lanes(
        t=jnp.full(lanes, times[-1]),
        h=jnp.full(lanes, first_step),
        y=jnp.zeros((lanes, *initial.shape[1:])),
        constants=jnp.ones((lanes, *constants.shape[1:])),
        saved=jnp.full(lanes, len(times)),
        steps=jnp.zeros(lanes, int),
        out=jnp.zeros((lanes, len(times), *initial.shape[1:])),
    )
    states = np.empty((count, len(times), *initial.shape[1:]))
    steps = np.zeros(count, int)
    passenger = np.full(lanes, -1)
    queue = 0
    while True:
        ended = (np.asarray(active.saved) == len(times)) | (np.asarray(active.steps) >= max_steps)
        landed = np.flatnonzero(ended & (passenger >= 0))
        states[passenger[landed]] = np.asarray(active.out)[landed]
        steps[passenger[landed]] = np.asarray(active.steps)[landed]
        passenger[landed] = -1
        bar.update(len(landed))

        free = np.flatnonzero(passenger < 0)
        boarding = np.arange(queue, min(queue + len(free), count))
        queue += len(boarding)
        if len(boarding):
            slots = np.full(lanes, lanes)
            slots[: len(boarding)] = free[: len(boarding)]
            passenger[free[: len(boarding)]] = boarding
            rows = np.resize(boarding, lanes)
            active = _board(active, slots, initial[rows], constants[rows], first_step)
        if (passenger < 0).all():
            return states, steps
        # the last stragglers need not drag empty lanes along
        if queue == count and (passenger >= 0).sum() <= lanes // 16 and lanes >= 256:
            kept = np.argsort(passenger < 0, kind="stable")[: lanes // 16]
            active = jax.tree.map(lambda a, kept=kept: a[kept], active)
            passenger, lanes = passenger[kept], lanes // 16
        active = _advance(active, derivative, grid, tolerance)


def integrate(
    derivative: Derivative,
    initial: np.ndarray,
    constants: np.ndarray,
    times: np.ndarray,
    *,
    tolerance: float = 1e-9,
    max_steps: int = 100_000,
    lanes: int = 512,
    workers: int = os.cpu_count() or 1,
    label: str | None = None,
) -> Solution:
    """Integrate dy/dt = derivative(y, constants) from t = 0 for each trajectory.

    Args:
        derivative: of one trajectory, state in, state out; a function that lives on, since its
            compiled step is kept under its identity.
        initial: [trajectories, *state], float64.
        constants: [trajectories, *constants], what stays fixed along a trajectory.
        times: [times], ascending, from 0 on.
        tolerance: absolute and relative local error allowed in a step.
        max_steps: attempted steps after which a trajectory is given up.
        lanes: trajectories under way at once on each core.
        workers: cores; what is found does not depend on them.
        label: text of the progress bar; None shows none.
    """
    workers = max(1, min(workers, len(initial) // 64))
    states = np.empty((len(initial), len(times), *initial.shape[1:]))
    steps = np.zeros(len(initial), int)
    with (
        tqdm(total=len(initial), desc=label, disable=label is None, unit="trajectory") as bar,
        ThreadPoolExecutor(workers) as pool,
    ):

        def share(first: int) -> None:
            mine = slice(first, None, workers)
            states[mine], steps[mine] = _integrate(
                derivative, initial[mine], constants[mine], times, tolerance, max_steps, lanes, bar
            )

        list(pool.map(share, range(workers)))
    complete = np.isfinite(states).all(axis=tuple(range(1, states.ndim)))
    return Solution(states, steps, complete)
