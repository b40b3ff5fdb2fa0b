"""Candidates from a network's fronts: what its messages and its node say, as laws for the acceleration, without any truth.

A message is m_ij = g(p_i) F(r, p_i, p_j) u_ij along an axis, plus what the receiver alone decides (design section 5). So a
row of its front becomes F by taking the part that is odd along the axis; what g is, is a hypothesis: a constant, a constant
over the receiver's mass, or any function of the receiver, which is then put in place of a power of each of its properties.
A row of the node's front, where no force arrives, is what a body does by itself. Hypotheses are compared on accelerations.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import sympy

from lib.distillation.axis_symmetry import along_all_axes
from lib.distillation.closed_form import node_names, node_vectors
from lib.distillation.expressions import complexity, evaluate, parse
from lib.distillation.simplification import simplest
from lib.errors import InputError
from lib.physics.forces import input_names
from lib.selection.candidates import Candidate
from lib.selection.evidence import Evidence
from lib.selection.law import Law
from lib.selection.motion import symbol_of
from lib.selection.radial_forms import R

GAIN = 0.03
"""A longer law, and one with a body's own terms, is taken if it lowers the error of a fit of factors by this part of it."""
ROUNDING = 1e-12
"""Size of a constant that is the rounding of a difference."""
EDGES = 12_000
"""On which factors are fitted."""


@dataclass(frozen=True)
class Part:
    """A part of a law, up to a constant factor, with what it predicts."""

    expressions: tuple[sympy.Expr, ...]
    """The radial function of a pair; or one a component, of a body alone."""
    prediction: np.ndarray
    """[rows * dim], weighted."""
    source: str


def of_fronts(messages: Sequence[pd.DataFrame], node: Sequence[pd.DataFrame], evidence: Evidence) -> list[Candidate]:
    """Laws that the rows of a run's fronts say, one table a component of messages and node; constants are to be fitted.

    Of all rows those that explain accelerations better than any simpler one, each up to its factors; no interaction where
    no row says a law.
    """
    small = evidence.sample(EDGES, 1)
    weight = (1 / (small.typical + np.linalg.norm(small.target, axis=1)))[:, None]
    target = (weight * small.target).ravel()
    alone = _distinct(_alone(node, _at_rest(messages, small), small, weight))
    found: list[tuple[int, float, Candidate]] = []
    for radial, source in _radials(messages, small.motion.dim):
        pairs = list(_pairs(radial, source, small, weight))
        if pairs:
            candidate, error = _composed(pairs, alone, target, small)
            found.append((sum(map(complexity, (candidate.law.radial, *candidate.law.single))), error, candidate))
    kept, least = [], np.inf
    for _, error, candidate in sorted(found, key=lambda one: one[:2]):
        if error < (1 - GAIN) * least:
            kept.append(candidate)
            least = error
    return kept or [Candidate(Law(evidence.motion.dim, sympy.S.Zero, order=evidence.order), "nothing")]


def _composed(pairs: list[Part], alone: list[Part], target: np.ndarray, evidence: Evidence) -> tuple[Candidate, float]:
    """The law of the gauge, and of the body's own terms if these help, that a fit of two factors finds best; its error."""
    pair, (factor,), error = min((_fitted([one], target) for one in pairs), key=lambda fit: fit[2])
    best, own = ((pair[0],), (factor,), error), ()
    for one in alone:
        richer = _fitted([pair[0], one], target)
        if richer[2] < (1 - GAIN) * error and richer[2] < best[2]:
            best = richer
    parts, factors, error = best
    if len(parts) == 2:
        own = tuple(sympy.Float(factors[1]) * one for one in parts[1].expressions)
    radial = _each_case(sympy.piecewise_fold(sympy.Float(factors[0]) * parts[0].expressions[0]))
    law = Law(evidence.motion.dim, radial, single=tuple(map(sympy.expand, own)), order=evidence.order)
    return Candidate(law, " + ".join(part.source for part in parts)), error


def _fitted(parts: Sequence[Part], target: np.ndarray) -> tuple[Sequence[Part], tuple[float, ...], float]:
    """Parts with the factors of least squares, and the root of the mean square that is left, relative to no law."""
    x = np.stack([part.prediction for part in parts], axis=1)
    factors = np.linalg.lstsq(x, target, rcond=1e-12)[0]
    return parts, tuple(map(float, factors)), float(np.linalg.norm(target - x @ factors) / np.linalg.norm(target))


def _radials(messages: Sequence[pd.DataFrame], dim: int) -> Iterator[tuple[sympy.Expr, str]]:
    """Of each row of the messages' fronts the function of distance and properties along its own axis."""
    names = input_names(dim)
    axes = [sympy.Symbol(name, real=True) for name in names[:dim]]
    for component, front in enumerate(messages):
        for row, text in enumerate(front["expression"]):
            try:
                said = parse(text, names)
            except InputError:
                continue
            here = {axis: R if k == component else sympy.Integer(0) for k, axis in enumerate(axes)}
            there = {axis: -along for axis, along in here.items()}
            odd = sympy.piecewise_fold((said.xreplace(here) - said.xreplace(there)) / 2)
            if odd != 0 and not odd.has(sympy.zoo, sympy.nan, sympy.oo):
                yield _each_case(odd), f"message {component + 1}, row {row + 1}"


