"""Central messages: the combinations of channels that lie along the line between the two bodies.

Pair forces are central, f = F u with u the unit vector from sender to receiver, so that messages
m = g A f + h point along A u but for their offset. The inverse of A is, up to a factor, the matrix B that turns
every message into the line of its own pair: (B (m - c)) x u = 0. That is linear in B and B c, one equation a plane
of axes and edge, and needs no more of the law than that. Channels turned by B say one component each. c takes
a constant offset alone; what an h that varies with the receiver adds is left across the line, and told.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

INDEPENDENT = 0.1
"""Least ratio of the singular values of B, for principal components of unit spread, at which it is taken for a basis."""
ACROSS = 0.25
"""Largest share of the variance across the line at which messages count as central; without a line it is 1/2 or 2/3."""


@dataclass(frozen=True)
class Unmixing:
    """How channels are combined into components."""

    matrix: np.ndarray
    """[channels, dim]: components are messages @ matrix, with the spread that the channels have; the identity where
    messages lie along no such line."""
    across: float
    """Share of the turned messages' variance that is across the line."""


def unmix(messages: np.ndarray, inputs: np.ndarray) -> Unmixing:
    """The turn of messages [edges, dim] along pairs of inputs [edges, dim+5]: total least squares, by one eigenproblem."""
    dim = messages.shape[1]
    line = inputs[:, :dim] / inputs[:, [dim]]
    centred = messages.astype(float) - messages.mean(axis=0)
    values, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    if values[0] <= 1e-12 * values[-1]:
        return _as_sent(centred, line)
    white = directions / np.sqrt(values)
    # with a channel of ones, whose row of the solution is the offset
    terms = np.column_stack([centred @ white, np.ones(len(centred))])
    normal = np.zeros((terms.shape[1], dim, terms.shape[1], dim))
    for i, j in itertools.combinations(range(dim), 2):
        for (a, to), (b, by) in itertools.product([(i, line[:, j]), (j, -line[:, i])], repeat=2):
            normal[:, a, :, b] += (terms * (to * by)[:, None]).T @ terms
    solution = np.linalg.eigh(normal.reshape(terms.shape[1] * dim, -1))[1][:, 0].reshape(-1, dim)
    singular, across = np.linalg.svd(solution[:-1], compute_uv=False), _across(terms @ solution, line)
    if singular[-1] < INDEPENDENT * singular[0] or across > ACROSS:
        return _as_sent(centred, line)
    matrix = white @ solution[:-1]
    matrix *= np.sqrt(values.sum() / (centred @ matrix).var(axis=0).sum()) * np.sign(matrix.flat[np.abs(matrix).argmax()])
    return Unmixing(matrix, across)


def _as_sent(centred: np.ndarray, line: np.ndarray) -> Unmixing:
    return Unmixing(np.eye(centred.shape[1]), _across(centred, line))


def _across(components: np.ndarray, line: np.ndarray) -> float:
    along = (components * line).sum(axis=1, keepdims=True) * line
    return float(((components - along) ** 2).sum() / (components**2).sum())
