"""Bootstrap over groups: standard errors of constants, and how often a structure wins again."""

from __future__ import annotations

import numpy as np

from lib.selection.evidence import Evidence
from lib.selection.fitting import Fit, inverse_of, robust_weight, threshold_range

RESAMPLES = 400


def resampled_groups(count: int, seed: int) -> np.ndarray:
    """[resamples, groups], how often each of so many groups is drawn."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)


def standard_errors(fit: Fit, seed: int = 0) -> np.ndarray:
    """[constants], standard deviations over resamples of the groups, each a step of Gauss and Newton from the fit."""
    if not len(fit.constants):
        return np.zeros(0)
    number = np.unique(fit.group, return_inverse=True)[1]
    count = number.max() + 1
    weight = robust_weight(fit.residual)
    flat = number.repeat(fit.residual.shape[1])
    slopes, pull = fit.slopes.reshape(-1, len(fit.constants)), (weight * fit.residual).ravel()
    square = np.sqrt(weight).reshape(-1, 1) * slopes
    order = np.argsort(flat, kind="stable")
    bounds = np.flatnonzero(np.diff(flat[order], prepend=-1))
    information = np.stack([part.T @ part for part in np.split(square[order], bounds[1:])])
    pulls = np.add.reduceat((slopes * pull[:, None])[order], bounds, axis=0)
    steps = []
    for times in resampled_groups(count, seed):
        steps.append(inverse_of(np.tensordot(times, information, 1)) @ (times @ pulls))
    return np.std(steps, axis=0, ddof=1)


def constants(told: Fit, fitted: Fit, evidence: Evidence, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and standard errors [constants] of a law: `told`, and `fitted` to the evidence under deviations [rows].

    A threshold is in the middle of the values that fit as well, and half of their range is its error.
    """
    values, errors = told.constants.copy(), standard_errors(told)
    for k in np.flatnonzero(fitted.family.thresholds):
        low, high = threshold_range(fitted, evidence, deviation, k)
        values[k], errors[k] = (low + high) / 2, (high - low) / 2
    return values, errors


def wins(fits: list[Fit], lengths: list[float], seed: int = 0) -> np.ndarray:
    """[laws], part of the resamples in which each of several laws, with its description length, is the shortest."""
    number = np.unique(fits[0].group, return_inverse=True)[1]
    misfit = np.stack([np.bincount(number, one.misfit) for one in fits])
    rest = np.array(lengths) - misfit.sum(axis=1)
    totals = resampled_groups(misfit.shape[1], seed) @ misfit.T + rest
    return np.bincount(totals.argmin(axis=1), minlength=len(fits)) / len(totals)
