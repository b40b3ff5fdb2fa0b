"""An adaptive Runge-Kutta integrator for many independent trajectories at once.

Every trajectory keeps its own time, step size and error control (Dormand-Prince 8(7), with the
tableau and the dense output that diffrax gives). A fixed number of lanes holds one trajectory each; a
lane whose trajectory has ended takes the next one from the queue, so that the few trajectories of many
steps, those with close encounters, do not make the others wait. Lanes are the last axis of every array:
the processor's vector units do the same arithmetic on neighbours in memory.
"""

from __future__ import annotations

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
from lib.processors import limit_xla, processors

jax.config.update("jax_enable_x64", True)
limit_xla()

SAVES_PER_STEP = 4
"""A step may pass this many save times at most; they are read off its dense output."""
STEPS_PER_CHECK = 32
"""Steps between two checks of which trajectories have ended."""
FEWER = 8
"""The last trajectories go on in so many times fewer lanes."""

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
    """The state of the integration of one trajectory in each lane, [..., lanes]."""

    t: Array
    h: Array
    y: Array
    slope: Array
    """dy/dt at y, the last stage of the step that led there."""
    constants: Array
    saved: Array
    """Save times that were passed."""
    steps: Array
    """Attempted steps."""


def _combine(weights: np.ndarray | list[Array], stages: list[Array]) -> Array:
    """Weighted sum of stages; those of weight 0 are left out of the program."""
    terms = [w * k for w, k in zip(weights, stages, strict=True) if not (isinstance(w, float) and w == 0)]
    return sum(terms[1:], terms[0])


def _attempt(lanes: Lanes, derivative: Derivative, times: Array, tolerance: float) -> tuple[Lanes, tuple[Array, Array, Array]]:
    """One attempted step of every lane.

    Returns the lanes after it, and what to save: states [SAVES_PER_STEP, *state, lanes], the index
    of the first one's time [lanes], and which of them are to be saved [SAVES_PER_STEP, lanes].
    """
    # imported where it is needed: it takes a second, and most notebooks integrate nothing
    from diffrax import Dopri8

    tableau = Dopri8.tableau
    # [stages, powers]: a stage's weight as a polynomial of the fraction of the step, from the highest power to the first
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
    # maxima and square roots are exact, so that a lane's steps do not depend on what the other lanes hold
    norm = jnp.max(jnp.abs(error) / scale, axis=tuple(range(error.ndim - 1)))
    norm = jnp.where(jnp.isfinite(norm), norm, 1e10)
    accepted = norm <= 1
    growth = jnp.clip(0.9 / jnp.sqrt(jnp.sqrt(jnp.sqrt(jnp.maximum(norm, 1e-10)))), 0.2, 5.0)
    # a step cut short by a save time says little about the step that the error allows
    grown = jnp.where(h < lanes.h, jnp.maximum(lanes.h, h * growth), h * growth)

    reached = accepted & (passed <= last) & (save_times <= t1)
    states = []
    for save_time in save_times:
        fraction = (jnp.minimum(save_time, t1) - lanes.t) / jnp.where(h > 0, h, 1.0)
        weights = [fraction * jnp.polyval(jnp.asarray(row), fraction) if row.any() else 0.0 for row in dense]
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
    """`STEPS_PER_CHECK` attempts, and what to save of each."""
    rate = jax.jit(derivative)  # traced once for all stages
    return jax.lax.scan(lambda lanes, _: _attempt(lanes, rate, times, tolerance), lanes, length=STEPS_PER_CHECK)


