"""Breaks: a distance at which the functions of the distance jump, or beyond which there is nothing."""

from __future__ import annotations

import numpy as np

from lib.selection.structure import Basis, Dictionary, Structure
from lib.selection.terms import PairTerm

TRIED = 24
"""Distances at which a break is looked for first, quantiles of all distances."""
HINT = 0.9
"""A break is looked for more closely near the one that lowers the held-out error at least to this part of it."""
NEAR, FINER = 12, 3
"""So many distances between the neighbours of the best, so many times."""
GAIN = 0.5
"""A break is there if it lowers the held-out error at least to this part of it; a few splines more hardly do."""


def find_break(dictionary: Dictionary, structure: Structure) -> tuple[float, Dictionary] | None:
    """Where the functions of a structure's pair terms break, and the structure's dictionary with splines that may jump there.

    None where splines without a jump do as well.
    """
    if not any(isinstance(term, PairTerm) for term in structure.terms):
        return None
    evidence, terms = dictionary.evidence, list(structure.terms)
    r = evidence.motion.edges.r
    everything = list(range(len(terms)))

    def broken(at: float) -> Dictionary:
        return Dictionary.of(evidence, terms, basis=Basis.of(r, len(dictionary.basis), at))

    def error(at: float) -> float:
        return float(broken(at).held_out(everything).sum())

    smooth = float(dictionary.held_out([dictionary.terms.index(term) for term in terms]).sum())
    grid = np.quantile(r, np.linspace(0.03, 0.97, TRIED))
    errors = [error(at) for at in grid]
    if min(errors) > HINT * smooth:
        return None
    for _ in range(FINER):  # the error is V-shaped about a jump, with steps where an edge changes sides
        k = int(np.argmin(errors))
        near = np.linspace(grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)], NEAR)
        grid, errors = np.append(near, grid[k]), [*(error(at) for at in near), errors[k]]
        order = np.argsort(grid)
        grid, errors = grid[order], [errors[j] for j in order]
    at = float(grid[int(np.argmin(errors))])
    return (at, broken(at)) if min(errors) <= GAIN * smooth else None
