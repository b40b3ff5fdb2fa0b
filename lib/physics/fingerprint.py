"""What decides a law's trajectories, in one short text: two laws of one fingerprint move the same bodies alike.

Functions are told apart by what they give, not by how they are written: accelerations of the bodies that a law
draws, with their places scaled so that pairs are met at all distances. Numbers enter with six digits, since other
processors round otherwise.
"""

from __future__ import annotations

import hashlib
from functools import cache, partial

import jax
import numpy as np
from scipy.special import ndtri

from lib.physics.compilation import keep_programs
from lib.physics.laws import Law
from lib.physics.simulate import acceleration

DRAWS = 8
"""Systems of bodies drawn."""
SCALES = np.geomspace(0.05, 20, 24)
"""Factors of their positions."""
GOLDEN = (np.sqrt(5) - 1) / 2
NEGLIGIBLE = 1e-12
"""Part of the largest number below which one is taken for zero: it is what rounding left."""


class _EvenNormal:
    """Normal numbers evenly spread over their distribution, the same in every version of NumPy."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape))
        ranks = np.arange(self.drawn, self.drawn + count) + 0.5
        self.drawn += count
        return ndtri(ranks * GOLDEN % 1.0).reshape(shape)


@cache
def fingerprint(law: Law, n: int, dim: int) -> str:
    """SHA-256 of what n bodies under the law begin with and how they accelerate, in hexadecimal."""
    normal = _EvenNormal()
    initial = np.stack([law.initial(n, dim, normal) for _ in range(DRAWS)])
    scaled = np.repeat(initial[None], len(SCALES), axis=0)
    scaled[..., :dim] *= SCALES[:, None, None, None]
    keep_programs()
    systems = np.moveaxis(scaled.reshape(-1, *initial.shape[1:]), 0, -1)
    numbers = np.concatenate([initial.ravel(), np.asarray(jax.jit(partial(acceleration, law))(systems)).ravel()])
    size = np.abs(numbers[np.isfinite(numbers)]).max(initial=0.0)
    numbers = np.where(np.abs(numbers) < NEGLIGIBLE * size, 0.0, numbers)
    return hashlib.sha256(" ".join(f"{number:.5e}" for number in numbers).encode()).hexdigest()
