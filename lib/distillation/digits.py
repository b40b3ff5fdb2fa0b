"""Constants with no more significant digits than they need."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MOST = 8
"""Significant digits that are tried."""


def short(value: float, digits: int) -> float:
    """A value to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def fewest_digits(values: np.ndarray, acceptable: Callable[[np.ndarray], bool]) -> np.ndarray:
    """Values with the fewest significant digits, as many for all, that are acceptable; as they are if none are."""
    for digits in range(2, MOST + 1):
        found = np.array([short(value, digits) for value in values])
        if acceptable(found):
            return found
    return values
