"""Features of bodies by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Bodies:
    """Features of bodies, [..., 2*dim+2], with their columns by name; what is assigned to a column changes the features."""

    features: np.ndarray

    @property
    def dim(self) -> int:
        """Components of a position."""
        return self.features.shape[-1] // 2 - 1

    @property
    def position(self) -> np.ndarray:
        """[..., dim]."""
        return self.features[..., : self.dim]

    @property
    def velocity(self) -> np.ndarray:
        """[..., dim]."""
        return self.features[..., self.dim : 2 * self.dim]

    @property
    def charge(self) -> np.ndarray:
        """[...]."""
        return self.features[..., -2]

    @property
    def mass(self) -> np.ndarray:
        """[...]."""
        return self.features[..., -1]
