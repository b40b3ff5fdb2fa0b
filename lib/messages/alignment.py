"""How message channels lie to the components of the force: one channel, one component, or a mixture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from lib.messages.extraction import Edges, principal_components
from lib.messages.gauges import general_fit


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


def tuning(edges: Edges, channels: np.ndarray, bins: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """How channels answer to the direction of the force, in 2D: directions [bins] in degrees, and of each the median
    message per unit of force [bins, channels], less its middle.

    The force is scaled by the receiver's gauge, fitted to the principal components. A channel that is linear in the
    force gives a cosine. The weakest third of the forces, whose directions say little, is left out.
    """
    fit = general_fit(edges.seen(principal_components(edges, 2)), np.arange(2))
    force = fit.gauge(edges.inputs)[:, None] * edges.force
    size = np.linalg.norm(force, axis=1)
    sent = edges.messages[:, channels] - np.median(edges.messages[:, channels], axis=0)
    ends = np.linspace(-180, 180, bins + 1)
    group = np.clip(np.searchsorted(ends, np.degrees(np.arctan2(force[:, 1], force[:, 0]))) - 1, 0, bins - 1)
    strong = size > np.quantile(size, 1 / 3)
    answers = [np.median(sent[strong & (group == k)] / size[strong & (group == k), None], axis=0) for k in range(bins)]
    return (ends[1:] + ends[:-1]) / 2, np.array(answers)
