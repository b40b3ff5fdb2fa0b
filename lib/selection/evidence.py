"""Evidence: what a law must explain, the accelerations (or velocities) of bodies in motion and how well they are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from lib.selection.motion import Motion

FEWEST = 12
"""Groups, or snapshots, of a sample at least."""


@dataclass(frozen=True)
class Evidence:
    """Rows of a target, each an average of what the law gives to the bodies of a motion.

    Where accelerations were measured a row is one body at one time. Where positions were, it is one body over a window of
    times, as in the weak form of the equation of motion.
    """

    motion: Motion
    target: np.ndarray
    """[rows, dim]"""
    group: np.ndarray
    """[rows], integers: trajectories, or stretches of time of one trajectory. What is held out is held out by groups."""
    average: sparse.csr_matrix
    """[rows, bodies], weights of the bodies' rates."""
    body: np.ndarray
    """[rows], which body of its trajectory."""
    time: np.ndarray
    """[rows], numbers: rows of one group and one time belong together."""
    spread: np.ndarray
    """[rows], standard deviation of a row's noise relative to other rows."""
    successor: np.ndarray
    """[rows], number of the row of the same body one step later; -1 where there is none."""
    order: int = 2

    @classmethod
    def of_rates(cls, motion: Motion, rates: np.ndarray, group: np.ndarray, order: int = 2) -> Evidence:
        """Of rates [bodies, dim] that were measured at each body; rows that are not finite are left out."""
        count = len(rates)
        known = np.flatnonzero(np.isfinite(rates).all(axis=1))
        average = sparse.csr_matrix((np.ones(len(known)), (np.arange(len(known)), known)), (len(known), count))
        return cls(
            motion,
            rates[known].astype(float),
            group[known],
            average,
            motion.index[known],
            motion.snapshot[known],
            np.ones(len(known)),
            _successors(motion, known),
            order,
        )

    def summed(self, columns: Any) -> Any:
        """Columns [edges, ...] of edges, dense or sparse, summed at receivers and averaged to rows, [rows, ...]."""
        return self.average @ (self.motion.received @ columns)

    @property
    def typical(self) -> float:
        """Median size of a target; its root mean square where most are nothing."""
        size = np.linalg.norm(self.target, axis=1)
        return float(np.median(size) or np.sqrt((size**2).mean()))

    def take(self, rows: np.ndarray) -> Evidence:
        """The chosen rows [rows; bool or numbers] and only the snapshots that they need."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        average = self.average[rows]
        snapshots = np.zeros(self.motion.snapshot[-1] + 1, bool)
        snapshots[self.motion.snapshot[np.unique(average.indices)]] = True
        kept = snapshots[self.motion.snapshot]
        place = np.full(len(self.target), -1)
        place[rows] = np.arange(len(rows))
        following = self.successor[rows]
        return replace(
            self,
            motion=self.motion.of_bodies(kept),
            target=self.target[rows],
            group=self.group[rows],
            average=average[:, np.flatnonzero(kept)],
            body=self.body[rows],
            time=self.time[rows],
            spread=self.spread[rows],
            successor=np.where(following >= 0, place[following], -1),
        )

    def sample(self, edges: int, seed: int) -> Evidence:
        """Rows with about so many pairs at most, by snapshots, or by groups where a row averages over several snapshots."""
        if len(self.motion.edges.r) <= edges:
            return self
        each = len(self.motion.edges.r) / max(len(self.target), 1)  # all pairs of all snapshots that a row averages over
        averaged = self.average.nnz > 2 * len(self.target)
        unit = self.group if averaged else self.motion.snapshot[self.average.indices[self.average.indptr[:-1]]]
        names, number, sizes = np.unique(unit, return_inverse=True, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(names))
        count = int(np.searchsorted(np.cumsum(sizes[order]) * each, edges)) + 1
        chosen = np.zeros(len(names), bool)
        chosen[order[: max(count, min(FEWEST, len(names)))]] = True
        return self.take(chosen[number])

    def centred(self) -> Evidence:
        """The same less the mean over the bodies of each time: what is known where the frame itself accelerates."""
        number = np.unique(np.stack([self.group, self.time]), axis=1, return_inverse=True)[1].ravel()
        ones = sparse.csr_matrix((np.ones(len(number)), (number, np.arange(len(number)))))
        mean = ones.T @ sparse.diags(1 / np.bincount(number)) @ ones
        return replace(self, target=self.target - mean @ self.target, average=(self.average - mean @ self.average).tocsr())

    def folds(self, count: int = 5) -> np.ndarray:
        """[rows], the fold that each row is of: groups are dealt out in turn."""
        names, number = np.unique(self.group, return_inverse=True)
        order = np.random.default_rng(0).permutation(len(names))
        return (order % count)[number]


def _successors(motion: Motion, known: np.ndarray) -> np.ndarray:
    """Row of the same body in the next snapshot of its trajectory, for rows at the bodies `known`; -1 where there is none."""
    order = np.lexsort((motion.snapshot[known], motion.index[known], motion.trajectory[known]))
    found = np.full(len(known), -1)
    same = (np.diff(motion.index[known][order]) == 0) & (np.diff(motion.trajectory[known][order]) == 0)
    following = np.diff(motion.snapshot[known][order]) == 1
    found[order[:-1][same & following]] = order[1:][same & following]
    return found
