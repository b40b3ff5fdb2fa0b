"""What was measured: experiments with their clocks, positions, and whatever else is known of the bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

INERTIAL = "inertial"
"""The frame of a recording whose positions are relative to none of its bodies."""


@dataclass(frozen=True)
class Experiment:
    """One trajectory of some bodies."""

    time: np.ndarray
    """[times], strictly ascending."""
    position: np.ndarray
    """[times, n, dim], NaN where a row is missing."""
    velocity: np.ndarray | None
    """As position; None where it was not measured."""
    acceleration: np.ndarray | None
    """As position; None where it was not measured."""
    properties: Mapping[str, np.ndarray]
    """Each [n], constant in time: `mass`, `charge`, and any others."""
    bodies: tuple[str, ...]
    """[n] names."""

    @property
    def present(self) -> np.ndarray:
        """Where a body's position is known, [times, n; bool]."""
        return np.isfinite(self.position).all(axis=2)

    def of(self, times: np.ndarray, bodies: np.ndarray) -> Experiment:
        """The chosen times [times; bool] and bodies [n; bool]."""

        def chosen(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[times][:, bodies]

        return Experiment(
            self.time[times],
            self.position[times][:, bodies],
            chosen(self.velocity),
            chosen(self.acceleration),
            {name: values[bodies] for name, values in self.properties.items()},
            tuple(name for name, kept in zip(self.bodies, bodies, strict=True) if kept),
        )


@dataclass(frozen=True)
class Recording:
    """What a file holds, as it was understood."""

    experiments: tuple[Experiment, ...]
    """All with the same dimension, the same quantities measured and the same properties; times and bodies may differ."""
    box: np.ndarray | None
    """[dim], periods of a periodic box."""
    notes: tuple[str, ...]
    """What was guessed, left out or found peculiar, one plain sentence each; shown to the user first."""
    time_unit: str = ""
    """Such as `sec` or `frames`; empty where it is not known."""
    length_unit: str = ""
    frame: str = INERTIAL
    """`inertial`, or the body that positions are relative to: accelerations are then known up to one common vector
    at each time."""

    @property
    def dim(self) -> int:
        """Components of a position."""
        return self.experiments[0].position.shape[2]

    @property
    def same_bodies(self) -> bool:
        """Whether all experiments are of the same bodies, by name and by whatever properties are known."""
        first = self.experiments[0]
        return all(
            one.bodies == first.bodies and all(np.array_equal(one.properties[k], v) for k, v in first.properties.items())
            for one in self.experiments
        )

    def noting(self, *notes: str) -> Recording:
        """The same with further notes."""
        return replace(self, notes=(*self.notes, *notes))
