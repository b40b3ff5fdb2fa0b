"""How strongly each body acts on each other, by one function of the distance for all pairs.

    rate_i = sum_j A_ij phi(r_ij) u_ij

phi is a sum of splines, divided by the power of the distance that leaves the least. A and phi are found by least squares in
turn. All that the data say is in one matrix and one vector for each receiver, over senders and splines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lib.selection.evidence import Evidence
from lib.selection.structure import Basis
from lib.selection.terms import RADIAL

SPLINES = 8
"""Splines of each ordered pair."""
POWERS = (0, 1, 2, 3)
"""Splines are divided by one of these powers of the distance, by which steep laws become flat ones."""
ITERATIONS = 30
CONVERGED = 1e-10
MOST_BODIES = 40


@dataclass(frozen=True)
class PairStrengths:
    """A and phi of least squares, with the normal equations that they come from; rates are weighted."""

    matrix: np.ndarray
    """A [n, n], receiver, sender; the largest is 1 in size; zero on the diagonal."""
    function: np.ndarray
    """phi [splines]."""
    gram: np.ndarray
    """[n, n, splines, n, splines], of a receiver: products of what senders' splines make, summed over rows."""
    right: np.ndarray
    """[n, n, splines], of a receiver: products with its rates."""
    total: float
    """Sum of squares of all rates."""
    numbers: int
    """How many rates' components there are."""

    @property
    def misfit(self) -> float:
        """Sum of the squares that A and phi leave."""
        return self.left(self.matrix, self.function)

    def left(self, matrix: np.ndarray, function: np.ndarray) -> float:
        """Sum of the squares that any A and phi leave."""
        normal, right = self.of_function(matrix)
        return max(float(self.total - 2 * right @ function + function @ normal @ function), 0.0)

    def of_entries(self, function: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of A, given phi: [n, n, n] and [n, n], receiver first."""
        return np.einsum("ijpkq,p,q->ijk", self.gram, function, function, optimize=True), self.right @ function

    def of_function(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations of phi, given A: [splines, splines] and [splines]."""
        normal = np.einsum("ijpkq,ij,ik->pq", self.gram, matrix, matrix, optimize=True)
        return normal, np.einsum("ijp,ij->p", self.right, matrix)


def pair_strengths(evidence: Evidence, direction: str = RADIAL) -> PairStrengths | None:
    """The strengths of evidence along the pairs' line, or across it; None where bodies are too many or too seldom seen."""
    n = int(evidence.motion.index.max()) + 1
    if n > MOST_BODIES or n < 3:
        return None
    found = [_of_power(evidence, direction, n, power) for power in POWERS]
    return min((one for one in found if one is not None), key=lambda one: one.misfit, default=None)


def _of_power(evidence: Evidence, direction: str, n: int, power: int) -> PairStrengths | None:
    """Of splines divided by a power of the distance."""
    motion, edges = evidence.motion, evidence.motion.edges
    size = np.linalg.norm(evidence.target, axis=1)
    weight = 1 / ((evidence.typical + size) * evidence.spread)
    target = evidence.target * weight[:, None]
    along = edges.line if direction == RADIAL else edges.turned
    splines = sparse.diags_array((np.median(edges.r) / edges.r) ** power) @ Basis.of(edges.r, SPLINES).matrix(edges.r)
    sender = motion.index[edges.sender]
    gram, right = np.zeros((n, n * SPLINES, n * SPLINES)), np.zeros((n, n * SPLINES))
    for i in range(n):
        rows = evidence.body == i
        if rows.sum() * motion.dim < 2 * SPLINES * (n - 1):
            return None
        for k in range(motion.dim):
            made = [evidence.summed(sparse.diags_array((sender == j) * along[:, k]) @ splines)[rows] for j in range(n)]
            x = sparse.hstack(made).toarray() * weight[rows, None]
            gram[i] += x.T @ x
            right[i] += x.T @ target[rows, k]
    shape = (n, n, SPLINES, n, SPLINES)
    total, numbers = float((target**2).sum()), target.size
    begin = PairStrengths(np.zeros((n, n)), np.zeros(SPLINES), gram.reshape(shape), right.reshape(shape[:3]), total, numbers)
    return _in_turn(begin)


def _in_turn(of: PairStrengths) -> PairStrengths:
    """A and phi by least squares in turn, phi at first what splines of all pairs have most in common."""
    n, splines = of.right.shape[1:]
    each = np.stack([solved(of.gram[i].reshape(n * splines, -1), of.right[i].ravel()) for i in range(n)])
    seen = np.einsum("ijpjq->pq", of.gram)
    root = np.linalg.cholesky(seen + 1e-9 * np.trace(seen) * np.eye(splines))
    common = np.linalg.svd(each.reshape(-1, splines) @ root, full_matrices=False)[2][0]
    function, matrix = np.linalg.solve(root.T, common), np.zeros((n, n))
    for _ in range(ITERATIONS):
        matrix = np.stack([solved(normal, right) for normal, right in zip(*of.of_entries(function), strict=True)])
        new = solved(*of.of_function(matrix))
        new /= np.sqrt(new @ seen @ new)
        done = np.abs(new - function).max() < CONVERGED * np.abs(function).max()
        function = new
        if done:
            break
    matrix = np.stack([solved(normal, right) for normal, right in zip(*of.of_entries(function), strict=True)])
    largest = np.abs(matrix).max()
    return PairStrengths(matrix / largest, function * largest, of.gram, of.right, of.total, of.numbers)


def solved(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Least squares of normal equations; what they do not say is zero."""
    normal = normal + 1e-9 * max(np.trace(normal), 1e-300) / len(normal) * np.eye(len(normal))
    return np.linalg.solve(normal, right)
