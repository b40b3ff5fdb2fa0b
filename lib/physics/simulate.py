"""N bodies under a law: accelerations, energy and trajectories (JAX, float64)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.interpolate import CubicSpline

from lib.errors import InputError
from lib.physics.bodies import Bodies
from lib.physics.compilation import keep_programs
from lib.physics.integrate import Derivative, Solution, integrate
from lib.physics.laws import SOFTENING, Law, get_law

STEPS = 500
EVERY = 5
"""Of `STEPS` steps of dt, every fifth is kept, as in the paper's code: 100 snapshots."""

TOLERANCE = 1e-7
"""Local error allowed in a step; it keeps the energy as well as float32 on disk can tell."""

PART = 10_000
"""Systems of bodies whose energies or accelerations are evaluated at once, so that memory stays small."""


def snapshot_times(law_name: str, dt: float | None = None) -> np.ndarray:
    """Times of the kept snapshots, [100], from 0, in units of the law's time."""
    return np.arange(0, STEPS, EVERY) * (get_law(law_name).dt if dt is None else dt)


UNROLLED = 8
"""Offsets that a program has one after the other; more would take minutes to compile, and are taken in a loop."""

Ends = Callable[[Array], Array]
"""Of an array of bodies [n, ...], the first or the second bodies of some pairs [pairs, ...]."""


def check(n: int, dim: int, dt: float | None) -> None:
    """Raise `InputError` unless there are two bodies or more, in 2D or 3D, and time runs forward."""
    if n < 2:
        raise InputError(f"n = {n}: a pair law needs 2 bodies or more")
    if dim not in (2, 3):
        raise InputError(f"dim = {dim}: choose 2 or 3")
    if dt is not None and not dt > 0:
        raise InputError(f"dt = {dt}: choose a positive step")


def potential_energy(law: Law, x: Array, q: Array, m: Array) -> Array:
    """Potential energy [...] of bodies at x [n, dim, ...] with charges q and masses m [n, ...]."""

    def of_pairs(a: Ends, b: Ends) -> Iterator[Array]:
        yield law.potential(softened(a(x), b(x)), a(m), b(m), a(q), b(q))

    return _sum_over_pairs(law, law.field.energy(x, m).sum(axis=0), len(m), of_pairs)


def _sum_over_pairs(law: Law, energy: Array, n: int, of_pairs: Callable[[Ends, Ends], Iterator[Array]]) -> Array:
    """An energy [...], and to it the sum over the law's pairs of n bodies of what `of_pairs` gives, each [pairs, ...]."""
    offsets = law.offsets(n)
    if len(offsets) <= UNROLLED:
        for k in offsets:
            for energies in of_pairs(lambda bodies, k=k: bodies[:-k], lambda bodies, k=k: bodies[k:]):
                energy += energies.sum(axis=0)
        return energy

    def add(energy: Array, k: Array) -> tuple[Array, None]:
        within = jnp.arange(n) + k < n  # beyond the last body others begin again
        for energies in of_pairs(lambda bodies: bodies, lambda bodies: jnp.roll(bodies, -k, axis=0)):
            energy += jnp.where(within.reshape(n, *[1] * energy.ndim), energies, 0.0).sum(axis=0)
        return energy, None

    # what a slope needs is computed again, not kept for each offset
    return jax.lax.scan(jax.checkpoint(add), energy, jnp.asarray(offsets))[0]


def softened(receiver: Array, sender: Array) -> Array:
    """Softened distances s [pairs, ...] of bodies at [pairs, dim, ...]."""
    return jnp.sqrt(jnp.sum((receiver - sender) ** 2, axis=1)) + SOFTENING


def one_sided_energy(law: Law, x: Array, others: Array, q: Array, m: Array) -> Array:
    """Energy [...] of the forces without reaction on bodies at x [n, dim, ...], of the bodies at `others`, which are fixed."""
    energy = jnp.zeros(x.shape[2:])
    if law.one_sided is None:
        return energy

    def of_pairs(first: Ends, second: Ends) -> Iterator[Array]:
        for a, b in ((first, second), (second, first)):
            yield law.one_sided(softened(a(x), b(others)), a(m), b(m), a(q), b(q))

    return _sum_over_pairs(law, energy, len(m), of_pairs)


def _columns(bodies: Array) -> tuple[Array, Array, Array, Array]:
    """Positions and velocities [n, dim, ...], charges and masses [n, ...] of bodies [n, 2*dim+2, ...]."""
    dim = bodies.shape[1] // 2 - 1
    return bodies[:, :dim], bodies[:, dim : 2 * dim], bodies[:, -2], bodies[:, -1]


def _friction(law: Law, v: Array) -> np.ndarray:
    """Damping constants [n, 1, ...] of bodies with velocities [n, dim, ...]."""
    return law.friction(len(v)).reshape(-1, *[1] * (v.ndim - 1))


def acceleration(law: Law, bodies: Array) -> Array:
    """Acceleration [n, dim, ...] of bodies [n, 2*dim+2, ...]: minus the potentials' gradient, and friction, over m."""
    x, v, q, m = _columns(bodies)

    def energy(moved: Array) -> Array:
        return (potential_energy(law, moved, q, m) + one_sided_energy(law, moved, x, q, m)).sum()

    # systems side by side do not act on each other: the gradient of their sum is the gradient of each
    return (-jax.grad(energy)(x) - _friction(law, v) * v) / m[:, None]


