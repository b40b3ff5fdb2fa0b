"""Bodies in motion as flat arrays, so that any number of bodies, missing ones and periodic boxes are read alike."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

SYMBOLS = {"mass": "m", "charge": "q"}
"""Names of properties in formulas; others keep their own."""


def symbol_of(name: str) -> str:
    """The letter of a property in formulas, to which 1 (receiver) or 2 (sender) is added."""
    return SYMBOLS.get(name, name)


@dataclass(frozen=True)
class Edges:
    """Ordered pairs of bodies that may act on each other: the sender on the receiver."""

    receiver: np.ndarray
    """[edges], numbers of bodies in a `Motion`."""
    sender: np.ndarray
    """[edges]"""
    separation: np.ndarray
    """[edges, dim], receiver less sender, by the nearest image in a periodic box."""
    r: np.ndarray
    """[edges], distances."""

    @cached_property
    def line(self) -> np.ndarray:
        """Unit vectors from sender to receiver, [edges, dim]."""
        return self.separation / self.r[:, None]

    @cached_property
    def turned(self) -> np.ndarray:
        """The same turned by +90 degrees, [edges, 2]; two dimensions only."""
        return np.stack([-self.line[:, 1], self.line[:, 0]], axis=1)


@dataclass(frozen=True)
class Motion:
    """Snapshots of bodies, flat: body k stands in snapshot `snapshot[k]`; two bodies of one snapshot may act on each other."""

    position: np.ndarray
    """[bodies, dim]"""
    velocity: np.ndarray
    """[bodies, dim]"""
    properties: Mapping[str, np.ndarray]
    """Each [bodies]: `mass`, `charge`, or a user's own."""
    snapshot: np.ndarray
    """[bodies], integers in ascending order."""
    index: np.ndarray
    """[bodies], which body of its trajectory it is."""
    trajectory: np.ndarray
    """[bodies], which trajectory it is of."""
    box: np.ndarray | None = None
    """[dim], periods of a periodic box."""
    reach: float = np.inf
    """Distance beyond which pairs are left out."""
    ties: np.ndarray | None = None
    """[bodies of a trajectory, same; bool], receiver and sender: which pairs may act; None for all."""

    @property
    def dim(self) -> int:
        """Components of a position."""
        return self.position.shape[1]

    @classmethod
    def of_arrays(
        cls,
        position: np.ndarray,
        velocity: np.ndarray,
        properties: Mapping[str, np.ndarray],
        trajectory: np.ndarray | None = None,
        box: np.ndarray | None = None,
        reach: float = np.inf,
    ) -> Motion:
        """Of arrays [snapshots, n, dim], properties [snapshots, n], and the trajectory of each snapshot, [snapshots]."""
        count, n, dim = position.shape
        trajectory = np.arange(count) if trajectory is None else trajectory
        return cls(
            position.reshape(-1, dim).astype(float),
            velocity.reshape(-1, dim).astype(float),
            {name: np.asarray(values, float).reshape(-1) for name, values in properties.items()},
            np.repeat(np.arange(count), n),
            np.tile(np.arange(n), count),
            np.repeat(trajectory, n),
            box,
            reach,
        )

    @cached_property
    def edges(self) -> Edges:
        """All ordered pairs of bodies of one snapshot, within reach."""
        receiver, sender = self._near() if np.isfinite(self.reach) else self._all()
        separation = self.position[receiver] - self.position[sender]
        if self.box is not None:
            separation -= self.box * np.round(separation / self.box)
        r = np.linalg.norm(separation, axis=1)
        near = (r < self.reach) & (r > 0)
        if self.ties is not None:
            near &= self.ties[self.index[receiver], self.index[sender]]
        return Edges(receiver[near], sender[near], separation[near], r[near])

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        starts = np.flatnonzero(np.diff(self.snapshot, prepend=self.snapshot[0] - 1))
        sizes = np.diff(starts, append=len(self.snapshot))
        found: list[np.ndarray] = []
        for n in np.unique(sizes):
            i, j = np.nonzero(~np.eye(n, dtype=bool))
            found.append((starts[sizes == n, None, None] + np.stack([i, j])).transpose(1, 0, 2).reshape(2, -1))
        receiver, sender = np.concatenate(found, axis=1)
        order = np.argsort(receiver, kind="stable")
        return receiver[order], sender[order]

    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        bounds = np.flatnonzero(np.diff(self.snapshot, prepend=self.snapshot[0] - 1, append=self.snapshot[-1] + 1))
        found = []
        for first, last in itertools.pairwise(bounds):
            points = self.position[first:last]
            wrapped = points if self.box is None else np.mod(points, self.box) % self.box
            pairs = cKDTree(wrapped, boxsize=self.box).query_pairs(self.reach, output_type="ndarray")
            found.append(first + np.concatenate([pairs, pairs[:, ::-1]]))
        receiver, sender = np.concatenate(found).T
        order = np.lexsort((sender, receiver))
        return receiver[order], sender[order]

    @cached_property
    def received(self) -> sparse.csr_matrix:
        """Sum over edges at their receivers, [bodies, edges]."""
        edges = self.edges
        ones = np.ones(len(edges.receiver))
        return sparse.csr_matrix((ones, (edges.receiver, np.arange(len(ones)))), (len(self.snapshot), len(ones)))

    def pair_columns(self) -> dict[str, np.ndarray]:
        """Inputs of a pair's formula by name, each [edges]: r, and each property with 1 (receiver) and 2 (sender)."""
        edges = self.edges
        columns = {"r": edges.r}
        for name, values in self.properties.items():
            columns[f"{symbol_of(name)}1"] = values[edges.receiver]
            columns[f"{symbol_of(name)}2"] = values[edges.sender]
        return columns

    def body_columns(self) -> dict[str, np.ndarray]:
        """Inputs of a single body's formula by name, each [bodies]: x, y, z, vx, vy, vz, and each property with 1."""
        axes = ("x", "y", "z")[: self.dim]
        return {
            **{axis: self.position[:, k] for k, axis in enumerate(axes)},
            **{f"v{axis}": self.velocity[:, k] for k, axis in enumerate(axes)},
            **{f"{symbol_of(name)}1": values for name, values in self.properties.items()},
        }

    def take(self, snapshots: np.ndarray) -> Motion:
        """Of the snapshots that are chosen [snapshots; bool], the bodies."""
        return self.of_bodies(snapshots[self.snapshot])

    def of_bodies(self, chosen: np.ndarray) -> Motion:
        """The chosen bodies [bodies; bool]; what others did to them is lost, so choose whole snapshots."""
        return replace(
            self,
            position=self.position[chosen],
            velocity=self.velocity[chosen],
            properties={name: values[chosen] for name, values in self.properties.items()},
            snapshot=np.unique(self.snapshot[chosen], return_inverse=True)[1],
            index=self.index[chosen],
            trajectory=self.trajectory[chosen],
        )
