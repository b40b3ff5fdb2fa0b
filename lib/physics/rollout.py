"""Trajectories of learned accelerations, and for how long they are valid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lib.physics.bodies import Bodies

Accelerations = Callable[[np.ndarray], np.ndarray]


def rollout(accelerations: Accelerations, initial: np.ndarray, times: np.ndarray, substeps: int = 5) -> np.ndarray:
    """Trajectories [trajectories, times, n, 2*dim+2] from initial bodies [trajectories, n, 2*dim+2].

    The classical fourth-order Runge-Kutta method, `substeps` steps from one time to the next; `accelerations` maps
    bodies [trajectories, n, 2*dim+2] to [trajectories, n, dim].
    """
    dim = initial.shape[-1] // 2 - 1
    constants = initial[..., 2 * dim :].astype(float)

    def rate(state: np.ndarray) -> np.ndarray:
        bodies = np.concatenate([state, constants], axis=-1)
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
    moved = np.stack(states, axis=1)
    return np.concatenate([moved, np.broadcast_to(constants[:, None], (*moved.shape[:-1], 2))], axis=-1)


def valid_prediction_time(times: np.ndarray, true: np.ndarray, learned: np.ndarray, apart: float = 0.1) -> np.ndarray:
    """Of each trajectory, [trajectories], the first time at which learned bodies are `apart` from the true ones.

    Both are [trajectories, times, n, 2*dim+2]; the distance is the mean over bodies, in the simulation's unit of length.
    It is the last time where they never are, and the first that is not finite where the learned ones leave the finite.
    """
    distance = np.linalg.norm(Bodies(true).position - Bodies(learned).position, axis=-1).mean(axis=-1)
    far = ~(distance < apart)
    return times[np.where(far.any(axis=1), far.argmax(axis=1), len(times) - 1)]
