"""Learned dynamics followed in time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Accelerations = Callable[[np.ndarray], np.ndarray]


def rollout(accelerations: Accelerations, initial: np.ndarray, times: np.ndarray, substeps: int = 5) -> np.ndarray:
    """Trajectories [trajectories, times, n, 2*dim+2] from initial bodies [trajectories, n, 2*dim+2].

    Fourth-order Runge-Kutta, `substeps` steps from one time to the next; `accelerations` maps
    bodies [trajectories, n, 2*dim+2] to [trajectories, n, dim].
    """
    dim = initial.shape[-1] // 2 - 1
    fixed = initial[..., 2 * dim :].astype(float)

    def rate(state: np.ndarray) -> np.ndarray:
        bodies = np.concatenate([state, fixed], axis=-1)
        return np.concatenate([state[..., dim:], accelerations(bodies.astype(np.float32))], axis=-1)

    state = initial[..., : 2 * dim].astype(float)
    states = [state]
    for step in np.diff(times):
        h = step / substeps
        for _ in range(substeps):
            k1 = rate(state)
            k2 = rate(state + h / 2 * k1)
            k3 = rate(state + h / 2 * k2)
            k4 = rate(state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    path = np.stack(states, axis=1)
    return np.concatenate([path, np.broadcast_to(fixed[:, None], (*path.shape[:-1], fixed.shape[-1]))], axis=-1)


def followed(times: np.ndarray, true: np.ndarray, learned: np.ndarray, apart: float = 0.1) -> np.ndarray:
    """Time [trajectories] at which learned bodies are `apart` from the true ones, [trajectories, times, n, 2*dim+2].

    The mean distance over bodies, in the simulation's unit of length; the last time if they never are.
    """
    dim = true.shape[-1] // 2 - 1
    distance = np.linalg.norm((true - learned)[..., :dim], axis=-1).mean(axis=-1)
    far = ~(distance < apart)
    return times[np.where(far.any(axis=1), far.argmax(axis=1), len(times) - 1)]
