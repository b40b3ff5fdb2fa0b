"""The noise of a measurement, from the measurement alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from lib.observed.batches import Batch, batches_of
from lib.observed.recording import Experiment

HIGHEST_ORDER = 12
LONGEST = 2.0
"""Spans of differences beyond this many times their median are over gaps, and left out."""
TOLERANCE = 0.05
"""Relative: an estimate that higher orders lower by less has stopped falling."""
CLIP = 2.5
"""Differences beyond this many standard deviations are of fast motion or outliers, and left out."""
MEDIAN = float(norm.ppf(0.5 + (norm.cdf(CLIP) - 0.5) / 2))
"""Median of the size of a standard normal number that is clipped there."""
CLIPPINGS = 6
SAMPLE = 100
"""Experiments that all orders are tried on."""


@dataclass(frozen=True)
class Noise:
    """White noise of a quantity's components."""

    standard_deviation: float
    """Of `SAMPLE` experiments together, evenly among all; NaN where no body was measured three times."""
    by_experiment: np.ndarray
    """[experiments], NaN likewise."""
    order: int
    """Order of the differences it was read from."""
    by_order: np.ndarray
    """[orders], the estimates of order 1, 2, ..: the last ones are level if the noise is seen and not the motion."""


def difference_weights(time: np.ndarray, order: int) -> np.ndarray:
    """Weights of divided differences of values at `time` [times], each row scaled to unit norm, [times - order, order + 1].

    They vanish on polynomials of a lower degree, and white noise keeps its standard deviation.
    """
    windows = np.lib.stride_tricks.sliding_window_view(time, order + 1)
    gaps = windows[:, :, None] - windows[:, None, :]
    gaps[:, np.arange(order + 1), np.arange(order + 1)] = 1.0
    gaps = gaps / np.abs(gaps).max((1, 2), keepdims=True)
    weights = 1 / gaps.prod(2)
    return weights / np.linalg.norm(weights, axis=1, keepdims=True)


def _differences(batch: Batch, order: int) -> Iterator[np.ndarray]:
    """Of each group of bodies measured at the same times, [experiments, values]; a path that never changes tells nothing."""
    for pattern in np.unique(batch.measured, axis=1).T:
        if pattern.sum() <= order:
            continue
        time = batch.time[pattern]
        spans = time[order:] - time[:-order]
        kept = spans <= LONGEST * np.median(spans)
        paths = batch.values[:, :, (batch.measured == pattern[:, None]).all(0)][:, pattern]
        paths = paths.reshape(len(paths), len(time), -1)
        windows = np.lib.stride_tricks.sliding_window_view(paths, order + 1, axis=1)[:, kept]
        found = np.einsum("ewcp,wp->ewc", windows, difference_weights(time, order)[kept])
        still = np.ptp(paths, axis=1) == 0
        yield np.where(still[:, None], np.nan, found).reshape(len(found), -1)


def _size(differences: np.ndarray) -> float:
    """Standard deviation by the median of what is left after clipping, which fast or wrong rows do not move."""
    sizes = np.abs(differences[np.isfinite(differences)])
    found = float(np.median(sizes)) / float(norm.ppf(0.75))
    for _ in range(CLIPPINGS):
        found = float(np.median(sizes[sizes <= CLIP * found])) / MEDIAN
    return found


def noise_of(experiments: Sequence[Experiment], quantity: str = "position", box: np.ndarray | None = None) -> Noise:
    """White noise of `position`, `velocity` or `acceleration`, whose motion higher differences take away.

    The order is the least whose estimate no higher order lowers by more than `TOLERANCE` and two of its own standard
    errors: at lower ones the motion still shows. Times may be irregular and rows missing. Motion that is not resolved by
    the times is not told from noise. Of exact data it gives their rounding.
    """
    sizes, counts = [], []
    batches = batches_of(experiments[:: -(-len(experiments) // SAMPLE) or 1], quantity, box)
    for order in range(1, HIGHEST_ORDER + 1):
        found = [one.ravel() for batch in batches for one in _differences(batch, order)]
        counts.append(sum(int(np.isfinite(one).sum()) for one in found))
        if not counts[-1]:
            break
        sizes.append(_size(np.concatenate(found)))
    by_order = np.array(sizes)
    by_experiment = np.full(len(experiments), np.nan)
    if not len(by_order):
        return Noise(float("nan"), by_experiment, 0, by_order)
    allowed = 1 + TOLERANCE + 2 * np.sqrt(1.36 / np.array(counts[: len(by_order)]))  # of a median's relative variance
    level = np.minimum.accumulate(by_order[::-1])[::-1]
    order = 1 + int(np.argmax(by_order <= allowed * level))
    for batch in batches_of(experiments, quantity, box):
        found = [*_differences(batch, order)]
        if found:
            own = np.concatenate(found, axis=1)
            for row in np.flatnonzero(np.isfinite(own).any(1)):
                by_experiment[batch.members[row]] = _size(own[row])
    return Noise(float(by_order[order - 1]), by_experiment, order, by_order)
