"""Unknown properties of bodies: scalars and ties learned from how strongly each body acts on each other.

    rate_i = sum_j A_ij phi(r_ij) u_ij + (terms of the body alone)

The matrix A and the function phi are found by least squares in turn; then the simplest pattern that A has is looked for:
all alike, a strength of the sender, of the receiver, a product of both, ties that are there or not.
Bodies must be the same in all trajectories. The scale of what is learned is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import least_squares

from lib.registry import Registry
from lib.selection.evidence import Evidence
from lib.selection.structure import Basis
from lib.selection.terms import RADIAL

SPLINES = 8
"""Splines of each ordered pair."""
ITERATIONS = 30
RELATIVE = 0.01
"""Error of an entry of A besides its standard error, relative to the largest."""
MOST_BODIES = 40
SAME = 0.1
"""A learned strength says something if bodies differ by so many times the mean size of strengths."""
FAINT = 0.02
"""Entries of A, relative to the largest, that are not told from zero when ties are looked for."""
NONE = 0.2
"""An entry of A below this part of the largest may be a pair that does not interact."""


@dataclass(frozen=True)
class Strengths:
    """How strongly each body acts on each other, by one function of the distance for all."""

    matrix: np.ndarray
    """[n, n] receiver, sender; the largest is 1 in size; zero on the diagonal."""
    standard_error: np.ndarray
    """[n, n]"""
    second: float
    """Size of what a second function of the distance adds, relative to the first: small if one is enough."""


def strengths(evidence: Evidence, direction: str = RADIAL, others: np.ndarray | None = None) -> Strengths | None:
    """The matrix A of evidence; None where bodies are too many or too seldom seen.

    `others` [rows, dim, columns] are regressors besides, free for each receiver: terms of the body alone.
    """
    motion, edges = evidence.motion, evidence.motion.edges
    n = int(motion.index.max()) + 1
    if n > MOST_BODIES or n < 3:
        return None
    receiver = evidence.body
    size = np.linalg.norm(evidence.target, axis=1)
    weight = 1 / ((evidence.typical + size) * evidence.spread)
    along = edges.line if direction == RADIAL else edges.turned
    basis = Basis.of(edges.r, SPLINES)
    splines = basis.matrix(edges.r)
    sender = motion.index[edges.sender]
    dim = motion.dim
    blocks = np.zeros((n, len(evidence.target), dim, SPLINES))
    for j in range(n):
        here = (sender == j).astype(float)
        for k in range(dim):
            blocks[j, :, k] = evidence.summed(sparse.diags_array(here * along[:, k]) @ splines).toarray()
    blocks *= weight[:, None, None]
    target = evidence.target * weight[:, None]
    others = np.zeros((len(target), dim, 0)) if others is None else others * weight[:, None, None]
    coefficients = np.zeros((n, n, SPLINES))
    for i in range(n):
        rows = receiver == i
        senders = [j for j in range(n) if j != i]
        x = np.concatenate([*(blocks[j, rows] for j in senders), others[rows]], axis=-1).reshape(
            -1, SPLINES * (n - 1) + others.shape[-1]
        )
        if len(x) < 2 * x.shape[1]:
            return None
        solved = _ridge(x, target[rows].ravel())
        coefficients[i, senders] = solved[: SPLINES * (n - 1)].reshape(n - 1, SPLINES)
    # common function: the first right singular vector, by how much each spline is seen
    gram = np.einsum("jrkp,jrkq->pq", blocks, blocks)
    root = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(SPLINES))
    flat = coefficients.reshape(-1, SPLINES) @ root
    _, values, right = np.linalg.svd(flat, full_matrices=False)
    phi = np.linalg.solve(root.T, right[0])
    for _ in range(ITERATIONS):
        matrix, error = _entries(blocks, target, others, receiver, phi, n)
        new = _function(blocks, target, others, receiver, matrix)
        new /= np.sqrt(new @ gram @ new)
        done = np.abs(new - phi).max() < 1e-10 * np.abs(phi).max()
        phi = new
        if done:
            break
    matrix, error = _entries(blocks, target, others, receiver, phi, n)
    largest = np.abs(matrix).max()
    return Strengths(matrix / largest, error / largest, float(values[1] / values[0]))


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += 1e-9 * max(np.trace(gram), 1e-300) / len(gram)
    return np.linalg.solve(gram, x.T @ y)


def _entries(
    blocks: np.ndarray, target: np.ndarray, others: np.ndarray, receiver: np.ndarray, phi: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """A and its standard errors, given the function."""
    matrix, error = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        rows, senders = receiver == i, [j for j in range(n) if j != i]
        x = np.concatenate([(blocks[senders][:, rows] @ phi).transpose(1, 2, 0), others[rows]], axis=-1)
        x = x.reshape(-1, x.shape[-1])
        y = target[rows].ravel()
        solved = _ridge(x, y)
        residual = y - x @ solved
        covariance = np.linalg.pinv(x.T @ x) * float(residual @ residual) / max(len(y) - x.shape[1], 1)
        matrix[i, senders] = solved[: n - 1]
        error[i, senders] = np.sqrt(np.diag(covariance))[: n - 1]
    return matrix, error


def _function(
    blocks: np.ndarray, target: np.ndarray, others: np.ndarray, receiver: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Coefficients of the function, given A; terms of the body alone are free for each receiver."""
    x = np.einsum("jrkp,rj->rkp", blocks, matrix[receiver])
    if others.shape[-1]:
        y = target.copy()
        for i in range(len(matrix)):
            rows = receiver == i
            own = others[rows].reshape(-1, others.shape[-1])
            both = np.concatenate([x[rows].reshape(len(own), -1), y[rows].reshape(-1, 1)], axis=1)
            both = both - own @ np.linalg.lstsq(own, both, rcond=None)[0]
            x[rows], y[rows] = both[:, :-1].reshape(x[rows].shape), both[:, -1].reshape(y[rows].shape)
        return _ridge(x.reshape(-1, x.shape[-1]), y.ravel())
    return _ridge(x.reshape(-1, x.shape[-1]), target.ravel())


