"""Constants of a law fitted to the measured positions themselves, through the integrator: multiple shooting.

Trajectories are cut into short segments, each with initial states of its own. With r_s(c, y_s) the residuals of segment s for
constants c and initial state y_s, Gauss and Newton's step has the shape of an arrow: the y_s are eliminated one by one, and
what is left is a system in c alone (Bock, Modelling of Chemical Reaction Systems, 1981, p. 102). Nothing is smoothed away:
noise is where it arose, in the positions.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax import Array

from lib.errors import InputError
from lib.observed.batches import interval_of
from lib.observed.derivatives import Smoothed, smooth
from lib.observed.noise import noise_of
from lib.observed.periodic import unwrapped
from lib.observed.recording import Recording
from lib.observed.weak_form import time_scale
from lib.physics.compilation import fused, keep_programs
from lib.selection.fitting import Family, Fit
from lib.selection.law import Constant, Law, body_names, pair_names

jax.config.update("jax_enable_x64", True)

LENGTHS = (2.0, 4.0)
"""Durations of segments, in time scales of the motion, one fit after the other: long ones tell more of the constants, and are
followed only by constants that are nearly right."""
ASTRAY = 1.05
"""A longer segment's fit is taken if its residuals are not larger than this many times those of the shorter one's."""
SHORTEST, LONGEST = 8, 60
"""Measured times of a segment."""
WORK = 2e6
"""Segments x times x pairs x derivatives in one iteration; of more segments a random part is taken."""
FEWEST = 16
HOPELESS = 30.0
"""Times the median residual of the best law so far: a law that leaves more is not followed to its minimum."""
STEPS = (1, 2, 4, 8, 16)
"""Steps of the integrator between two measured times."""
ACCURACY = 0.02
"""Errors of the integrator, in parts of the noise; segments that are not followed that well are left out."""
LEAST_NOISE = 1e-7
"""In parts of the spread: exact data are not followed more closely."""
OUTLIER = 4.0
"""Residuals of so many standard deviations count half (Cauchy's loss)."""
LOOSE = 100.0
"""Times `OUTLIER` in the first iteration, a quarter of it in each further one."""
ITERATIONS, AGAIN = 40, 10
"""Of a fit, and of one from other states, where constants are nearly right."""
CONVERGED = 0.02
"""Standard errors by which an iteration moves the constants at last."""
SLOW = 1e-3
"""Part of the loss by which each iteration must lower it where laws are compared: a few segments that go astray are found late,
and left out then."""
STRAYED = 3.0
"""A segment went astray if its own residuals, by nine tenths of them, are so many times those of all."""
FEW = 20
"""With fewer trajectories the sandwich estimate takes segments for independent instead."""
UNDETERMINED = 1e-9
"""Relative size of an eigenvalue of the information that the data do not determine."""
PARAMETERS = 8
"""Segments of laws that are compared are as many as a law with so many constants affords."""
BATCH = 32
"""Segments integrated at once."""


@dataclass(frozen=True)
class ShootingFit:
    """Constants fitted to positions."""

    law: Law
    """With these constants."""
    constants: tuple[Constant, ...]
    """In the order of the law's numbers: radial, transverse, single. No standard error where the data do not determine one."""
    covariance: np.ndarray
    """[parameters, parameters], by the sandwich estimate over trajectories; of constants, then of scalars."""
    scalars: Mapping[str, np.ndarray]
    """Properties that were free, each [n]."""
    scalar_errors: Mapping[str, np.ndarray]
    """Each [n], NaN where the data do not determine it."""
    noise: float
    """Standard deviation of a component of the residuals, degrees of freedom allowed for."""
    residuals: int
    """Numbers fitted to."""
    segments: int
    """Segments fitted to."""
    left_out: int
    """Segments that no integration followed closely enough."""
    converged: bool


@dataclass(frozen=True)
class _Segments:
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
    start: np.ndarray
    """[segments, order, n, dim], first guess of positions (and velocities)."""
    trajectory: np.ndarray
    """[segments]"""
    steps: np.ndarray
    """[segments], of the integrator between two measured times."""

    def take(self, chosen: np.ndarray) -> _Segments:
        """Of some segments."""
        return _Segments(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def batches(self) -> Iterator[tuple[slice, tuple[np.ndarray, ...]]]:
        """Slices of `BATCH` segments with what the integrator needs of them; the last is filled up with repetitions."""
        each = (self.time, self.values, self.weight, self.properties, self.active, self.steps)
        for first in range(0, len(self.time), BATCH):
            rows = np.minimum(np.arange(first, first + BATCH), len(self.time) - 1)
            yield slice(first, min(first + BATCH, len(self.time))), tuple(one[rows] for one in each)


@dataclass(frozen=True, eq=False)
class _Model:
    """A law as a function of its constants, for JAX; compared by identity."""

    order: int
    rates: Callable[[Array, Array, Array, Array, Array], Array]
    """Of constants [constants], position and velocity [n, dim], properties [properties, n], active [n]: [n, dim]."""
    scalars: tuple[int, ...]
    """Numbers of the properties whose values are parameters too."""
    constants: int


@lru_cache(maxsize=32)
def _model(
    law: Law,
    symbols: tuple[sympy.Symbol, ...],
    names: tuple[str, ...],
    scalars: tuple[int, ...],
    box: tuple[float, ...] | None,
    ties: tuple[tuple[bool, ...], ...] | None,
) -> _Model:
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

    return _Model(law.order, rates, scalars, len(symbols))


def _follow(
    model: _Model, steps: Array, parameters: Array, start: Array, time: Array, properties: Array, active: Array
) -> Array:
    """Positions and velocities [times, 2, n, dim] from a start [order, n, dim]; Runge and Kutta's method of order 4."""
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

    def interval(state: Array, duration: Array) -> tuple[Array, Array]:
        h = duration / steps

        def step(_: int, y: Array) -> Array:
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

        state = jax.lax.fori_loop(0, steps, step, state)
        return state, state

    _, states = jax.lax.scan(interval, start, jnp.diff(time))
    return jnp.concatenate([start[None], states])


def _residual(model: _Model, unknown: Array, shape: tuple[int, ...], arrays: tuple[Array, ...]) -> Array:
    """Residuals [numbers] over the noise, of parameters and initial state in one vector."""
    time, values, weight, properties, active, steps = arrays
    size = int(np.prod(shape))
    parameters, start = unknown[:-size], unknown[-size:].reshape(shape)
    states = _follow(model, steps, parameters, start, time, properties, active)
    found = (states[:, : values.shape[1]] - values) * weight[..., None]
    return jnp.where(weight[..., None] > 0, found, 0.0).ravel()


@partial(jax.jit, static_argnums=0)
def _batch_residuals(model: _Model, parameters: Array, starts: Array, arrays: tuple[Array, ...]) -> Array:
    """[segments, numbers]"""

    def one(start: Array, own: tuple[Array, ...]) -> Array:
        return _residual(model, jnp.concatenate([parameters, start.ravel()]), start.shape, own)

    return jax.vmap(one)(starts, arrays)


def _batch_slopes(model: _Model, parameters: Array, starts: Array, arrays: tuple[Array, ...]) -> tuple[Array, Array]:
    """Residuals [segments, numbers] and their slopes [segments, numbers, unknowns]."""

    def one(start: Array, own: tuple[Array, ...]) -> tuple[Array, Array]:
        def twice(y: Array) -> tuple[Array, Array]:
            found = _residual(model, y, start.shape, own)
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


def _residuals(model: _Model, parameters: np.ndarray, starts: np.ndarray, segments: _Segments) -> np.ndarray:
    """[segments, numbers]"""
    found = [
        np.asarray(_batch_residuals(model, parameters, _filled(starts[part]), arrays))[: part.stop - part.start]
        for part, arrays in segments.batches()
    ]
    return np.concatenate(found)


def _slopes(
    model: _Model, parameters: np.ndarray, starts: np.ndarray, segments: _Segments
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each segment, residuals [numbers] and their slopes [numbers, unknowns]."""
    for part, arrays in segments.batches():
        residual, slopes = map(np.asarray, _compiled_slopes()(model, parameters, _filled(starts[part]), arrays))
        yield from zip(residual[: part.stop - part.start], slopes, strict=False)


def _equations(
    model: _Model, parameters: np.ndarray, starts: np.ndarray, segments: _Segments, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each segment, the information [segments, unknowns, unknowns] and the gradient [segments, unknowns]."""
    found = []
    for residual, slopes in _slopes(model, parameters, starts, segments):
        weighted = slopes / (1 + (residual / (OUTLIER * scale)) ** 2)[:, None]
        found.append((slopes.T @ weighted, weighted.T @ residual))
    information, gradient = (np.stack(each) for each in zip(*found, strict=True))
    return information, gradient


def _are_finite(equations: tuple[np.ndarray, ...]) -> bool:
    return all(np.isfinite(one).all() for one in equations)


def _losses(residuals: np.ndarray, scale: float) -> np.ndarray:
    """Cauchy's loss of each segment [segments]; infinite where an integration failed."""
    with np.errstate(over="ignore"):
        found = (OUTLIER * scale) ** 2 / 2 * np.log1p((residuals / (OUTLIER * scale)) ** 2).sum(1)
    return np.where(np.isfinite(found), found, np.inf)


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


def _segments(
    recording: Recording,
    order: int,
    noises: Mapping[str, float],
    ways: list[Smoothed | None],
    rates: list[Smoothed | None],
    length: int,
    names: list[str],
) -> _Segments | None:
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
            start = np.zeros((order, most, dim))
            start[0, n:] = np.abs(np.nan_to_num(position)).max() * (2.0 + np.arange(most - n))[:, None]
            start[0, :n] = way.value[stretch.start, there]
            if order == 2:
                start[1, :n] = first[stretch.start, there]
            found.append((time, values, weight, properties, np.arange(most) < n, start, np.array(number), np.array(1)))
    if not found:
        return None
    segments = _Segments(*(np.stack(each) for each in zip(*found, strict=True)))
    used = int((segments.weight > 0).any((2, 3)).sum(1).max())
    return replace(segments, time=segments.time[:, :used], values=segments.values[:, :used], weight=segments.weight[:, :used])


def _followed(model: _Model, parameters: np.ndarray, segments: _Segments) -> _Segments:
    """The segments that some number of steps follows closely enough, ordered by that."""
    found, left = [], segments
    for steps in STEPS:
        if not len(left.time):
            break
        left = replace(left, steps=np.full(len(left.time), steps))
        finer = replace(left, steps=2 * left.steps)
        one, other = (_residuals(model, parameters, each.start, each) for each in (left, finer))
        close = np.abs(one - other).max(1) < ACCURACY  # false where an integration failed
        found.append(left.take(close))
        left = left.take(~close)
    return _Segments(*(np.concatenate([getattr(one, name) for one in found]) for name in _Segments.__dataclass_fields__))


def _eliminated(information: np.ndarray, gradient: np.ndarray, count: int, damping: float):  # noqa: ANN202
    """Information and gradient of the parameters once each segment's state is eliminated, and what gives the states back."""
    diagonal = np.arange(information.shape[1])
    states = information[:, count:, count:].copy()
    inner = diagonal[count:] - count
    states[:, inner, inner] *= 1 + damping
    # states that nothing tells of, such as those of bodies that are not there, stay
    states[:, inner, inner] += np.where(states[:, inner, inner] == 0, 1.0, 0.0)
    coupling = information[:, count:, :count]
    right = np.concatenate([coupling, gradient[:, count:, None]], axis=2)
    try:
        solved = np.linalg.solve(states, right)
    except np.linalg.LinAlgError:  # a segment tells nothing of some direction of its state, which stays
        solved = np.linalg.pinv(states, 1e-10, hermitian=True) @ right
    back = coupling.transpose(0, 2, 1) @ solved
    own = information[:, :count, :count] - back[..., :-1]
    slope = gradient[:, :count] - back[..., -1]
    return own, slope, solved


def _solve(information: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution in the directions that the information determines, and which parameters it determines [parameters]."""
    # what is left of a parameter's information once states are eliminated may be rounding alone, and negative
    own = np.diag(information)
    size = np.sqrt(np.where(own > np.finfo(float).tiny, own, np.inf))
    values, vectors = np.linalg.eigh(information / size[:, None] / size)
    good = values > UNDETERMINED * values.max()
    inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T
    determined = (vectors[:, ~good] ** 2).sum(1) < 1e-3
    return inverse @ (right / size.reshape(-1, *[1] * (right.ndim - 1))) / size.reshape(-1, *[1] * (right.ndim - 1)), determined


@dataclass(frozen=True)
class Tracks:
    """A recording as shooting needs it: noise, smooth guesses of states, and time in units of the motion's own."""

    recording: Recording
    order: int
    noises: Mapping[str, float]
    ways: list[Smoothed | None]
    rates: list[Smoothed | None]
    lengths: tuple[int, ...]
    """Measured times of a segment, one fit after the other."""

    @classmethod
    def of(cls, recording: Recording, order: int, scalars: Mapping[str, np.ndarray] | None = None) -> Tracks:
        """Of a recording, with further properties `scalars` [n] of bodies that are the same in all experiments."""
        keep_programs()
        experiments = tuple(replace(one, properties={**one.properties, **(scalars or {})}) for one in recording.experiments)
        recording = replace(recording, experiments=experiments)
        quantities = ["position"]
        if order == 2 and all(one.velocity is not None for one in experiments):
            quantities.append("velocity")
        noises = {name: _noise(recording, name) for name in quantities}
        ways = smooth(experiments, noises["position"], box=recording.box)
        rates = smooth(experiments, noises["velocity"], "velocity") if "velocity" in noises else ways
        interval = float(np.median([interval_of(one.time) for one in experiments]))
        scale = min(time_scale(ways, order), LONGEST * interval) / interval
        longest = max(min(max(len(one.time) for one in experiments), LONGEST), SHORTEST)
        lengths = dict.fromkeys(int(np.clip(each * scale, SHORTEST, longest)) for each in LENGTHS)
        return cls(recording, order, noises, ways, rates, tuple(lengths))

    @property
    def names(self) -> list[str]:
        """Names of properties."""
        return [*self.recording.experiments[0].properties]

    def model(self, family: Family, scalars: Sequence[str], ties: np.ndarray | None) -> _Model:
        """A family of laws for JAX, the named properties being free."""
        radial, transverse, *single = family.forms
        box = self.recording.box
        return _model(
            replace(family.law, radial=radial, transverse=transverse, single=tuple(single)),
            tuple(family.symbols),
            tuple(self.names),
            tuple(map(self.names.index, scalars)),
            None if box is None else tuple(box.tolist()),
            None if ties is None else tuple(map(tuple, ties.tolist())),
        )

    def segments(self, length: int, parameters: float, seed: int) -> _Segments | None:
        """Segments of so many times, or a random part of them; None if there are none."""
        found = _segments(self.recording, self.order, self.noises, self.ways, self.rates, length, self.names)
        return None if found is None else _affordable(found, parameters, seed)


def shoot(
    law: Law,
    recording: Recording,
    scalars: Mapping[str, np.ndarray] | None = None,
    held: frozenset[int] = frozenset(),
    ties: np.ndarray | None = None,
    seed: int = 0,
) -> ShootingFit:
    """A law's constants, and what `scalars` [n] name of the bodies' properties, fitted to the measured positions.

    The law's floating-point numbers are where the fit starts, equal ones being one constant; of those that `held` numbers, and
    of those in conditions, none is moved. Properties are the recording's, or free scalars of bodies that are the same in all
    experiments; the largest of each is held, since their scale is free. Velocities count too where they were measured.
    Rows may be missing and times irregular. Raises `InputError` where no segment can be fitted.
    """
    scalars = dict(scalars or {})
    tracks, family = Tracks.of(recording, law.order, scalars), Family(law)
    model, values = tracks.model(family, [*scalars], ties), family.start
    parameters = np.concatenate([values, *(np.asarray(one, float) for one in scalars.values())])
    free = np.ones(len(parameters), bool)
    free[: len(values)] = ~family.thresholds & [k not in held for k in range(len(values))]
    for k, one in enumerate(scalars.values()):
        free[len(values) + k * len(one) + int(np.argmax(np.abs(one)))] = False
    best: tuple[_Fitted, _Segments, int] | None = None
    for length in tracks.lengths:
        segments = tracks.segments(length, int(free.sum()), seed)
        if segments is None:
            break
        kept = _followed(model, parameters, segments)
        if not len(kept.time):
            break
        fitted = _fit(model, parameters, free, kept)
        # what long segments leave must be the same noise, or some of them went astray
        if best is not None and not (fitted.scale < ASTRAY * best[0].scale and len(kept.time) > len(segments.time) / 2):
            break
        best, parameters = (fitted, kept, len(segments.time) - len(kept.time)), fitted.parameters
    if best is None:
        raise InputError("positions cannot be followed through this law: trajectories are too short, or it diverges")
    fitted, kept, left_out = best
    found = family.with_constants(fitted.parameters[: len(values)])
    errors = np.sqrt(np.where(fitted.determined, np.diag(fitted.covariance), np.nan))
    constants = tuple(
        Constant(f"c{k + 1}", float(value), float(errors[k]) if np.isfinite(errors[k]) and free[k] else None)
        for k, value in enumerate(fitted.parameters[: len(values)])
    )
    by_body = np.split(np.arange(len(values), len(parameters)), max(len(scalars), 1)) if scalars else []
    return ShootingFit(
        found,
        constants,
        fitted.covariance,
        {name: fitted.parameters[own] for name, own in zip(scalars, by_body, strict=True)},
        {name: errors[own] for name, own in zip(scalars, by_body, strict=True)},
        fitted.scale * tracks.noises["position"],
        int((kept.weight > 0).sum()) * law.dim,
        len(kept.time),
        left_out,
        fitted.converged,
    )


@dataclass(frozen=True)
class _Told:
    """What segments tell of a law."""

    fit: Fit
    starts: np.ndarray
    """[segments, order, n, dim], the states that they start from."""
    spread: np.ndarray
    """[segments], standard deviation of what each leaves, by nine tenths of it, in parts of that of all."""


@dataclass(frozen=True)
class Compared:
    """Segments on which several laws are fitted, so that what they leave can be compared."""

    tracks: Tracks
    kept: _Segments
    ties: np.ndarray | None
    known: dict[tuple[sympy.Expr, ...], _Told | None] = field(default_factory=dict, repr=False)
    """Fits by formula: from wherever its constants start, it comes to the same."""
    slow: float = SLOW
    """Part of the loss by which each iteration must lower it."""

    @classmethod
    def of(cls, law: Law, tracks: Tracks, ties: np.ndarray | None, length: int, part: float = 1.0) -> Compared | None:
        """Segments of so many times at most that a law follows closely, or so large a part of as many as can be afforded; None
        if it follows less than half of them."""
        segments = tracks.segments(length, PARAMETERS / part, 0)
        return None if segments is None else cls(tracks, segments, ties).followed(law)

    def followed(self, law: Law) -> Compared | None:
        """The segments that a law follows closely, from the states that it was fitted with if it was, less those in which it
        went astray; None if that is less than half of them. Close encounters make many local minima, and need small steps
        only when states are right."""
        family = Family(law)
        known = self.known.get(tuple(family.forms))
        if known is None:
            segments, constants = self.kept, family.start
        else:
            segments = replace(self.kept, start=known.starts).take(known.spread < STRAYED)
            constants = known.fit.constants
        kept = _followed(self.tracks.model(family, [], self.ties), constants, segments)
        return Compared(self.tracks, kept, self.ties, slow=self.slow) if len(kept.time) > len(self.kept.time) / 2 else None

    def fit(self, law: Law) -> Fit | None:
        """A law fitted to these segments: residuals and slopes in parts of the noise estimated from the data, rows by
        segment, time, quantity and body, the segments' states eliminated. None where it cannot be followed."""
        family = Family(law)
        if (formula := tuple(family.forms)) not in self.known:
            self.known[formula] = self._fit(family, family.start, self.kept)
        found = self.known[formula]
        return None if found is None else found.fit

    def again(self, law: Law) -> Fit | None:
        """A law once more, from each segment's best state of all laws'; in close encounters states have many local minima."""
        family = Family(law)
        formula = tuple(family.forms)
        if (told := self.known[formula]) is None:
            return None
        model = self.tracks.model(family, [], self.ties)
        constants, scale = told.fit.constants, float(np.median(np.abs(told.fit.residual))) / 0.6745
        states = [told.starts, *(one.starts for one in self.known.values() if one is not None and one is not told)]
        losses = np.stack([_losses(_residuals(model, constants, one, self.kept), scale) for one in states])
        if losses.min(0).sum() < (1 - self.slow) * losses[0].sum():
            start = np.stack(states)[losses.argmin(0), np.arange(losses.shape[1])]
            trial = self._fit(family, constants, replace(self.kept, start=start), again=True)
            if trial is not None and trial.fit.misfit.sum() < told.fit.misfit.sum():
                self.known[formula] = told = trial
        return told.fit

    def _fit(self, family: Family, constants: np.ndarray, segments: _Segments, again: bool = False) -> _Told | None:
        model = self.tracks.model(family, [], self.ties)
        if not np.isfinite(_residuals(model, constants, segments.start, segments)).all():
            return None
        best = min((np.median(np.abs(one.fit.residual)) for one in self.known.values() if one is not None), default=np.inf)
        fitted = _fit(model, constants, ~family.thresholds, segments, HOPELESS * float(best), self.slow, again)
        if not np.isfinite(fitted.covariance).all():
            return None
        residual, slopes = _reduced(model, fitted, segments)
        dim, seen = segments.values.shape[-1], (segments.weight > 0).reshape(-1)
        group = np.repeat(segments.trajectory, seen.size // len(segments.time))
        rows = residual.reshape(-1, dim)[seen], slopes.reshape(seen.size, dim, len(family.start))[seen]
        sizes = np.where(np.repeat(seen, dim).reshape(residual.shape), np.abs(residual), np.nan)
        spread = np.nanquantile(sizes, 0.9, axis=1) / 1.645 / max(fitted.scale, np.finfo(float).tiny)
        return _Told(Fit(family, fitted.parameters, *rows, group[seen]), fitted.starts, spread)


def _reduced(model: _Model, fitted: _Fitted, segments: _Segments) -> tuple[np.ndarray, np.ndarray]:
    """Residuals, measured less followed, [segments, numbers], and slopes of what is followed in the parameters [segments,
    numbers, parameters], less what the segments' states take up of them; over the noise."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for residual, slopes in _slopes(model, fitted.parameters, fitted.starts, segments):
        own, states = np.split(slopes, [len(fitted.parameters)], axis=1)
        found.append((-residual, own - states @ np.linalg.lstsq(states, own, rcond=1e-10)[0]))
    residuals, reduced = zip(*found, strict=True)
    return np.stack(residuals), np.stack(reduced)


def _noise(recording: Recording, quantity: str) -> float:
    sizes = np.concatenate([getattr(one, quantity).reshape(-1, recording.dim) for one in recording.experiments])
    spread = float(np.sqrt(np.nanvar(sizes, axis=0).mean()))
    found = noise_of(recording.experiments, quantity, recording.box if quantity == "position" else None).standard_deviation
    return float(np.fmax(found, LEAST_NOISE * spread))


def _affordable(segments: _Segments, parameters: float, seed: int) -> _Segments:
    """All segments, or a random part of them."""
    count, times = segments.time.shape
    n = segments.active.shape[1]
    each = times * n**2 * (parameters + segments.start[0].size)
    most = max(int(WORK / each), FEWEST)
    if count <= most:
        return segments
    return segments.take(np.sort(np.random.default_rng(seed).permutation(count)[:most]))


@dataclass(frozen=True)
class _Fitted:
    parameters: np.ndarray
    starts: np.ndarray
    covariance: np.ndarray
    determined: np.ndarray
    scale: float
    converged: bool


def _fit(
    model: _Model,
    parameters: np.ndarray,
    free: np.ndarray,
    segments: _Segments,
    worst: float = np.inf,
    slow: float = 0.0,
    again: bool = False,
) -> _Fitted:
    """Gauss, Newton, Levenberg and Marquardt's method; ended where the residuals' scale stays above `worst`, or where an
    iteration lowers the loss by less than the part `slow` of it. `again`: constants and states are nearly right."""
    starts, count = segments.start, len(parameters)
    seen = np.repeat((segments.weight > 0)[..., None], starts.shape[-1], -1).reshape(len(starts), -1)
    unknowns = int(segments.active.sum()) * starts.shape[1] * starts.shape[-1] + int(free.sum())
    inflation = np.sqrt(seen.sum() / max(seen.sum() - unknowns, 1))

    def scale_of(found: np.ndarray) -> float:
        return max(float(np.median(np.abs(found[seen]))) / 0.6745 * inflation, np.finfo(float).tiny)

    now = _residuals(model, parameters, starts, segments)
    damping, converged = 1e-3, False
    for iteration in range(AGAIN if again else ITERATIONS):
        # outliers count in full at first: a state guessed from one would else be held for right, and the rest for outliers
        loose = 1.0 if again else max(LOOSE / 4**iteration, 1.0)
        if loose == 1 and scale_of(now) > worst:
            break
        scale = loose * scale_of(now)
        cost = float(_losses(now, scale).sum())
        equations = _equations(model, parameters, starts, segments, scale)
        if not _are_finite(equations):
            break
        moved = False
        while not moved and damping < 1e8:
            information, slope, solved = eliminated = _eliminated(*equations, count, damping)
            if not _are_finite(eliminated):
                damping *= 10
                continue
            information, slope = information.sum(0), slope.sum(0)
            damped = information + damping * np.diag(np.diag(information))
            change = np.zeros(count)
            if free.any():
                change[free] = -_solve(damped[np.ix_(free, free)], slope[free])[0]
            states = starts - (solved[..., -1] + solved[..., :-1] @ change).reshape(starts.shape)
            then = _residuals(model, parameters + change, states, segments)
            less = float(_losses(then, scale).sum())
            moved = less <= cost
            damping = damping / 10 if moved else damping * 10
        if not moved:
            damping = 1e-3
            if loose == 1:
                converged = True  # no step of any length is better
                break
            continue
        parameters, starts, now = parameters + change, states, then
        step = change[free] @ information[np.ix_(free, free)] @ change[free]
        if loose == 1 and damping < 1e-3 and np.sqrt(max(step, 0.0)) < CONVERGED * scale:
            converged = True
            break
        if loose == 1 and damping < 1e-3 and less > (1 - slow) * cost:
            break
    scale = scale_of(now)
    equations = _equations(model, parameters, starts, segments, scale)
    eliminated = _eliminated(*equations, count, 0.0) if _are_finite(equations) else equations
    if not _are_finite(eliminated):
        return _Fitted(parameters, starts, np.full((count, count), np.nan), np.zeros(count, bool), scale, False)
    information, slopes, _ = eliminated
    information, slopes = information.sum(0)[np.ix_(free, free)], slopes[:, free]
    clusters = segments.trajectory if len(np.unique(segments.trajectory)) >= FEW else np.arange(len(starts))
    cluster = np.unique(clusters, return_inverse=True)[1]
    scores = np.zeros((cluster.max() + 1, slopes.shape[1]))
    np.add.at(scores, cluster, slopes)
    covariance, determined = np.zeros((count, count)), np.ones(count, bool)
    if free.any():
        sensitivity, determined[free] = _solve(information, scores.T)
        # residuals of fitted states are smaller than the noise, and so are their scores
        correction = inflation**2 * len(scores) / max(len(scores) - 1, 1)
        covariance[np.ix_(free, free)] = correction * sensitivity @ sensitivity.T
    return _Fitted(parameters, starts, covariance, determined, scale, converged)
