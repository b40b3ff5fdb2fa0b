"""The closed form: what the edge says and what the node makes of it, as one formula for the acceleration.

    a_i = node(v_i, sum_j edge(v_i, v_j))

Both are expressions. One constant is added: a softening of all distances, which the edges that searches fit, away from
close pairs, hardly show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import sympy
import torch

from lib.distillation.refit import in_conditions, with_free_constants
from lib.distillation.simplification import rounded, simplest
from lib.network.losses import relative
from lib.physics.forces import Pairs, input_names, pair_inputs
from lib.physics.laws import get_law
from lib.runs import System


def node_names(dim: int) -> list[str]:
    """Names of a node's inputs: its body's position, velocity, charge and mass, and the sum of each of its messages."""
    position, velocity, received = node_vectors(dim)
    return [*position, *velocity, "q1", "m1", *received]


def node_vectors(dim: int) -> list[list[str]]:
    """Those of a node's inputs that have a component along each axis: position, velocity, and what it received."""
    axes = ("x", "y", "z")[:dim]
    return [[*axes], [f"v{axis}" for axis in axes], [f"s{k + 1}" for k in range(dim)]]


@dataclass(frozen=True)
class ClosedForm:
    """A formula for the accelerations of any number of bodies under a law's pairing."""

    system: System
    edge: list[sympy.Expr]
    """One a message, in `forces.input_names`."""
    node: list[sympy.Expr]
    """One a component of the acceleration, in `node_names`."""
    softening: float = 0.0
    """Added to every distance that the edges read; separations keep their direction and take that length."""

    def __call__(self, bodies: np.ndarray) -> np.ndarray:
        """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2]."""
        function, constants = self.function
        return np.asarray(function(constants, Arrangement.of(self.system, bodies)))

    @cached_property
    def with_free_constants(self) -> tuple[list[sympy.Expr], list[sympy.Expr], list[sympy.Symbol], np.ndarray]:
        """Edge and node with symbols in place of their constants, these symbols, and the constants' values."""
        forms, symbols, values = with_free_constants([*self.edge, *self.node])
        return forms[: len(self.edge)], forms[len(self.edge) :], symbols, values

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Which constants, in the order of `function`, move a discontinuity: those in a condition, and then the softening."""
        edge, node, symbols, _ = self.with_free_constants
        moving = in_conditions([*edge, *node], symbols)
        return np.array([moving.any(), *moving])

    @cached_property
    def function(self) -> tuple[Callable[[np.ndarray, Arrangement], jax.Array], np.ndarray]:
        """Accelerations as a function of constants and an arrangement of bodies; the constants' values, softening first."""
        edge, node, symbols, values = self.with_free_constants
        dim = self.system.dim
        names = [*symbols, *(sympy.Symbol(name, real=True) for name in input_names(dim))]
        edge_function = sympy.lambdify(names, edge, "jax", cse=True)
        names = [*symbols, *(sympy.Symbol(name, real=True) for name in node_names(dim))]
        node_function = sympy.lambdify(names, node, "jax", cse=True)

        def columns(found: list[jax.Array], like: jax.Array) -> jax.Array:
            return jnp.stack([jnp.broadcast_to(jnp.asarray(f, float), like.shape) for f in found], axis=-1)

        @jax.jit
        def accelerations(constants: jax.Array, arranged: Arrangement) -> jax.Array:
            softening, rest = constants[0], constants[1:]
            pairs = Pairs(arranged.inputs)
            longer = 1 + softening / pairs.r
            separation = jnp.moveaxis(pairs.separation * longer[..., None], -1, 0)
            inputs = [*separation, pairs.r * longer, pairs.m1, pairs.m2, pairs.q1, pairs.q2]
            sent = columns(edge_function(*rest, *inputs), pairs.r)
            received = jnp.einsum("gec,en->gnc", sent, arranged.receives)
            features = jnp.moveaxis(jnp.concatenate([arranged.bodies, received], axis=-1), -1, 0)
            return columns(node_function(*rest, *features), features[0])

        return accelerations, np.array([self.softening, *values])

    def with_constants(self, values: np.ndarray) -> ClosedForm:
        """The same formula with other constants, in the order of `function`."""
        supply: Iterator[float] = iter(values)
        softening = float(next(supply))

        def fill(expression: sympy.Expr) -> sympy.Expr:
            if isinstance(expression, sympy.Float):
                return sympy.Float(next(supply))
            return expression.func(*map(fill, expression.args)) if expression.args else expression

        return ClosedForm(self.system, [fill(e) for e in self.edge], [fill(e) for e in self.node], softening)

    def pair_terms(self) -> list[sympy.Expr] | None:
        """What a sender adds to each component of the acceleration, if the node is linear in its messages; else None.

        In softened distances and separations.
        """
        sums = [sympy.Symbol(f"s{k + 1}", real=True) for k in range(self.system.dim)]
        slopes = [[sympy.diff(node, s) for s in sums] for node in self.node]
        if any(slope.has(*sums) for row in slopes for slope in row):
            return None
        return [simplest(sum(slope * e for slope, e in zip(row, self.edge, strict=True))) for row in slopes]

    def own_terms(self) -> list[sympy.Expr]:
        """Each component of the acceleration of a body that is sent nothing."""
        nothing = {sympy.Symbol(f"s{k + 1}", real=True): 0 for k in range(self.system.dim)}
        return [simplest(node.xreplace(nothing)) for node in self.node]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Arrangement:
    """Bodies and their edges as arrays."""

    bodies: np.ndarray
    """[graphs, n, 2*dim+2]"""
    inputs: np.ndarray
    """[graphs, edges, dim+5], see `forces.input_names`."""
    receives: np.ndarray
    """[edges, n], 1 where the body receives the edge's message."""

    @classmethod
    def of(cls, system: System, bodies: np.ndarray) -> Arrangement:
        """All pairs of the system's law, both ways."""
        receiver = get_law(system.law).pairs(bodies.shape[-2]).T.ravel()
        return cls(bodies.astype(float), pair_inputs(system, bodies), np.eye(bodies.shape[-2])[receiver])


def relative_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """The loss `relative` of accelerations [..., dim]; infinite where anything is not finite."""
    error = float(relative(torch.tensor(predicted), torch.tensor(true)))
    return error if np.isfinite(error) else np.inf


def displayed(expression: sympy.Expr, digits: int = 3) -> str:
    """An expression in LaTeX, constants to so many digits."""
    return sympy.latex(rounded(simplest(expression), digits))
