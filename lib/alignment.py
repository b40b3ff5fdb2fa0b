"""How message channels lie to the components of the force: one channel, one component, or a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np


@dataclass(frozen=True)
class Alignment:
    """The matrix of a linear fit, message = A f + h, taken apart."""

    aligned: float
    """Share of the squared weights that lies on one component for each channel: 1 if each channel is one component."""
    rotated: float
    """The same once messages are rotated as helps most."""
    rotation: np.ndarray
    """[dim, channels], the rotation or reflection nearest to A."""
    stretch: float
    """Largest over smallest singular value of A: 1 if A is a rotation and a scale."""


def share(matrix: np.ndarray) -> float:
    """Share of the squared weights of [components, channels] that the best pairing of channels and components holds.

    Each channel counts alike.
    """
    weights = matrix**2 / np.maximum((matrix**2).sum(axis=0), 1e-300)
    channels = range(weights.shape[1])
    return float(max(weights[list(order), channels].mean() for order in permutations(channels)))


def alignment(slope: np.ndarray) -> Alignment:
    """Of the slope [dim, channels] of messages on force components.

    A = U S V^T: taking the rotation U V^T off the messages leaves U S U^T, the symmetric matrix next to A.
    """
    left, sizes, right = np.linalg.svd(slope)
    rotation = left @ right
    return Alignment(share(slope), share(slope @ rotation.T), rotation, float(sizes[0] / max(sizes[-1], 1e-300)))
