"""What was measured: experiments with their clocks, positions, and whatever else is known of the bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


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