@partial(jax.jit, static_argnums=1)
def _start(lanes: Lanes, derivative: Derivative, chosen: Array, y: Array, constants: Array, h: float) -> Lanes:
    """Start new trajectories in the chosen lanes; numbers beyond the last lane are ignored."""
    new = Lanes(t=0.0, h=h, y=y, slope=derivative(y, constants), constants=constants, saved=0, steps=0)
    return jax.tree.map(lambda old, value: old.at[..., chosen].set(value, mode="drop"), lanes, new)


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
        lanes //= FEWER
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
    trajectory = np.full(lanes, -1)  # in each lane; -1 in a free one
    queued = 0
    while True:
        ended = (np.asarray(active.saved) == len(times)) | (np.asarray(active.steps) >= max_steps)
        finished = np.flatnonzero(ended & (trajectory >= 0))
        steps[trajectory[finished]] = np.asarray(active.steps)[finished]
        trajectory[finished] = -1
        bar.update(len(finished))

        free = np.flatnonzero(trajectory < 0)
        entering = np.arange(queued, min(queued + len(free), count))
        queued += len(entering)
        if len(entering):
            chosen = np.full(lanes, lanes)
            chosen[: len(entering)] = free[: len(entering)]
            trajectory[free[: len(entering)]] = entering
            rows = np.resize(entering, lanes)
            y, fixed = np.moveaxis(initial[rows], 0, -1), np.moveaxis(constants[rows], 0, -1)
            active = _start(active, derivative, chosen, y, fixed, first_step)
        if (trajectory < 0).all():
            return
        # free lanes cost as much as others
        if queued == count and few_lanes_suffice((trajectory >= 0).sum(), lanes):
            lanes //= FEWER
            kept = np.argsort(trajectory < 0, kind="stable")[:lanes]
            active = jax.tree.map(lambda a, kept=kept: a[..., kept], active)
            trajectory = trajectory[kept]
        active, to_save = _advance(active, derivative, grid, tolerance)
        found, first, reached = map(np.asarray, to_save)
        # a trajectory that was given up goes on in its lane until another is started there
        step, save, lane = np.nonzero(reached & (trajectory >= 0))
        states[trajectory[lane], first[step, lane] + save] = found[step, save, ..., lane]


def few_lanes_suffice(count: int, lanes: int) -> bool:
    """Whether `FEWER` times fewer lanes hold `count` trajectories, and are enough for the compiler to treat alike.

    There are only these two numbers of lanes: to compile for a third takes longer than to leave lanes empty.
    """
    return lanes >= 16 * FEWER and count <= lanes // FEWER


def lanes_of(state: int) -> int:
    """Lanes for `state` numbers a trajectory.

    Few enough that a step's stages fit the processor's cache, and that the compiler arranges the
    arithmetic alike for all lanes and for `FEWER` times fewer, which keeps results equal to the bit.
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
    workers: int | None = None,
    label: str | None = None,
    out: np.ndarray | None = None,
) -> Solution:
    """Integrate dy/dt = derivative(y, constants) from t = 0 for each trajectory.

    Args:
        derivative: of y [*state, lanes] and constants [*constants, lanes], lane by lane; the same function
            object for the same problem, since its compiled step is kept for that object.
        initial: [trajectories, *state], float64.
        constants: [trajectories, *constants], what stays fixed along a trajectory.
        times: [times], ascending, from 0 on.
        tolerance: absolute and relative local error allowed in a step.
        max_steps: attempted steps after which a trajectory is given up.
        lanes: trajectories integrated at once by each worker; None takes what suits the state's size.
        workers: threads; None takes the job's share of processors. Results do not depend on it.
        label: text of the progress bar; None shows none.
        out: [trajectories, times, *state], where the states are written; None makes a new array.
    """
    keep_freed_memory()
    workers = max(1, min(workers or processors(), len(initial) // 64))
    lanes = lanes or lanes_of(int(np.prod(initial.shape[1:])))
    states = np.empty((len(initial), len(times), *initial.shape[1:])) if out is None else out
    states[:] = np.nan
    steps = np.zeros(len(initial), int)
    with (
        tqdm(total=len(initial), desc=label, disable=label is None, unit="trajectory") as bar,
        ThreadPoolExecutor(workers) as pool,
    ):

        def integrate_part(first: int) -> None:
            part = slice(first, None, workers)
            arrays = (initial[part], constants[part], times)
            _integrate(derivative, *arrays, tolerance, max_steps, lanes, bar, states[part], steps[part])

        list(pool.map(integrate_part, range(workers)))
    complete = np.isfinite(states).all(axis=tuple(range(1, states.ndim)))
    return Solution(states, steps, complete)
