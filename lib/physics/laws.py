"""The registry of force laws: one entry holds everything that tells a law from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import sympy
from jax import Array

from lib.physics.bodies import Bodies
from lib.registry import Registry

SOFTENING = 0.01
"""Added to every distance, s = r + 0.01, so that no potential diverges."""

S, M1, M2, Q1, Q2 = sympy.symbols("s m1 m2 q1 q2", real=True)
"""Of a pair: softened distance, masses and charges; 1 receives, 2 sends."""
X, Y = sympy.symbols("x y", real=True)
"""Position of a body."""

Normal = Callable[[tuple[int, ...]], np.ndarray]


def all_pairs(n: int) -> range:
    """Offsets j - i of the bodies that act on each other: every pair of n bodies."""
    return range(1, n)


def neighbours(n: int) -> range:
    """Offsets j - i of the bodies that act on each other: neighbours along a string of n bodies."""
    return range(1, 2)


def unit_normal(n: int, dim: int, normal: Normal) -> np.ndarray:
    """Initial bodies [n, 2*dim+2]: x, v, q ~ N(0, 1) and m = exp N(0, 1)."""
    bodies = Bodies(normal((n, 2 * dim + 2)))
    bodies.mass[:] = np.exp(bodies.mass)
    return bodies.features


def unit_charges(n: int, dim: int, normal: Normal) -> np.ndarray:
    """Initial bodies [n, 2*dim+2] like `unit_normal`, with charges -1 or +1."""
    bodies = Bodies(unit_normal(n, dim, normal))
    bodies.charge[:] = np.where(bodies.charge < 0, -1.0, 1.0)
    return bodies.features


def hung_string(n: int, dim: int, normal: Normal) -> np.ndarray:
    """Initial bodies [n, 2*dim+2] of a string: unit masses, one a unit of x, shifted by N(0, 1/4) along it."""
    bodies = Bodies(normal((n, 2 * dim + 2)))
    bodies.mass[:] = 1.0
    bodies.position[:, 0] = np.arange(n) + 0.5 * bodies.position[:, 0]
    bodies.features[:, 2] = 0.0  # v_x in 2D and z in 3D, as in the paper's code
    return bodies.features


@dataclass(frozen=True)
class Field:
    """An outer field in which every body has a potential energy."""

    text: str
    """In words, as notebooks show it."""
    energy: Callable[[Array, Array], Array]
    """Energies [n, ...] of bodies at x [n, dim, ...] with masses m [n, ...]."""
    formula: sympy.Expr
    """The same energy of one body in the symbols x, y, m1."""


NO_FIELD = Field("none", lambda x, m: jnp.zeros_like(m), sympy.S.Zero)
GRAVITY = Field("U = m y, a downward pull of 1", lambda x, m: m * x[:, 1], M1 * Y)
GRAVITY_AND_BALL = Field(
    "U = m y + 1/depth, the depth above a ball of radius 4 about (5, -15), which nothing enters",
    lambda x, m: GRAVITY.energy(x, m) + 1 / (jnp.hypot(x[:, 0] - 5.0, x[:, 1] + 15.0) - 4.0),
    GRAVITY.formula + 1 / (sympy.sqrt((X - 5) ** 2 + (Y + 15) ** 2) - 4),
)


def no_friction(n: int) -> np.ndarray:
    """Damping constant of each body, [n]: none."""
    return np.zeros(n)


def even_friction(n: int) -> np.ndarray:
    """Damping constant of each body, [n]: the mean of `uneven_friction`, alike for all."""
    return np.full(n, (n - 1) / (2 * n))


def uneven_friction(n: int) -> np.ndarray:
    """Damping constant of each body, [n]: (n - 1 - i) / n, as the paper's code has it (the last is free)."""
    return (n - 1 - np.arange(n)) / n


HIGH_LEARNING_RATES = {"hidden_rate": 5e-3, "other_rate": 1e-2}
"""Learning rates of recipes that train on few graphs."""


