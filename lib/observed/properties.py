"""Unknown properties of bodies: scalars and ties learned from how strongly each body acts on each other.

The simplest pattern of the strengths is looked for: all alike, a strength of the sender, of the receiver, a product of both,
ties that are there or not. Bodies must be the same in all trajectories. The scale of what is learned is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from lib.observed.pair_strengths import PairStrengths, solved
from lib.registry import Registry
from lib.selection.evidence import Evidence

RELATIVE = 0.01
"""What splines may leave besides noise, relative to the rates: patterns are not told apart by less."""
ITERATIONS = 30
CONVERGED = 1e-6
WRONG = 10.0
"""Times what strengths without a pattern leave, or `RELATIVE`, beyond which no pattern is recognized."""
SAME = 0.1
"""A learned strength says something if bodies differ by so many times the mean size of strengths."""
FAINT = 0.02
"""Entries of A, relative to the largest, that are not told from zero when ties are looked for."""
NONE = 0.2
"""An entry of A below this part of the largest may be a pair that does not interact."""


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
    """What the pattern leaves, in units of what strengths without a pattern leave, or of `RELATIVE`."""

    def tied(self, n: int) -> np.ndarray | None:
        """[n, n; bool], which of n bodies act on each other; None where all do."""
        if self.ties is None:
            return None
        found = np.zeros((n, n), bool)
        i, j = np.array(self.ties).T
        found[i, j] = found[j, i] = True
        return found


def recognize(found: PairStrengths, mass: np.ndarray | None) -> Learned | None:
    """The simplest pattern that the strengths have; None if they have none."""
    n = len(found.matrix)
    masses = np.ones(n) if mass is None else mass
    free = n * (n - 1)
    variance = max(found.misfit / max(found.numbers - free, 1), RELATIVE**2 * found.total / found.numbers)
    tied = _ties(found.matrix)
    best: tuple[float, Learned] | None = None
    for ties in (None, tied) if tied is not None else (None,):
        mask = np.ones((n, n)) if ties is None else ties
        np.fill_diagonal(mask, 0)
        for name, pattern in PATTERNS.items():
            count = pattern.parameters(n)
            if (mass is None and name in NEED_MASSES) or count >= free:
                continue
            parameters, left = _fit(pattern, found, masses, count, mask)
            cost = (left / variance) + (count + 2 * (ties is not None)) * np.log(found.numbers)
            pairs = (
                None if ties is None else tuple((int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(ties, 1)), strict=True))
            )
            properties = {key: normalized(key, value) for key, value in pattern.properties(parameters, masses).items()}
            learned = Learned(name, properties, pairs, left / variance / max(found.numbers - count, 1))
            if best is None or cost < best[0]:
                best = cost, learned
    return best[1] if best and best[1].misfit < WRONG else None


def normalized(name: str, values: np.ndarray) -> np.ndarray:
    """Values in a scale of their own: charges with a mean square of 1, most of them positive; masses about 1, positive."""
    sign = -1.0 if values.sum() < 0 else 1.0
    scale = np.exp(np.log(np.abs(values)).mean()) if name == "mass" else np.sqrt((values**2).mean())
    return sign * values / scale


def _ties(matrix: np.ndarray) -> np.ndarray | None:
    """[n, n] 1 for pairs that act on each other and 0 for others, if strengths fall into these two kinds; else None."""
    off = ~np.eye(len(matrix), dtype=bool)
    size = np.sqrt(np.abs(matrix * matrix.T))
    order = np.sort(size[off])
    # the widest gap in ratio; below NONE no ratio counts
    k = int(np.argmax(np.diff(np.log(np.maximum(order, FAINT)))))
    none, some = order[: k + 1], order[k + 1 :]
    if none.max() > NONE * np.median(some):
        return None
    ties = (size > (none.max() + some.min()) / 2).astype(float)
    return ties if 0 < ties.sum() < off.sum() else None


def _fit(pattern: Pattern, found: PairStrengths, masses: np.ndarray, count: int, mask: np.ndarray) -> tuple[np.ndarray, float]:
    """Parameters of a pattern and what it leaves: in turn with the function of the distance, which is its own."""
    function, parameters, left = found.function, None, np.inf
    for _ in range(ITERATIONS):
        normal, right = found.of_entries(function)
        values, vectors = np.linalg.eigh(normal)
        root = np.sqrt(np.maximum(values, 0))[:, :, None] * vectors.transpose(0, 2, 1)
        free = np.stack([solved(one, other) for one, other in zip(normal, right, strict=True)])

        def residual(p: np.ndarray, root: np.ndarray = root, free: np.ndarray = free) -> np.ndarray:
            return np.einsum("ijk,ik->ij", root, pattern.matrix(p, masses) * mask - free).ravel()

        starts = _starts(free, count) if parameters is None else [parameters]
        ends = [least_squares(residual, start, max_nfev=200) for start in starts]
        parameters = min(ends, key=lambda end: end.cost).x
        matrix = pattern.matrix(parameters, masses) * mask
        function = solved(*found.of_function(matrix))
        before, left = left, found.left(matrix, function)
        if before - left <= CONVERGED * left:
            break
    return parameters, left


def _starts(matrix: np.ndarray, count: int) -> list[np.ndarray]:
    """Where the parameters of a pattern may begin: what single vectors make of the matrix, and some at random."""
    rng, n = np.random.default_rng(0), len(matrix)
    left, values, right = np.linalg.svd(matrix)
    starts = [np.ones(count), np.full(count, matrix[~np.eye(n, dtype=bool)].mean() or 1.0)]
    if count == n:
        starts += [np.sqrt(values[0]) * left[:, 0], np.sqrt(values[0]) * right[0], matrix.sum(0), matrix.sum(1)]
    elif count > 1:
        starts += [np.concatenate([left[:, 0] * values[0] * right[0, 0], right[0, 1:] / right[0, 0]])]
    return starts + [rng.standard_normal(count) for _ in range(6 if count > 1 else 0)]


def with_learned(evidence: Evidence, learned: Learned) -> Evidence:
    """The evidence with learned properties as if they had been given."""
    motion = evidence.motion
    values = {name: value[motion.index] for name, value in learned.properties.items()}
    ties = learned.tied(int(motion.index.max()) + 1)
    return replace(
        evidence, motion=replace(motion, properties={**motion.properties, **values}, ties=motion.ties if ties is None else ties)
    )