def derivative(law_name: str) -> Derivative:
    """d(x, v)/dt of a state [n, 2*dim, ...] with constants (q, m) [n, 2, ...]."""
    return _derivative(get_law(law_name))


# what is compiled is kept under the law itself: another may be registered under its name
@cache
def _derivative(law: Law) -> Derivative:
    def rate(state: Array, constants: Array) -> Array:
        dim = state.shape[1] // 2
        bodies = jnp.concatenate([state, constants], axis=1)
        return jnp.concatenate([state[:, dim:], acceleration(law, bodies)], axis=1)

    return rate


@cache
def _jitted(function: Callable[..., Array], law: Law) -> Callable[[np.ndarray], Array]:
    return jax.jit(lambda systems: function(law, systems))


def _each(function: Callable[..., Array], law_name: str, bodies: np.ndarray) -> np.ndarray:
    """A function of every system [n, 2*dim+2] of bodies [..., n, 2*dim+2], `PART` at a time."""
    keep_programs()
    systems = bodies.reshape(-1, *bodies.shape[-2:])
    compiled = _jitted(function, get_law(law_name))
    starts = range(0, max(len(systems), 1), PART)
    parts = [compiled(np.moveaxis(systems[k : k + PART].astype(float), 0, -1)) for k in starts]
    found = np.concatenate([np.moveaxis(np.asarray(part), -1, 0) for part in parts])
    return found.reshape(*bodies.shape[:-2], *found.shape[1:])


def accelerations(law_name: str, bodies: np.ndarray) -> np.ndarray:
    """Accelerations [..., n, dim] of bodies [..., n, 2*dim+2], in float64."""
    return _each(acceleration, law_name, bodies)


def _total_energy(law: Law, bodies: Array) -> Array:
    x, v, q, m = _columns(bodies)
    return potential_energy(law, x, q, m) + 0.5 * jnp.sum(m[:, None] * v**2, axis=(0, 1))


def total_energy(law_name: str, bodies: np.ndarray) -> np.ndarray:
    """Kinetic and potential energy [...] of bodies [..., n, 2*dim+2]."""
    return _each(_total_energy, law_name, bodies)


def _dissipated_power(law: Law, bodies: Array) -> Array:
    x, v, q, m = _columns(bodies)
    without_reaction = -jax.grad(lambda moved: one_sided_energy(law, moved, x, q, m).sum())(x)
    return jnp.sum((_friction(law, v) * v - without_reaction) * v, axis=(0, 1))


def dissipated_energy(law_name: str, times: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """Energy that friction and forces without reaction have dissipated by each time, [..., times].

    Of bodies [..., times, n, 2*dim+2], the integral of sum_i (friction_i v_i - f_i) v_i, of a cubic spline through the
    snapshots, f_i the force on body i that has no reaction; NaN for bodies that are not finite.
    """
    power = _each(_dissipated_power, law_name, bodies)
    finite = np.isfinite(power).all(axis=-1, keepdims=True)
    dissipated = CubicSpline(times, np.where(finite, power, 0.0), axis=-1).antiderivative()(times)
    return np.where(finite, dissipated, np.nan)


def energy_error(law_name: str, times: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """Error of the energy balance [..., times] of bodies [..., times, n, 2*dim+2].

    |E(t) + dissipated(t) - E(0)|, relative to the sum of the sizes of kinetic and potential energy at the start.
    """
    first = Bodies(bodies[..., :1, :, :].astype(float))
    kinetic = 0.5 * (first.mass * (first.velocity**2).sum(-1)).sum(-1)
    total = total_energy(law_name, bodies)
    balance = total + dissipated_energy(law_name, times, bodies) - total[..., :1]
    return np.abs(balance) / (kinetic + np.abs(total[..., :1] - kinetic))


def initial_bodies(law_name: str, count: int, n: int, dim: int, seed: int, stream: int = 0) -> np.ndarray:
    """Initial bodies [count, n, 2*dim+2]; each (seed, stream) is independent of every other."""
    normal = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,))).standard_normal
    return np.stack([get_law(law_name).initial(n, dim, normal) for _ in range(count)])


def simulate(
    law_name: str,
    initial: np.ndarray,
    times: np.ndarray,
    *,
    tolerance: float = TOLERANCE,
    label: str | None = None,
) -> tuple[np.ndarray, Solution]:
    """Trajectories [trajectories, times, n, 2*dim+2] from initial bodies [trajectories, n, 2*dim+2].

    Returns them with the integrator's `Solution`, which says which are complete.
    """
    keep_programs()
    dim = initial.shape[-1] // 2 - 1
    state, constants = initial[..., : 2 * dim], initial[..., 2 * dim :]
    bodies = np.empty((len(initial), len(times), *initial.shape[1:]))
    bodies[..., 2 * dim :] = constants[:, None]
    out = bodies[..., : 2 * dim]
    return bodies, integrate(derivative(law_name), state, constants, times, tolerance=tolerance, label=label, out=out)
