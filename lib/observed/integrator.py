"""Segments followed through a law by an integrator, with slopes in its constants and in the states that they start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax import Array

from lib.observed.segments import BATCH, Segments
from lib.physics.compilation import fused
from lib.selection.law import Law, body_names, pair_names

jax.config.update("jax_enable_x64", True)

STEPS = (1, 2, 4, 8, 16)
"""Steps of the integrator between two measured times."""
ACCURACY = 0.02
"""Errors of the integrator, in parts of the noise; segments that are not followed that well are left out."""


@dataclass(frozen=True, eq=False)
class Model:
    """A law as a function of its constants, for JAX; compared by identity."""

    order: int
    rates: Callable[[Array, Array, Array, Array, Array], Array]
    """Of constants [constants], position and velocity [n, dim], properties [properties, n], active [n]: [n, dim]."""
    scalars: tuple[int, ...]
    """Numbers of the properties whose values are parameters too."""
    constants: int


@lru_cache(maxsize=32)
def model_of(
    law: Law,
    symbols: tuple[sympy.Symbol, ...],
    names: tuple[str, ...],
    scalars: tuple[int, ...],
    box: tuple[float, ...] | None,
    ties: tuple[tuple[bool, ...], ...] | None,
) -> Model:
    """The model of a law with symbols for its constants; one of each form, so that JAX compiles it once."""
    forms = [law.radial, law.transverse, *law.single]
    inputs = [pair_names([*names])] * 2 + [body_names(law.dim, [*names])] * len(law.single)
    functions = [
        sympy.lambdify([*symbols, *(sympy.Symbol(one, real=True) for one in own)], form, "jax")
        for form, own in zip(forms, inputs, strict=True)
    ]
    mass = names.index("mass") if law.divides_by_mass else None
    acting = None if ties is None else np.array(ties)
    periods = None if box is None else np.array(box)

    def rates(constants: Array, x: Array, v: Array, properties: Array, active: Array) -> Array:
        n = len(x)
        separation = x[:, None] - x
        if periods is not None:
            separation = separation - periods * jnp.round(separation / periods)
        pairs = active[:, None] & active & ~jnp.eye(n, dtype=bool)
        # a distance without trouble where there is no pair, so that slopes stay finite
        square = (separation**2).sum(-1)
        r = jnp.sqrt(jnp.where(pairs, square, 1.0))
        r = jnp.where(pairs, r, jnp.max(jnp.where(pairs, r, 0.0)))
        columns = [r]
        for one in properties:
            columns += [jnp.broadcast_to(one[:, None], (n, n)), jnp.broadcast_to(one, (n, n))]
        if acting is not None:
            pairs &= acting
        line = separation / r[..., None]

        def force(function: Callable[..., Array], direction: Array) -> Array:
            size = jnp.broadcast_to(function(*constants, *columns), (n, n))
            return (jnp.where(pairs, size, 0.0)[..., None] * direction).sum(1)

        found = force(functions[0], line)
        if law.transverse != 0:
            found = found + force(functions[1], jnp.stack([-line[..., 1], line[..., 0]], -1))
        if mass is not None:
            found = found / properties[mass][:, None]
        if law.single:
            own = (*x.T, *v.T, *properties)
            parts = [jnp.broadcast_to(one(*constants, *own), (n,)) for one in functions[2:]]
            found = found + jnp.stack(parts, -1)
        return jnp.where(active[:, None], found, 0.0)

    return Model(law.order, rates, scalars, len(symbols))


def _follow(
    model: Model, count: Array, steps: Array, parameters: Array, start: Array, time: Array, properties: Array, active: Array
) -> Array:
    """Positions and velocities [times, order, n, dim] from a start [order, n, dim], at the first `count` times; Runge and
    Kutta's method of order 4."""
    constants = parameters[: model.constants]
    n = active.shape[0]
    for k, number in enumerate(model.scalars):
        first = model.constants + k * n
        properties = properties.at[number].set(parameters[first : first + n])

    @jax.jit  # traced once for all stages
    def slope(state: Array) -> Array:
        x, v = state[0], state[-1]
        a = model.rates(constants, x, v, properties, active)
        return jnp.stack([v, a]) if model.order == 2 else a[None]

    durations = jnp.diff(time)

    def interval(k: int, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        state, states = carried
        h = durations[k] / steps

        def step(_: int, y: Array) -> Array:
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

        state = jax.lax.fori_loop(0, steps, step, state)
        return state, states.at[k + 1].set(state)

    # a loop of as many turns as there are times, so that one program serves segments of all lengths
    states = jnp.zeros((len(time), *start.shape)).at[0].set(start)
    return jax.lax.fori_loop(0, count - 1, interval, (start, states))[1]


def _residual(
    model: Model, lengths: tuple[Array, Array], unknown: Array, shape: tuple[int, ...], arrays: tuple[Array, ...]
) -> Array:
    """Residuals [numbers] over the noise, of parameters and initial state in one vector; `lengths` are `count` and `steps`."""
    time, values, weight, properties, active = arrays
    size = int(np.prod(shape))
    parameters, start = unknown[:-size], unknown[-size:].reshape(shape)
    states = _follow(model, *lengths, parameters, start, time, properties, active)
    found = (states[:, : values.shape[1]] - values) * weight[..., None]
    return jnp.where(weight[..., None] > 0, found, 0.0).ravel()


@partial(jax.jit, static_argnums=0)
def _batch_residuals(
    model: Model, lengths: tuple[Array, Array], parameters: Array, starts: Array, arrays: tuple[Array, ...]
) -> Array:
    """[segments, numbers]"""

    def one(start: Array, own: tuple[Array, ...]) -> Array:
        return _residual(model, lengths, jnp.concatenate([parameters, start.ravel()]), start.shape, own)

    return jax.vmap(one)(starts, arrays)


def _batch_slopes(
    model: Model, lengths: tuple[Array, Array], parameters: Array, starts: Array, arrays: tuple[Array, ...]
) -> tuple[Array, Array]:
    """Residuals [segments, numbers] and their slopes [segments, numbers, unknowns]."""

    def one(start: Array, own: tuple[Array, ...]) -> tuple[Array, Array]:
        def twice(y: Array) -> tuple[Array, Array]:
            found = _residual(model, lengths, y, start.shape, own)
            return found, found

        slopes, residual = jax.jacfwd(twice, has_aux=True)(jnp.concatenate([parameters, start.ravel()]))
        return residual, slopes

    return jax.vmap(one)(starts, arrays)


@cache
def _compiled_slopes() -> Callable[..., tuple[Array, Array]]:
    """`_batch_slopes` compiled; in XLA's passes of one operation each it takes four times as long."""
    return jax.jit(_batch_slopes, static_argnums=0, compiler_options=fused())


def _filled(starts: np.ndarray) -> np.ndarray:
    return starts[np.minimum(np.arange(BATCH), len(starts) - 1)]


def residuals_of(model: Model, parameters: np.ndarray, starts: np.ndarray, segments: Segments) -> np.ndarray:
    """[segments, numbers]"""
    found = [
        np.asarray(_batch_residuals(model, lengths, parameters, _filled(starts[part]), arrays))[: part.stop - part.start]
        for part, lengths, arrays in segments.batches()
    ]
    return np.concatenate(found)


def slopes_of(
    model: Model, parameters: np.ndarray, starts: np.ndarray, segments: Segments
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each segment, residuals [numbers] and their slopes [numbers, unknowns]."""
    for part, lengths, arrays in segments.batches():
        residual, slopes = map(np.asarray, _compiled_slopes()(model, lengths, parameters, _filled(starts[part]), arrays))
        yield from zip(residual[: part.stop - part.start], slopes, strict=False)


def with_steps(model: Model, parameters: np.ndarray, segments: Segments) -> Segments:
    """The segments, each with the fewest steps that follow it closely enough, in order of these; 0 where none does."""
    found, left = [], segments
    for steps in STEPS:
        if not len(left.time):
            break
        left = replace(left, steps=np.full(len(left.time), steps))
        finer = replace(left, steps=2 * left.steps)
        one, other = (residuals_of(model, parameters, each.start, each) for each in (left, finer))
        close = np.abs(one - other).max(1) < ACCURACY  # false where an integration failed
        found.append(left.take(close))
        left = left.take(~close)
    return Segments.joined([*found, replace(left, steps=np.zeros(len(left.time), int))])
