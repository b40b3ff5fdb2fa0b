"""Planted trajectories: bodies under a known pair force, measured as a laboratory would."""

import numpy as np
from scipy.integrate import solve_ivp

from lib.observed.recording import Experiment, Recording

FORCES = {
    "r1": lambda r: -1 / r,
    "spring": lambda r: -(r - 1),
    "soft": lambda r: -r / (r**2 + 0.3) ** 1.5,
    "repulsion": lambda r: 0.5 / (r + 0.1),
    "yukawa": lambda r: -1.8 * np.exp(-r / 1.4) * (1 / r),
}
"""What a body gets along the unit vector from the other, by the distance."""


def pull(force, position, box=None):
    """Sums of pair forces [..., n, dim]."""
    separation = position[..., :, None, :] - position[..., None, :, :]
    if box is not None:
        separation -= box * np.round(separation / box)
    r = np.linalg.norm(separation, axis=-1)
    diagonal = np.arange(position.shape[-2])
    r[..., diagonal, diagonal] = 1.0
    size = FORCES[force](r) / r
    size[..., diagonal, diagonal] = 0.0
    return (size[..., None] * separation).sum(-2)


def times_of(count, dt, rng, irregular=False):
    """Even times, or with gaps from .2 to 1.8 of dt."""
    return np.cumsum(dt * (rng.uniform(0.2, 1.8, count) if irregular else np.ones(count))) - dt


def motion(force="r1", count=30, times=120, n=4, dim=2, dt=0.03, order=2, irregular=False, box=None, seed=0, spread=1.0):
    """Clocks [count, times], exact positions and velocities [count, times, n, dim]."""
    rng = np.random.default_rng(seed)
    clocks, positions, velocities = [], [], []
    for _ in range(count):
        x = rng.uniform(0, box, (n, dim)) if box is not None else spread * rng.standard_normal((n, dim))
        v = 0.5 * rng.standard_normal((n, dim))
        clock = times_of(times, dt, rng, irregular)

        def rate(_, state, shape=x.shape):
            half = state.reshape(-1, *shape)
            a = pull(force, half[0], box)
            return (np.stack([half[1], a]) if order == 2 else a).ravel()

        start = np.stack([x, v]) if order == 2 else x
        found = solve_ivp(rate, (clock[0], clock[-1]), start.ravel(), "DOP853", clock, rtol=1e-9, atol=1e-9).y.T
        found = found.reshape(len(clock), -1, n, dim)
        clocks.append(clock)
        positions.append(found[:, 0])
        velocities.append(found[:, 1] if order == 2 else pull(force, found[:, 0], box))
    return np.array(clocks), np.array(positions), np.array(velocities)


def recording(exact, noise=0.0, missing=0.0, seed=1, with_velocity=False, box=None, **properties):
    """A `Recording` of exact motion with white noise of this standard deviation, and this fraction of bodies' rows lost."""
    rng = np.random.default_rng(seed)
    experiments = []
    for clock, x, v in zip(*exact, strict=True):
        lost = rng.random(x.shape[:2]) < missing
        measured = [np.where(lost[..., None], np.nan, one + noise * rng.standard_normal(x.shape)) for one in (x, v)]
        if box is not None:
            measured[0] = np.mod(measured[0], box)
        names = tuple(f"body {k}" for k in range(x.shape[1]))
        velocity = measured[1] if with_velocity else None
        experiments.append(Experiment(clock, measured[0], velocity, None, properties, names))
    return Recording(tuple(experiments), box, ())
