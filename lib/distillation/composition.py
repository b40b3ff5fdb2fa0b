"""The choice of a closed form: edge and node expressions of a run's fronts, composed and fitted to true accelerations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import sympy

from lib.distillation.axis_symmetry import along_all_axes
from lib.distillation.closed_form import ClosedForm, node_names, node_vectors
from lib.distillation.constants_fit import NEGLIGIBLE, ConstantsFit
from lib.distillation.expressions import parse
from lib.physics.forces import input_names
from lib.runs import System

SLACKS = (0.02, 3e-3, 5e-4, 1e-4, 1e-5, 0.0)
"""How much of its target's variance an expression may leave unexplained beyond its front's best, to be tried."""
HARDLY = 1.1
"""Of several forms the simplest is taken whose error is at most so many times the best."""
ROUGH = 1e-4
"""Relative error above which a fitted formula is not the law."""


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

    Of the compositions that `candidates` allow, the simplest whose error is hardly above the best; constants that change
    nothing are set to zero. Where that is not the law, no axis being special, what the fronts of one component say is
    tried for all.
    """
    edges = [candidates(front, input_names(system.dim)) for front in edge]
    nodes = [candidates(front, node_names(system.dim)) for front in node]
    fit, constants = _composed(system, list(zip(*edges, strict=True)), list(zip(*nodes, strict=True)), bodies, accelerations)
    for own in range(system.dim):
        if fit.error(constants) <= ROUGH:
            break
        same_edges = [tuple(along_all_axes(one, own, [input_names(system.dim)[: system.dim]])) for one in edges[own]]
        same_nodes = [tuple(along_all_axes(one, own, node_vectors(system.dim))) for one in nodes[own]]
        other = _composed(system, same_edges, same_nodes, bodies, accelerations)
        fit, constants = min((fit, constants), other, key=lambda one: one[0].error(one[1]))
    return fit.shortened(fit.prune(constants))


_Fitted = tuple[ConstantsFit, np.ndarray]


def _composed(
    system: System,
    edges: list[tuple[sympy.Expr, ...]],
    nodes: list[tuple[sympy.Expr, ...]],
    bodies: np.ndarray,
    accelerations: np.ndarray,
) -> _Fitted:
    """The simplest composition, fitted, of edges and nodes, an expression a component: edges first, under the first node."""
    forms = [ClosedForm(system, list(e), list(nodes[0])) for e in dict.fromkeys(edges)]
    edge = _simplest(forms, bodies, accelerations)[0].form.edge
    return _simplest([ClosedForm(system, edge, list(n)) for n in dict.fromkeys(nodes)], bodies, accelerations)


def _simplest(forms: list[ClosedForm], bodies: np.ndarray, accelerations: np.ndarray) -> _Fitted:
    """Of forms in order of complexity the first, fitted, whose error is hardly above the best."""
    tried: list[_Fitted] = []
    errors: list[float] = []
    for form in forms:
        fit = ConstantsFit(form, bodies, accelerations)
        constants = fit.refine(fit.start, np.ones(len(fit.start), bool))
        tried.append((fit, constants))
        errors.append(fit.error(constants))
        if HARDLY * errors[-1] <= NEGLIGIBLE:  # whatever comes later is chosen no more
            break
    return tried[int(np.argmax(np.array(errors) <= max(HARDLY * min(errors), NEGLIGIBLE)))]
