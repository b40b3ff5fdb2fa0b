"""Unexplained variance: what a formula leaves of a quantity, and how much may be left of formulas of many bodies."""

from __future__ import annotations

import numpy as np

INSIDE = 1e-3
"""Fraction of an expression's variance that the law may leave unexplained in distribution."""
OUTSIDE = 1e-2
"""The same out of distribution."""


def unexplained(true: np.ndarray, fitted: np.ndarray, centre: np.ndarray) -> float:
    """SSE/SST about a centre; infinite where anything is not finite or nothing varies."""
    total = ((true - centre) ** 2).sum()
    fraction = ((true - fitted) ** 2).sum() / total if total > 0 else np.inf
    return float(fraction) if np.isfinite(fraction) else np.inf
