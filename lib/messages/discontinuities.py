"""Jumps: the distance at which a reading is torn, found without the truth, so that each side is searched by itself.

Sums, products and quotients cannot say that a force sets in at a distance. Near a distance c, messages along the
line between the bodies are fitted as continuous in r, with a kink at c, and once more with a step at c, both over
the receiver's mass as the gauge may have it:

    m . u = (1, 1/m1) x (1, r - c, max(r - c, 0), [r > c])

Where the step leaves far less unexplained, at c, the reading jumps (a regression discontinuity design:
Thistlethwaite and Campbell, 1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.05
"""Share of edges, nearest in distance, that are fitted on either side."""
RAMP = 0.5
"""Part of these, the nearest, that are left out: a network goes over from one side to the other, and does not jump."""
FEWEST = 500
"""Edges on either side below which nothing is looked for: they may come from few trajectories."""
GRID = 200
"""Distances tried, at quantiles."""
MIN_EXPLAINED = 0.2
"""Share of what a continuous fit leaves unexplained that a jump must explain."""
LARGE = 0.1
"""Root mean square of the step, against the spread of all messages, from which on it is a jump."""


@dataclass(frozen=True)
class Discontinuity:
    """A distance at which messages jump."""

    at: float
    ramp: tuple[float, float]
    """Distances between which a network may be on its way from one side to the other."""

    def clear(self, inputs: np.ndarray) -> np.ndarray:
        """Which edges [edges, dim+5] are not on the ramp."""
        r = inputs[:, inputs.shape[1] - 5]
        return (r < self.ramp[0]) | (r > self.ramp[1])

    def sides(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which edges [edges, dim+5] lie beyond the jump, and which within."""
        beyond = inputs[:, inputs.shape[1] - 5] > self.at
        return beyond, ~beyond


def find(inputs: np.ndarray, messages: np.ndarray) -> Discontinuity | None:
    """The jump of messages [edges, dim], components along the axes, over inputs [edges, dim+5]; None if there is none."""
    dim = messages.shape[1]
    order = np.argsort(inputs[:, dim])
    r, heavy = inputs[order, dim], 1 / inputs[order, dim + 1]
    line = inputs[order, :dim] / r[:, None]
    along = ((messages - messages.mean(axis=0))[order].astype(float) * line).sum(axis=1)
    width = int(NEAR * len(r))
    if width < FEWEST:
        return None

    def sides(cut: int) -> tuple[slice, np.ndarray, np.ndarray]:
        """Edges near the cut, the terms continuous at it, [edges, 6], and those of a step there, [edges, 2]."""
        here = slice(cut - width, cut + width)
        apart = (r[here] - r[cut]) / (r[here][-1] - r[here][0])
        smooth = np.column_stack([np.ones_like(apart), apart, np.maximum(apart, 0)])
        masses = np.column_stack([np.ones_like(apart), heavy[here]])
        return here, (smooth[:, :, None] * masses[:, None]).reshape(2 * width, -1), masses

    def explained(cut: int) -> float:
        """Share that a jump at the cut explains of what is left; of one too small to count, none."""
        here, smooth, step = sides(cut)
        near = along[here][aside]
        step = np.where(beyond[:, None], step, 0.0)[aside]
        terms = np.column_stack([smooth[aside], step])
        left = [((near - x @ np.linalg.lstsq(x, near, rcond=None)[0]) ** 2).sum() for x in (smooth[aside], terms)]
        size = step @ np.linalg.lstsq(terms, near, rcond=None)[0][-2:]
        size = np.sqrt(2 * (size**2).mean()) / along.std()
        return float(1 - left[1] / left[0]) if size > LARGE else 0.0

    beyond = np.arange(2 * width) >= width
    aside = np.abs(np.arange(2 * width) - width + 0.5) > RAMP * width
    cut = max(np.linspace(width, len(r) - width, GRID).astype(int), key=explained)
    if explained(cut) < MIN_EXPLAINED:
        return None
    # where, of all edges near it, messages change over from the one side's fit to the other's
    here, smooth, step = sides(cut)
    terms = np.column_stack([smooth, np.where(beyond[:, None], step, 0.0)])
    fit = np.linalg.lstsq(terms[aside], along[here][aside], rcond=None)[0]
    within, after = (along[here] - np.column_stack([smooth, side * step]) @ fit for side in (0, 1))
    wrong = np.concatenate([[0.0], np.cumsum(within**2 - after**2)])
    first = here.start + int(np.argmin(wrong))
    hole = int(RAMP * width)
    return Discontinuity(round(float(r[first - 1] + r[first]) / 2, 4), (float(r[cut - hole]), float(r[cut + hole])))
