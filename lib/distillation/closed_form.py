"""The closed form: what the edge says and what the node makes of it, as one formula for the acceleration.

    a_i = node(v_i, sum_j edge(v_i, v_j))

Both are expressions. Their constants, found for the network's messages, are fitted once more and together to
the true accelerations of training graphs; constants that change nothing are set to zero. One constant is added:
a softening of all distances, which quiet edges hardly show, so that searches seldom find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import sympy
import torch
from scipy.optimize import least_squares, minimize_scalar

from lib.distillation.axis_symmetry import along_all_axes
from lib.distillation.expressions import parse
from lib.distillation.refit import in_conditions, with_free_constants
from lib.distillation.simplification import rounded, simplest
from lib.network.losses import relative
from lib.physics.forces import input_names, pair_inputs
from lib.physics.laws import get_law
from lib.runs import System

SLACKS = (0.02, 3e-3, 5e-4, 1e-4, 1e-5, 0.0)
"""How much of its target's variance an expression may leave unexplained beyond its front's best, to be tried."""
HARDLY = 1.1
"""Of several forms the simplest is taken whose error is at most so many times the best."""
MAX_ERROR_GROWTH = 1.01
"""A constant is set to zero or shortened if the error grows at most so many times."""
NEGLIGIBLE = 1e-6
"""Relative error that is none."""
ROUGH = 1e-4
"""Relative error above which a fitted formula is not the law."""
SHIFT = 0.03
"""Part of itself by which a threshold is moved at most."""
ROBUST = 0.01
"""Relative error at which a residual begins to count by its size instead of its square."""


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
        """Which constants, in the order of `function`, move a jump: those in a condition, and with them the softening."""
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
            inputs = jnp.moveaxis(arranged.inputs, -1, 0)
            longer = 1 + softening / inputs[dim]
            inputs = jnp.concatenate([inputs[: dim + 1] * longer, inputs[dim + 1 :]])
            sent = columns(edge_function(*rest, *inputs), inputs[0])
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


class _Fit:
    """Constants of one formula against true accelerations."""

    def __init__(self, form: ClosedForm, bodies: np.ndarray, accelerations: np.ndarray) -> None:
        function, self.start = form.function
        self.thresholds = form.thresholds
        arranged = Arrangement.of(form.system, bodies)
        weight = 1 / (1 + np.linalg.norm(accelerations, axis=-1, keepdims=True))
        self.predict = lambda constants: np.asarray(function(constants, arranged))
        self.true = accelerations
        residual = jax.jit(lambda constants: ((function(constants, arranged) - accelerations) * weight).ravel())
        self.residual = lambda constants: np.asarray(residual(constants))
        jacobian = jax.jit(jax.jacfwd(residual))
        self.jacobian = lambda constants: np.asarray(jacobian(constants))

    def error(self, constants: np.ndarray) -> float:
        """Relative error."""
        return relative_error(self.predict(constants), self.true)

    def refine(self, start: np.ndarray, free: np.ndarray) -> np.ndarray:
        """Constants with the smallest robust relative error; those not `free` [constants] stay as they start."""
        found = self._descend(start, free & ~self.thresholds)
        if not (moving := np.flatnonzero(free & self.thresholds & (start != 0))).size:
            return found
        for index in moving:
            found = self._shift(found, index)
        return self._descend(found, free & ~self.thresholds)

    def _shift(self, start: np.ndarray, index: int) -> np.ndarray:
        """A threshold moved to where the error is least: a search, as the error has no slope in it."""

        def moved(at: float) -> np.ndarray:
            constants = start.copy()
            constants[index] = at
            return constants

        reach = sorted(start[index] * np.array([1 - SHIFT, 1 + SHIFT]))
        found = minimize_scalar(lambda at: self.error(moved(at)), bounds=reach, options={"xatol": NEGLIGIBLE})
        least = min(start[index], found.x, key=lambda at: self.error(moved(at)))
        # graphs between two edges cannot tell one distance from another: the shortest number does
        short = (float(f"{least:.{digits - 1}e}") for digits in range(2, 9))
        return moved(next((at for at in short if self.error(moved(at)) <= self.error(moved(least))), least))

    def _descend(self, start: np.ndarray, free: np.ndarray) -> np.ndarray:
        if not free.any():
            return start

        def whole(part: np.ndarray) -> np.ndarray:
            constants = start.copy()
            constants[free] = part
            return constants

        if not np.isfinite(self.residual(start)).all() or not np.isfinite(self.jacobian(start)).all():
            return start
        try:
            found = least_squares(
                lambda part: np.nan_to_num(self.residual(whole(part)), nan=1e6, posinf=1e6, neginf=-1e6),
                start[free],
                lambda part: np.nan_to_num(self.jacobian(whole(part))[:, free], posinf=0.0, neginf=0.0),
                loss="soft_l1",
                f_scale=ROBUST,
                x_scale="jac",
                max_nfev=100,
            )
        except np.linalg.LinAlgError:
            return start
        return min((start, whole(found.x)), key=self.error)

    def prune(self, constants: np.ndarray) -> np.ndarray:
        """The constants with as many set to zero, the rest refined, as the error does not notice."""
        free = constants != 0
        limit = max(MAX_ERROR_GROWTH * self.error(constants), NEGLIGIBLE)
        for index in np.argsort(np.abs(constants)):
            if not free[index]:
                continue
            fewer = free.copy()
            fewer[index] = False
            trial = self.refine(np.where(fewer, constants, 0.0), fewer)
            if self.error(trial) <= limit:
                constants, free = trial, fewer
        return constants


def with_unit_coefficients(expression: sympy.Expr) -> sympy.Expr:
    """The expression with a constant 1.0 before every term of a sum that has none, so that it can be fitted too."""
    if not expression.args:
        return expression
    arguments = [with_unit_coefficients(argument) for argument in expression.args]
    if expression.is_Add:
        plain = [term.is_number or (term.has(sympy.Float) and term.as_coeff_Mul()[0].is_Float) for term in arguments]
        arguments = [term if done else sympy.Float(1.0) * term for term, done in zip(arguments, plain, strict=True)]
    return expression.func(*arguments)


def candidates(front: pd.DataFrame, names: list[str]) -> list[sympy.Expr]:
    """The simplest expressions of a front that are faithful to each of `SLACKS`, simplest first."""
    rows = [int(np.argmax(front["loss"] <= front["loss"].min() + slack)) for slack in SLACKS]
    return [with_unit_coefficients(parse(front["expression"][row], names)) for row in rows]


def compose(
    system: System, edge: list[pd.DataFrame], node: list[pd.DataFrame], bodies: np.ndarray, accelerations: np.ndarray
) -> ClosedForm:
    """The closed form of a run's edge and node fronts, fitted to bodies [graphs, n, 2*dim+2] and accelerations.

    Of the compositions that `candidates` allow, the simplest whose error is hardly above the best. Where that is not the
    law, no axis being special, what one component's fronts say is tried for all.
    """
    edges = [candidates(front, input_names(system.dim)) for front in edge]
    nodes = [candidates(front, node_names(system.dim)) for front in node]
    found = _composed(system, list(zip(*edges, strict=True)), list(zip(*nodes, strict=True)), bodies, accelerations)
    for own in range(system.dim):
        if found[0].error(found[2]) <= ROUGH:
            break
        said = [tuple(along_all_axes(one, own, [input_names(system.dim)[: system.dim]])) for one in edges[own]]
        made = [tuple(along_all_axes(one, own, node_vectors(system.dim))) for one in nodes[own]]
        other = _composed(system, said, made, bodies, accelerations)
        found = min(found, other, key=lambda one: one[0].error(one[2]))
    fit, form, constants = found
    constants = fit.prune(constants)
    return shortened(form, fit, constants)


_Fitted = tuple["_Fit", ClosedForm, np.ndarray]


def _composed(
    system: System,
    edges: list[tuple[sympy.Expr, ...]],
    nodes: list[tuple[sympy.Expr, ...]],
    bodies: np.ndarray,
    accelerations: np.ndarray,
) -> _Fitted:
    """The simplest composition, fitted, of edges and nodes, an expression a component: edges first, under the first node."""
    forms = [ClosedForm(system, list(e), list(nodes[0])) for e in dict.fromkeys(edges)]
    edge = _simplest(forms, bodies, accelerations)[1].edge
    return _simplest([ClosedForm(system, edge, list(n)) for n in dict.fromkeys(nodes)], bodies, accelerations)


def _simplest(forms: list[ClosedForm], bodies: np.ndarray, accelerations: np.ndarray) -> _Fitted:
    """Of forms in order of complexity the first, fitted, whose error is hardly above the best."""
    tried: list[_Fitted] = []
    errors: list[float] = []
    for form in forms:
        fit = _Fit(form, bodies, accelerations)
        constants = fit.refine(fit.start, np.ones(len(fit.start), bool))
        tried.append((fit, form, constants))
        errors.append(fit.error(constants))
        if HARDLY * errors[-1] <= NEGLIGIBLE:  # whatever comes later is chosen no more
            break
    return tried[int(np.argmax(np.array(errors) <= max(HARDLY * min(errors), NEGLIGIBLE)))]


def shortened(form: ClosedForm, fit: _Fit, constants: np.ndarray) -> ClosedForm:
    """The form with the fewest digits in its constants that its error does not notice."""
    limit = max(MAX_ERROR_GROWTH * fit.error(constants), NEGLIGIBLE)
    for digits in range(2, 9):
        short = np.array([float(f"{value:.{digits - 1}e}") for value in constants])
        if fit.error(short) <= limit:
            return form.with_constants(short)
    return form.with_constants(constants)


def displayed(expression: sympy.Expr, digits: int = 3) -> str:
    """An expression in LaTeX, constants to so many digits."""
    return sympy.latex(rounded(simplest(expression), digits))
