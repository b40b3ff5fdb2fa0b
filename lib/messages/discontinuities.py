"""Discontinuities: the distance at which messages jump, found without the truth, so that each side is searched by itself.

Sums, products and quotients cannot express a force that sets in at a distance. Near a distance c, the component of
messages along the line between the bodies is fitted as a continuous function of r with a kink at c, and again with a
step at c besides, each over the receiver's mass as the gauge may have it:

    m . u = (1, 1/m1) x (1, r - c, max(r - c, 0), [r > c])

Messages are discontinuous at c if the step explains much of what the continuous function leaves (a regression
discontinuity design: Thistlethwaite and Campbell, 1960).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.physics.forces import Pairs

WINDOW = 0.05
"""Fraction of the edges, those nearest in distance, that are fitted on either side."""
TRANSITION = 0.5
"""Fraction of these, the nearest, that are left out: a network passes from one side to the other over some distance."""
MIN_EDGES = 500
"""Edges in the window below which no discontinuity is looked for: they may come from few trajectories."""
CANDIDATES = 200
"""Distances tried, at quantiles."""
MIN_EXPLAINED = 0.2
"""Fraction of the continuous fit's residual sum of squares that the step must explain."""
MIN_STEP = 0.1
"""Least root mean square of the step, in standard deviations of all messages."""


@dataclass(frozen=True)
class Discontinuity:
    """A distance at which messages are discontinuous."""

    at: float
    transition: tuple[float, float]
    """Distances between which a network's messages may lie between the two sides."""

    def outside_transition(self, inputs: np.ndarray) -> np.ndarray:
        """Mask of the edges [edges, dim+5] outside the transition."""
        r = Pairs(inputs).r
        return (r < self.transition[0]) | (r > self.transition[1])

    def sides(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Masks of the edges [edges, dim+5] beyond the discontinuity, and within it."""
        beyond = Pairs(inputs).r > self.at
        return beyond, ~beyond


def find(inputs: np.ndarray, messages: np.ndarray) -> Discontinuity | None:
    """The discontinuity of messages [edges, dim], components along the axes, over inputs [edges, dim+5]; None without one."""
    order = np.argsort(Pairs(inputs).r)
    pairs = Pairs(inputs[order])
    r, inverse_mass = pairs.r, 1 / pairs.m1
    along = ((messages - messages.mean(axis=0))[order].astype(float) * pairs.line).sum(axis=1)
    width = int(WINDOW * len(r))
    if width < MIN_EDGES:
        return None

    def near(cut: int) -> tuple[slice, np.ndarray, np.ndarray]:
        """Edges in the window about the cut, the terms continuous at it, [edges, 6], and those of a step there, [edges, 2]."""
        window = slice(cut - width, cut + width)
        distance = (r[window] - r[cut]) / (r[window][-1] - r[window][0])
        continuous = np.column_stack([np.ones_like(distance), distance, np.maximum(distance, 0)])
        masses = np.column_stack([np.ones_like(distance), inverse_mass[window]])
        return window, (continuous[:, :, None] * masses[:, None]).reshape(2 * width, -1), masses

    def explained(cut: int) -> float:
        """Fraction of the residual sum of squares that a step at the cut explains; 0 of a step that is too small."""
        window, continuous, step = near(cut)
        target, continuous = along[window][fitted], continuous[fitted]
        step = np.where(beyond[:, None], step, 0.0)[fitted]
        terms = np.column_stack([continuous, step])
        rest, rest_with_step = (
            ((target - x @ np.linalg.lstsq(x, target, rcond=None)[0]) ** 2).sum() for x in (continuous, terms)
        )
        size = step @ np.linalg.lstsq(terms, target, rcond=None)[0][-2:]
        size = np.sqrt(2 * (size**2).mean()) / along.std()
        return float(1 - rest_with_step / rest) if size > MIN_STEP else 0.0

    beyond = np.arange(2 * width) >= width
    fitted = np.abs(np.arange(2 * width) - width + 0.5) > TRANSITION * width
    cut = max(np.linspace(width, len(r) - width, CANDIDATES).astype(int), key=explained)
    if explained(cut) < MIN_EXPLAINED:
        return None
    # of all edges in the window: where the fit of the one side begins to be worse than that of the other
    window, continuous, step = near(cut)
    terms = np.column_stack([continuous, np.where(beyond[:, None], step, 0.0)])
    fit = np.linalg.lstsq(terms[fitted], along[window][fitted], rcond=None)[0]
    within, after = (along[window] - np.column_stack([continuous, side * step]) @ fit for side in (0, 1))
    excess = np.concatenate([[0.0], np.cumsum(within**2 - after**2)])
    first = window.start + int(np.argmin(excess))
    left_out = int(TRANSITION * width)
    return Discontinuity(round(float(r[first - 1] + r[first]) / 2, 4), (float(r[cut - left_out]), float(r[cut + left_out])))
