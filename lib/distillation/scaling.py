"""Units in which numbers are of order one, as engines expect them: Operon counts in single precision.

Nothing is shifted: forms such as dx / r hold in any unit, but not about another origin. So a search finds the same
whatever the units of its data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from lib.distillation.expressions import symbols

CONSTANT = 1e-12
"""Spread, as a part of their size, below which numbers are one number and its rounding."""


def spread(values: np.ndarray) -> float:
    """Standard deviation of values [rows]; their size where they do not vary, and 1 where they are zero."""
    size = float(np.sqrt(np.mean(values**2)))
    deviation = float(values.std())
    return deviation if deviation > CONSTANT * size else size or 1.0


@dataclass(frozen=True)
class Units:
    """Units of inputs and of the target."""

    inputs: np.ndarray
    """[inputs]"""
    target: float

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> Units:
        """Of inputs [rows, inputs] by their root mean square, of targets [rows] by their spread."""
        size = np.sqrt(np.mean(x**2, axis=0))
        return cls(np.where(size > 0, size, 1.0), spread(y))

    def restored(self, expression: sympy.Expr, names: list[str]) -> sympy.Expr:
        """An expression found for scaled numbers, for the numbers as they were."""
        units = zip(symbols(names).values(), self.inputs, strict=True)
        return sympy.Float(self.target) * expression.xreplace({symbol: symbol / sympy.Float(unit) for symbol, unit in units})
