"""How message channels depend on the components of the force: one channel for each component, or mixtures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from lib.messages.extraction import Edges, principal_components
from lib.messages.gauges import general_fit


@dataclass(frozen=True)
class Alignment:
    """The matrix A of a linear fit, message = A f + h: how nearly it is a permutation, and a rotation."""

    aligned: float
    """Fraction of the squared weights on one component for each channel: 1 if each channel is one component."""
    rotated: float
    """The same of messages that are rotated back by `rotation`."""
    rotation: np.ndarray
    """[dim, channels], the rotation or reflection nearest to A."""
    stretch: float
    """Largest over smallest singular value of A: 1 if A is a rotation and a scale."""


def paired_fraction(matrix: np.ndarray) -> float:
    """Fraction of the squared weights [components, channels] on the best pairing of channels and components.

    It is the mean over channels, whatever the sizes of their weights.
    """
    weights = matrix**2 / np.maximum((matrix**2).sum(axis=0), 1e-300)
    channels = range(weights.shape[1])
    return float(max(weights[list(order), channels].mean() for order in permutations(channels)))


def alignment(slope: np.ndarray) -> Alignment:
    """The alignment of the slope [dim, channels] of messages on force components.

    With A = U S V^T, messages rotated back by U V^T have the symmetric matrix U S U^T.
    """
    left, sizes, right = np.linalg.svd(slope)
    rotation = left @ right
    stretch = float(sizes[0] / max(sizes[-1], 1e-300))
    return Alignment(paired_fraction(slope), paired_fraction(slope @ rotation.T), rotation, stretch)


def tuning(edges: Edges, channels: np.ndarray, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Tuning curves of channels over the direction of the force, in 2D.

    Returns the middles of the bins in degrees, [bins], and the median message per unit of force, less the median
    message, in each, [bins, channels].

    The force is scaled by the receiver's gauge, fitted to the principal components. A channel that is linear in the
    force gives a cosine. The weakest third of the forces is left out, since little decides their directions.
    """
    fit = general_fit(edges.combined(principal_components(edges, 2)), np.arange(2))
    force = fit.gauge(edges.inputs)[:, None] * edges.force
    size = np.linalg.norm(force, axis=1)
    centred = edges.messages[:, channels] - np.median(edges.messages[:, channels], axis=0)
    limits = np.linspace(-180, 180, bins + 1)
    group = np.clip(np.searchsorted(limits, np.degrees(np.arctan2(force[:, 1], force[:, 0]))) - 1, 0, bins - 1)
    strong = size > np.quantile(size, 1 / 3)
    group, per_force = group[strong], centred[strong] / size[strong, None]
    curves = [np.median(per_force[group == k], axis=0) for k in range(bins)]
    return (limits[1:] + limits[:-1]) / 2, np.array(curves)
