"""Jumps: the distance at which a reading is torn, found without the truth, and given to the search as an input.

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
import sympy

from lib.symbolic import parse, simplest

INDICATOR = "beyond"
"""Name of the input that is 1 beyond the jump and 0 within."""
NEAR = 0.02
"""Share of edges, nearest in distance, that are fitted on either side."""
FEWEST = 200
"""Edges on either side below which nothing is looked for: they may come from few trajectories."""
GRID = 200
"""Distances tried, at quantiles; the best is then refined to the edge."""
WORTH = 0.5
"""Share of what a continuous fit leaves unexplained that a jump must explain."""
LARGE = 0.1
"""Root mean square of the step, against the spread of all messages, from which on it is a jump."""


@dataclass(frozen=True)
class Jump:
    """A distance at which messages jump."""

    at: float

    def names(self, names: list[str]) -> list[str]:
        """An edge's names and the indicator's."""
        return [*names, INDICATOR]

    def indicator(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs [edges, dim+6]: those of edges [edges, dim+5] and whether r lies beyond."""
        r = inputs[:, [inputs.shape[1] - 5]]
        return np.column_stack([inputs, (r > self.at).astype(float)])

    def written_out(self, text: str, names: list[str]) -> str:
        """An expression in the edge's `names` and the indicator as what it says beyond the jump, and within."""
        parsed, symbol = parse(text, self.names(names)), sympy.Symbol(INDICATOR, real=True)
        beyond, within = (simplest(parsed.xreplace({symbol: sympy.Integer(side)})) for side in (1, 0))
        return str(sympy.Piecewise((beyond, sympy.Symbol("r", real=True) > self.at), (within, True)))


def find(inputs: np.ndarray, messages: np.ndarray) -> Jump | None:
    """The jump of messages [edges, dim], components along the axes, over inputs [edges, dim+5]; None if there is none."""
    dim = messages.shape[1]
    order = np.argsort(inputs[:, dim])
    r, heavy = inputs[order, dim], 1 / inputs[order, dim + 1]
    line = inputs[order, :dim] / r[:, None]
    along = ((messages - messages.mean(axis=0))[order].astype(float) * line).sum(axis=1)
    width = int(NEAR * len(r))
    if width < FEWEST:
        return None

    def explained(cut: int) -> tuple[float, float]:
        """Of a jump before edge `cut`: the share it explains of what is left, and its size."""
        here = slice(cut - width, cut + width)
        apart = (r[here] - (r[cut - 1] + r[cut]) / 2) / (r[here][-1] - r[here][0])
        after = (apart > 0).astype(float)
        terms = np.column_stack([np.ones_like(apart), apart, np.maximum(apart, 0), after])
        terms = np.column_stack([terms, terms * heavy[here, None]])[:, [0, 1, 2, 4, 5, 6, 3, 7]]
        smooth, torn = (np.linalg.lstsq(terms[:, :columns], along[here], rcond=None)[0] for columns in (6, 8))
        left = [((along[here] - terms[:, : len(fit)] @ fit) ** 2).sum() for fit in (smooth, torn)]
        size = np.sqrt(np.mean((terms[:, 6:] @ torn[6:])[apart > 0] ** 2))
        return 1 - left[1] / max(left[0], 1e-300), float(size / along.std())

    coarse = np.linspace(width, len(r) - width, GRID).astype(int)
    first = max(coarse, key=lambda cut: explained(cut)[0])
    gap = coarse[1] - coarse[0]
    fine = np.unique(np.clip(np.arange(first - gap, first + gap + 1, max(1, gap // 100)), width, len(r) - width))
    cut = max(fine, key=lambda cut: explained(cut)[0])
    share, size = explained(cut)
    return Jump(float(r[cut - 1] + r[cut]) / 2) if share > WORTH and size > LARGE else None
