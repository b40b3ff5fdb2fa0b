"""Held-out data of a recording: the best law with constants of the other data, and what it says of these.

Held out are a fifth of the trajectories; where there are few, the last fifth of each trajectory's times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.observed.discover import Discovery
from lib.observed.evidence import FEW, STRETCHES
from lib.selection.announce import FINAL_EDGES
from lib.selection.choice import noise, relative_deviation
from lib.selection.evidence import Evidence
from lib.selection.fitting import deviations, fit
from lib.selection.law import Law

HELD_OUT = 5
"""One in so many is held out."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions for rows that the constants were not fitted to; the structure was chosen on all."""

    law: Law
    """With constants of the other rows."""
    evidence: Evidence
    """The rows held out."""
    prediction: np.ndarray
    """[rows, dim]"""
    deviation: np.ndarray
    """[rows, dim], of the noise, as the law leaves it on the other rows, and of what errors of the constants make."""
    whole_trajectories: bool
    """Whether whole trajectories are held out, else the last part of each."""

    @property
    def residual(self) -> np.ndarray:
        """[rows, dim], target less prediction, in standard deviations."""
        return (self.evidence.target - self.prediction) / self.deviation

    @property
    def chi_square(self) -> float:
        """Mean square of residuals in standard deviations: 1 for noise alone."""
        return float(np.mean(self.residual**2))

    @property
    def trajectories(self) -> np.ndarray:
        """Numbers of the experiments of which data are held out."""
        return np.unique(self.evidence.motion.trajectory)


def held_out(discovery: Discovery) -> HeldOut:
    """The best law of a discovery, announced or not, judged on data that its constants were not fitted to."""
    evidence = discovery.evidence.sample(FINAL_EDGES, 2)
    few = len(np.unique(discovery.evidence.motion.trajectory)) < FEW
    chosen = _last(discovery.evidence, evidence) if few else evidence.folds(HELD_OUT) == 0
    inside, outside = evidence.take(~chosen), evidence.take(chosen)
    found = fit(discovery.announcement.law, inside, relative_deviation(inside))
    found = fit(found.law, inside, noise(found, inside))
    known = found.family.value(inside, found.constants)
    prediction, slopes = found.family.predict(outside, found.constants)
    scale = deviations(inside, inside.target - known, known) / inside.spread
    size = np.linalg.norm(known, axis=1)
    order = np.argsort(size)
    own = outside.spread * np.interp(np.linalg.norm(prediction, axis=1), size[order], scale[order])
    by_constants = np.einsum("rap,pq,raq->ra", slopes, found.covariance, slopes)
    deviation = np.sqrt(own[:, None] ** 2 + np.maximum(by_constants, 0.0))
    return HeldOut(found.law, outside, prediction, deviation, not few)


def _last(whole: Evidence, evidence: Evidence) -> np.ndarray:
    """[rows; bool], the rows of the last stretches of each trajectory."""
    each = -(-STRETCHES // len(np.unique(whole.motion.trajectory)))
    return evidence.group % each >= each - max(each // HELD_OUT, 1)
