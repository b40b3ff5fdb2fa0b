"""Paths in a periodic box without the leaps that wrapping makes."""

from __future__ import annotations

import numpy as np


def unwrapped(position: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """Positions [times, ..., dim] as continuous paths; NaN where they are missing; as they are without a box.

    Between two measured rows a body is taken to have moved by less than half a period.
    """
    if box is None:
        return position
    flat = position.reshape(len(position), -1, position.shape[-1])
    found = flat.copy()
    for body in range(flat.shape[1]):
        measured = np.isfinite(flat[:, body]).all(1)
        for axis, period in enumerate(box):
            found[measured, body, axis] = np.unwrap(flat[measured, body, axis], period=period)
    return found.reshape(position.shape)
