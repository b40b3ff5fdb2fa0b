"""Checks of a fitted law: whether what it leaves is noise, and whether it holds where it was not fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from lib.selection.evidence import Evidence
from lib.selection.fitting import Fit, fit, robust_square, robust_weight
from lib.selection.law import Law
from lib.selection.structure import Dictionary, Term

STRUCTURED = 0.1
"""Correlation of what is left at one time and at the next, above which it is no noise."""
ERRORS = 5.0
"""Standard errors by which such a correlation must exceed zero."""
EXPLAINED = 0.05
"""Part of what is left that all terms together may explain on held-out groups."""
EXACT = 0.4
"""Median residual, in standard deviations of at least rounding, below which nothing but rounding is left (noise: 0.67)."""
NOTHING = 1e-3
"""Size of a target, relative to the typical, below which nothing happens."""
TENTH = 0.1
REGION = 1.5
"""Held-out regions may be predicted so many times worse than the rest, in units of what is expected there."""
POLE = 50.0
"""Size of a pair's rate, relative to the largest on the grid's typical part, that is a pole."""


@dataclass(frozen=True)
class Residuals:
    """What a law leaves."""

    correlation: float
    """Of residuals, in standard deviations, of the same body one step apart; nan if there are no steps."""
    standard_error: float
    explained: float
    """Part of the residuals' variance that all terms explain on held-out groups; at most 0 where they explain nothing."""
    exact: bool = False
    """Whether all that is left is rounding."""

    @property
    def is_noise(self) -> bool:
        """Whether nothing in it hangs together."""
        correlated = self.correlation > max(STRUCTURED, ERRORS * self.standard_error)
        return self.exact or (not correlated and self.explained < EXPLAINED)


def residuals(found: Fit, evidence: Evidence, terms: list[Term]) -> Residuals:
    """What a law leaves, checked in time and against all terms."""
    z = found.residual * np.sqrt(robust_weight(found.residual))
    here = np.flatnonzero(evidence.successor >= 0)
    if len(here) > 20:
        products = (z[here] * z[evidence.successor[here]]).ravel()
        variance = float((z**2).mean())
        correlation, error = float(products.mean()) / variance, float(products.std()) / np.sqrt(len(products)) / variance
    else:
        correlation, error = float("nan"), float("inf")
    # in standard deviations times the scale that the dictionary divides by, so that its weights undo each other
    size = evidence.typical + np.linalg.norm(evidence.target, axis=1)
    left = Dictionary.of(evidence, terms, target=z * (size * evidence.spread)[:, None])
    everything = list(range(len(terms)))
    explained = 1 - float(left.held_out(everything).sum() / left.held_out([]).sum())
    # rows where nothing happens are explained by any law
    tells = np.linalg.norm(evidence.target, axis=1) > NOTHING * evidence.typical
    return Residuals(correlation, error, explained, bool(np.median(np.abs(found.residual[tells])) < EXACT))


def in_middle(evidence: Evidence) -> np.ndarray:
    """[rows], whether a row has only distances and bodies of the middle: neither the nearest nor the farthest tenth of
    distances, neither the lightest nor the heaviest tenth of bodies."""
    edges = evidence.motion.edges
    low, high = np.quantile(edges.r, [TENTH, 1 - TENTH])
    outside = abs(evidence.average) @ (evidence.motion.received @ ((edges.r < low) | (edges.r > high)).astype(float)) > 0
    for values in evidence.motion.properties.values():
        if np.ptp(values) > 0:
            low, high = np.quantile(values, [TENTH, 1 - TENTH])
            outside |= (evidence.average != 0) @ ((values < low) | (values > high)).astype(float) > 0
    return ~outside


def region_misfit(law: Law, evidence: Evidence, deviation: np.ndarray) -> float:
    """Mean robust square, per component, on held-out regions of a law fitted without them; 1 for noise alone.

    What the constants' own uncertainty adds is allowed for.
    """
    middle = in_middle(evidence)
    if middle.sum() < 50 or (~middle).sum() < 20:
        return 1.0
    inner = fit(law, evidence.take(middle), deviation[middle])
    outer = evidence.take(~middle)
    value, slopes = inner.family.predict(outer, inner.constants)
    allowed = np.einsum("rap,pq,raq->ra", slopes, inner.covariance, slopes)
    z = (outer.target - value) / np.sqrt(deviation[~middle][:, None] ** 2 + allowed)
    return float(np.mean(robust_square(z)))


def has_pole(law: Law, evidence: Evidence) -> bool:
    """Whether a pair's rate has no value, or a pole, between the nearest and the farthest pair of the data."""
    pairs = evidence.motion.pair_columns()
    grid = np.geomspace(pairs["r"].min(), pairs["r"].max(), 4000)
    symbols = [sympy.Symbol(name, real=True) for name in pairs]
    rows = np.random.default_rng(0).integers(len(pairs["r"]), size=20)
    for form in (law.radial, law.transverse):
        if form == 0:
            continue
        function = sympy.lambdify(symbols, form, "numpy")
        for row in rows:
            with np.errstate(all="ignore"):
                inputs = [grid if name == "r" else np.full(len(grid), column[row]) for name, column in pairs.items()]
                values = np.broadcast_to(np.asarray(function(*inputs), float), grid.shape)
            if not np.isfinite(values).all():
                return True
            # a pole changes the sign while it grows without bound on both sides
            size = np.abs(values)
            turns = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
            if any(min(size[k], size[k + 1]) > POLE * np.median(size) for k in turns):
                return True
    return False