def _each_case(expression: sympy.Expr) -> sympy.Expr:
    """The expression in its simplest form, or each case of it."""
    if isinstance(expression, sympy.Piecewise):
        return expression.func(*((simplest(case), where) for case, where in expression.args))
    return simplest(expression)


def _pairs(radial: sympy.Expr, source: str, evidence: Evidence, weight: np.ndarray) -> Iterator[Part]:
    """The radial function in each gauge in which it has a value everywhere."""
    motion, columns = evidence.motion, evidence.motion.pair_columns()
    inputs, names = np.stack(list(columns.values()), axis=1), list(columns)
    if {str(s) for s in radial.free_symbols} - set(names):
        return
    receiver = {sympy.Symbol(f"{symbol_of(name)}1", real=True): name for name in motion.properties}
    powers = [[symbol**k for k in ((0, -1) if name == "mass" else (0, 1))] for symbol, name in receiver.items()]
    choices = [(radial, sympy.S.One)]
    if "mass" in motion.properties:
        choices.append((radial, 1 / sympy.Symbol(f"{symbol_of('mass')}1", real=True)))
    if radial.free_symbols & set(receiver):
        typical = {symbol: sympy.Float(np.median(np.abs(motion.properties[name]))) for symbol, name in receiver.items()}
        choices += [(radial.xreplace(typical), sympy.Mul(*some)) for some in itertools.product(*powers)]
    for form, factor in choices:
        whole = form * factor
        values = evaluate(whole, inputs, names)
        if np.isfinite(values).all() and np.any(values != 0):
            along = np.stack([evidence.summed(values * one) for one in motion.edges.line.T], axis=1)
            yield Part((whole,), (weight * along).ravel(), source)


def _at_rest(messages: Sequence[pd.DataFrame], evidence: Evidence) -> list[float]:
    """Of each component the sum of messages that a body receives where no force arrives: the best row's, at no separation."""
    names, motion = input_names(evidence.motion.dim), evidence.motion
    columns = motion.pair_columns()
    senders = np.bincount(motion.edges.receiver, minlength=len(motion.snapshot)).mean()
    found = []
    for front in messages:
        said = parse(front["expression"].iloc[-1], names)
        nothing = said.xreplace({sympy.Symbol(name, real=True): sympy.Integer(0) for name in names[: motion.dim]})
        known = {name: float(np.median(values)) for name, values in columns.items()}
        value = nothing.xreplace({sympy.Symbol(name, real=True): sympy.Float(v) for name, v in known.items()})
        found.append(float(value) * senders if value.is_number and value.is_finite else 0.0)
    return found


def _alone(node: Sequence[pd.DataFrame], received: list[float], evidence: Evidence, weight: np.ndarray) -> Iterator[Part]:
    """What a body does where no force arrives: each row of the node's fronts along all axes, and rows of all together."""
    dim = evidence.motion.dim
    names = node_names(dim)
    rest = {sympy.Symbol(f"s{k + 1}", real=True): sympy.Float(value) for k, value in enumerate(received)}

    def at_rest(text: str) -> sympy.Expr:
        try:
            said = sympy.expand(parse(text, names).xreplace(rest))
            return said.xreplace({one: sympy.S.Zero for one in said.atoms(sympy.Float) if abs(one) < ROUNDING})
        except InputError:
            return sympy.S.Zero

    rows = [[at_rest(text) for text in front["expression"]] for front in node]
    for component, front in enumerate(rows):
        for row, said in enumerate(front):
            own = tuple(along_all_axes(said, component, node_vectors(dim)))
            yield from _body_part(own, f"node {component + 1}, row {row + 1}, along all axes", evidence, weight)
    for row, together in enumerate(zip(*rows, strict=False)):
        yield from _body_part(together, f"node, rows {row + 1}", evidence, weight)


def _body_part(own: tuple[sympy.Expr, ...], source: str, evidence: Evidence, weight: np.ndarray) -> Iterator[Part]:
    """The part of a body alone, if it has a value everywhere and depends on anything."""
    columns = evidence.motion.body_columns()
    inputs, names = np.stack(list(columns.values()), axis=1), list(columns)
    if any({str(s) for s in one.free_symbols} - set(names) for one in own) or all(one == 0 for one in own):
        return
    values = np.stack([evaluate(one, inputs, names) for one in own], axis=1)
    if np.isfinite(values).all():
        yield Part(own, (weight * (evidence.average @ values)).ravel(), source)


def _distinct(parts: Iterator[Part]) -> list[Part]:
    """Parts, those of equal expressions once."""
    found: dict[tuple[sympy.Expr, ...], Part] = {}
    for part in parts:
        found.setdefault(part.expressions, part)
    return list(found.values())