@dataclass(frozen=True)
class Pattern:
    """A way in which strengths may come from scalars of bodies."""

    matrix: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """A [n, n] of parameters and given masses [n] (ones where they are not given)."""
    parameters: Callable[[int], int]
    """How many, of the number of bodies."""
    properties: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]
    """Properties [n] by name, of parameters and given masses."""


def _symmetric(t: np.ndarray, n: int) -> np.ndarray:
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = t
    return matrix + matrix.T


PATTERNS: Registry[Pattern] = Registry(
    "pattern",
    {
        "all alike": Pattern(lambda p, m: np.full((len(m), len(m)), p[0]), lambda n: 1, lambda p, m: {}),
        "inverse mass": Pattern(lambda p, m: p[0] / m[:, None] * np.ones((1, len(m))), lambda n: 1, lambda p, m: {}),
        "sender's mass": Pattern(lambda p, m: p[0] * m[None, :] * np.ones((len(m), 1)), lambda n: 1, lambda p, m: {}),
        "strength of the sender": Pattern(
            lambda p, m: np.ones((len(m), 1)) * p[None, :], lambda n: n, lambda p, m: {"mass": p}
        ),
        "strength of the receiver": Pattern(
            lambda p, m: np.ones((1, len(m))) * p[:, None], lambda n: n, lambda p, m: {"mass": 1 / p}
        ),
        "product of charges": Pattern(lambda p, m: p[:, None] * p[None, :], lambda n: n, lambda p, m: {"charge": p}),
        "minus product of charges": Pattern(lambda p, m: -p[:, None] * p[None, :], lambda n: n, lambda p, m: {"charge": p}),
        "product of charges over mass": Pattern(
            lambda p, m: p[:, None] * p[None, :] / m[:, None], lambda n: n, lambda p, m: {"charge": p}
        ),
        "minus product of charges over mass": Pattern(
            lambda p, m: -p[:, None] * p[None, :] / m[:, None], lambda n: n, lambda p, m: {"charge": p}
        ),
        "receiver's times sender's": Pattern(
            lambda p, m: p[: len(m), None] * np.append(1.0, p[len(m) :])[None, :],
            lambda n: 2 * n - 1,
            lambda p, m: {"charge": np.append(1.0, p[len(m) :]), "mass": np.append(1.0, p[len(m) :]) / p[: len(m)]},
        ),
    },
)
"""From simple to general."""
NEED_MASSES = ("inverse mass", "sender's mass", "product of charges over mass", "minus product of charges over mass")
"""Patterns of given masses."""