@dataclass(frozen=True, eq=False)
class Law:
    """One force law; two laws are the same only if they are one object, so that what is compiled is kept for each.

    The force on body 1 is ``force * (x1 - x2) / r``; the simulator takes it from the gradient of `potential` and, where
    there is one, of `one_sided`. Friction adds ``-friction[i] * v_i`` to the force on body i.
    """

    title: str
    """The text-book name."""
    potential: Callable[..., Array]
    """Energy of a pair, ``potential(s, m1, m2, q1, q2)``, with s the softened distance."""
    force: sympy.Expr
    """Radial force on body 1 in the symbols s, m1, m2, q1, q2."""
    dt: float
    """Time between two of the `STEPS` steps of a trajectory."""
    initial: Callable[[int, int, Normal], np.ndarray] = unit_normal
    difficulty: str | None = None
    """What makes the law hard to learn, for which variants hold other settings: `collisions`, a few of which hold most of
    the error, or a `discontinuity` of the force."""
    budget_fraction: float = 1.0
    """Fraction of a profile's training graphs that suffices."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings of recipes, for all variants, that differ from the defaults."""
    offsets: Callable[[int], range] = all_pairs
    """Offsets of n bodies: bodies i and i + offset act on each other."""
    field: Field = NO_FIELD
    friction: Callable[[int], np.ndarray] = no_friction
    """Damping constants [n] of n bodies."""
    one_sided: Callable[..., Array] | None = None
    """Potential ``one_sided(s, m1, m2, q1, q2)`` of a force on body 1 that has no reaction on body 2."""

    def receiver_potential(self, s: Array, m1: Array, m2: Array, q1: Array, q2: Array) -> Array:
        """Potential of the whole pair force on body 1, with and without reaction."""
        shared = self.potential(s, m1, m2, q1, q2)
        return shared if self.one_sided is None else shared + self.one_sided(s, m1, m2, q1, q2)

    def pairs(self, n: int) -> np.ndarray:
        """Pairs of bodies that act on each other, [pairs, 2] with i < j."""
        return np.array(sorted((i, i + k) for k in self.offsets(n) for i in range(n - k)))


LAWS: Registry[Law] = Registry(
    "law",
    {
        "spring": Law(
            title="Hooke's law, rest length 1",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            force=-2 * (S - 1),
            dt=1e-2,
        ),
        "r1": Law(
            title="a force that falls as 1/r, as gravity does in two dimensions",
            potential=lambda s, m1, m2, q1, q2: m1 * m2 * jnp.log(s),
            force=-M1 * M2 / S,
            dt=5e-3,
        ),
        "r2": Law(
            title="Newton's gravity, 1/r²",
            potential=lambda s, m1, m2, q1, q2: -m1 * m2 / s,
            force=-M1 * M2 / S**2,
            dt=1e-3,
            difficulty="collisions",
            budget_fraction=1 / 3,
            recipe=HIGH_LEARNING_RATES,
        ),
        "charge": Law(
            title="Coulomb's law",
            potential=lambda s, m1, m2, q1, q2: q1 * q2 / s,
            force=Q1 * Q2 / S**2,
            dt=1e-3,
            difficulty="collisions",
            budget_fraction=1 / 3,
            recipe=HIGH_LEARNING_RATES,
            initial=unit_charges,
        ),
        "damped": Law(
            title="Hooke's law with friction, alike for all bodies",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            force=-2 * (S - 1),
            dt=2e-2,
            budget_fraction=1 / 2,
            friction=even_friction,
        ),
        "damped_uneven": Law(
            title="Hooke's law with the uneven friction of the paper's code",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            force=-2 * (S - 1),
            dt=2e-2,
            budget_fraction=1 / 2,
            friction=uneven_friction,
        ),
        "discontinuous": Law(
            title="Hooke's law beyond s = 2, nothing within",
            # less the constant 1 of (s - 1)^2 at s = 2, so that the energy has no jump; the force is the same
            potential=lambda s, m1, m2, q1, q2: jnp.where(s < 2, 0.0, (s - 1) ** 2 - 1),
            force=sympy.Piecewise((0, S < 2), (-2 * (S - 1), True)),
            dt=1e-2,
            difficulty="discontinuity",
            budget_fraction=1 / 2,
        ),
        "own_length": Law(
            title="springs without reaction: each body pulls as if the rest length were its own, 1 + q/2",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            one_sided=lambda s, m1, m2, q1, q2: -q1 * s,
            force=-2 * (S - 1) + Q1,
            dt=1e-2,
            budget_fraction=1 / 6,
        ),
        "superposition": Law(
            title="Coulomb's law and Newton's gravity together",
            potential=lambda s, m1, m2, q1, q2: (q1 * q2 - m1 * m2) / s,
            force=(Q1 * Q2 - M1 * M2) / S**2,
            dt=1e-3,
            difficulty="collisions",
            budget_fraction=1 / 3,
            recipe=HIGH_LEARNING_RATES,
            initial=unit_charges,
        ),
        "string": Law(
            title="a string of springs, falling",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            force=-2 * (S - 1),
            dt=1e-2,
            budget_fraction=1 / 2,
            initial=hung_string,
            offsets=neighbours,
            field=GRAVITY,
        ),
        "string_ball": Law(
            title="a string of springs, falling on a ball",
            potential=lambda s, m1, m2, q1, q2: (s - 1) ** 2,
            force=-2 * (S - 1),
            dt=1e-2,
            budget_fraction=1 / 2,
            initial=hung_string,
            offsets=neighbours,
            field=GRAVITY_AND_BALL,
        ),
    },
)

get_law = LAWS.find
