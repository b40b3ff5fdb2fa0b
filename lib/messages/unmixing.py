"""Unmixing: the combinations of channels that are components of a force along the axes, found without the truth.

Pair forces are central, f = F r_ij / |r_ij|, so that messages m = g A f + h lie along A u, with u the unit vector from
sender to receiver, but for their offset. The inverse of A is, up to a factor, the matrix B that makes every message
parallel to the line of its own pair: (B (m - c)) x u = 0. That is linear in B and B c, one equation for each edge and
plane of axes, and assumes nothing else of the law. Each row of B m is then one component. The offset c is a constant;
an h that varies with the receiver leaves a part perpendicular to the line, whose size is returned.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from lib.physics.forces import Pairs

MIN_SINGULAR_RATIO = 0.1
"""Least ratio of the singular values of B, for principal components of unit variance, at which B is taken for a basis."""
MAX_PERPENDICULAR = 0.25
"""Largest fraction of perpendicular variance at which messages count as central; of random directions it is 1/2 or 2/3."""


@dataclass(frozen=True)
class Unmixing:
    """How channels are combined into components."""

    matrix: np.ndarray
    """[channels, dim]: components are messages @ matrix, with the total variance that the channels have; the identity
    where messages are not central."""
    perpendicular: float
    """Fraction of the components' variance that is perpendicular to the line between the bodies."""


def unmix(messages: np.ndarray, inputs: np.ndarray) -> Unmixing:
    """The unmixing of messages [edges, dim] of pairs with inputs [edges, dim+5]: total least squares, by an eigenproblem."""
    dim, line = messages.shape[1], Pairs(inputs).line
    centred = messages.astype(float) - messages.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    if variances[0] <= 1e-12 * variances[-1]:
        return _unchanged(centred, line)
    whitening = directions / np.sqrt(variances)
    # with a channel of ones, whose row of the solution is the offset
    terms = np.column_stack([centred @ whitening, np.ones(len(centred))])
    normal = np.zeros((terms.shape[1], dim, terms.shape[1], dim))
    for i, j in itertools.combinations(range(dim), 2):
        for (a, to), (b, by) in itertools.product([(i, line[:, j]), (j, -line[:, i])], repeat=2):
            normal[:, a, :, b] += (terms * (to * by)[:, None]).T @ terms
    solution = np.linalg.eigh(normal.reshape(terms.shape[1] * dim, -1))[1][:, 0].reshape(-1, dim)
    singular, perpendicular = np.linalg.svd(solution[:-1], compute_uv=False), _perpendicular(terms @ solution, line)
    if singular[-1] < MIN_SINGULAR_RATIO * singular[0] or perpendicular > MAX_PERPENDICULAR:
        return _unchanged(centred, line)
    matrix = whitening @ solution[:-1]
    sign = np.sign(matrix.flat[np.abs(matrix).argmax()])
    matrix *= np.sqrt(variances.sum() / (centred @ matrix).var(axis=0).sum()) * sign
    return Unmixing(matrix, perpendicular)


def _unchanged(centred: np.ndarray, line: np.ndarray) -> Unmixing:
    return Unmixing(np.eye(centred.shape[1]), _perpendicular(centred, line))


def _perpendicular(components: np.ndarray, line: np.ndarray) -> float:
    along = (components * line).sum(axis=1, keepdims=True) * line
    return float(((components - along) ** 2).sum() / (components**2).sum())