@dataclass(frozen=True)
class Learned:
    """What was learned of bodies."""

    pattern: str
    properties: dict[str, np.ndarray]
    """Each [n]."""
    ties: tuple[tuple[int, int], ...] | None
    """Pairs that act on each other, where not all do."""
    misfit: float
    """Reduced chi square of the pattern against A."""


def recognize(found: Strengths, mass: np.ndarray | None) -> Learned | None:
    """The simplest pattern that the strengths have; None if they have none."""
    n = len(found.matrix)
    off = ~np.eye(n, dtype=bool)
    error = np.hypot(found.standard_error, RELATIVE)[off]
    masses = np.ones(n) if mass is None else mass
    tied = _ties(found)
    best: tuple[float, Learned] | None = None
    for ties in (None, tied) if tied is not None else (None,):
        mask = np.ones((n, n)) if ties is None else ties
        for name, pattern in PATTERNS.items():
            if mass is None and name in NEED_MASSES:
                continue
            count = pattern.parameters(n)
            if count >= off.sum():
                continue
            parameters, chi = _fit(pattern, found.matrix, error, off, masses, count, mask)
            cost = chi + count * np.log(off.sum()) + (0 if ties is None else 2 * np.log(off.sum()))
            pairs = (
                None if ties is None else tuple((int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(ties, 1)), strict=True))
            )
            properties = {key: normalized(key, value) for key, value in pattern.properties(parameters, masses).items()}
            learned = Learned(name, properties, pairs, float(chi / max(off.sum() - count, 1)))
            if best is None or cost < best[0]:
                best = cost, learned
    return best[1] if best and best[1].misfit < 10 else None


def normalized(name: str, values: np.ndarray) -> np.ndarray:
    """Values in a scale of their own: charges with a mean square of 1, most of them positive; masses about 1, positive."""
    sign = -1.0 if values.sum() < 0 else 1.0
    scale = np.exp(np.log(np.abs(values)).mean()) if name == "mass" else np.sqrt((values**2).mean())
    return sign * values / scale


def _ties(found: Strengths) -> np.ndarray | None:
    """[n, n] 1 for pairs that act on each other and 0 for others, if strengths fall into these two kinds; else None."""
    n = len(found.matrix)
    off = ~np.eye(n, dtype=bool)
    size = np.sqrt(np.abs(found.matrix * found.matrix.T))
    order = np.sort(size[off])
    # the widest gap in ratio; below NONE no ratio counts
    k = int(np.argmax(np.diff(np.log(np.maximum(order, FAINT)))))
    none, some = order[: k + 1], order[k + 1 :]
    if none.max() > NONE * np.median(some):
        return None
    ties = (size > (none.max() + some.min()) / 2).astype(float)
    return ties if 0 < ties.sum() < off.sum() else None


def _fit(
    pattern: Pattern, matrix: np.ndarray, error: np.ndarray, off: np.ndarray, masses: np.ndarray, count: int, mask: np.ndarray
) -> tuple[np.ndarray, float]:
    rng, best = np.random.default_rng(0), None
    left, values, right = np.linalg.svd(matrix)
    starts = [np.ones(count), np.full(count, matrix[off].mean() or 1.0)]
    if count == len(matrix):
        starts += [np.sqrt(values[0]) * left[:, 0], np.sqrt(values[0]) * right[0], matrix.sum(0), matrix.sum(1)]
        starts += [rng.standard_normal(count) for _ in range(6)]
    elif count > 1:
        starts += [np.concatenate([left[:, 0] * values[0] * right[0, 0], right[0, 1:] / right[0, 0]])]
        starts += [rng.standard_normal(count) for _ in range(6)]
    for start in starts:
        solution = least_squares(lambda p: (pattern.matrix(p, masses) * mask - matrix)[off] / error, start, max_nfev=200)
        if best is None or solution.cost < best.cost:
            best = solution
    return best.x, 2 * best.cost


def with_learned(evidence: Evidence, learned: Learned) -> Evidence:
    """The evidence with learned properties as if they had been given."""
    motion = evidence.motion
    values = {name: value[motion.index] for name, value in learned.properties.items()}
    ties = motion.ties
    if learned.ties is not None:
        n = int(motion.index.max()) + 1
        ties = np.zeros((n, n), bool)
        i, j = np.array(learned.ties).T
        ties[i, j] = ties[j, i] = True
    return replace(evidence, motion=replace(motion, properties={**motion.properties, **values}, ties=ties))
