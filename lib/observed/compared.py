"""Laws compared on the same segments of measured positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy

from lib.observed.integrator import Model, residuals_of, slopes_of, with_steps
from lib.observed.multiple_shooting import LOOSE, Minimum, losses_of, minimum
from lib.observed.segments import SHORTEST, Segments
from lib.observed.tracks import Tracks
from lib.selection.fitting import Family, Fit
from lib.selection.law import Law

HOPELESS = 30.0
"""Times the median residual of the best law so far: a law that leaves more is not followed to its minimum."""
SLOW = 1e-3
"""Part of the loss by which each iteration must lower it where laws are compared: a few segments that go astray are found late,
and halved then."""
STRAYED = 3.0
"""A segment went astray if its own residuals, by nine tenths of them, are so many times those of all."""
ITERATIONS, AGAIN = 8, 3
"""Of a fit, and of one from other states. Segments that take more of them are better halved."""
PARAMETERS = 8
"""Segments of laws that are compared are as many as a law with so many constants affords."""


@dataclass(frozen=True)
class _Told:
    """What segments tell of a law."""

    fit: Fit
    starts: np.ndarray
    """[segments, order, n, dim], the states that they start from."""
    spread: np.ndarray
    """[segments], standard deviation of what each leaves, by nine tenths of it, in parts of that of all."""


@dataclass(frozen=True)
class Compared:
    """Segments on which several laws are fitted, so that what they leave can be compared."""

    tracks: Tracks
    kept: Segments
    ties: np.ndarray | None
    known: dict[tuple[sympy.Expr, ...], _Told | None] = field(default_factory=dict, repr=False)
    """Fits by formula: from wherever its constants start, it comes to the same."""
    slow: float = SLOW
    """Part of the loss by which each iteration must lower it."""

    @classmethod
    def of(cls, law: Law, tracks: Tracks, ties: np.ndarray | None, length: int, part: float = 1.0) -> Compared | None:
        """Segments of so many times at most, or so large a part of as many as can be afforded; None if the law follows less
        than half of what was measured in them."""
        segments = tracks.segments(length, PARAMETERS / part, 0)
        family = Family(law)
        return None if segments is None else cls(tracks, segments, ties)._followed(family, family.start, segments)

    def astray(self, fits: Sequence[Fit]) -> np.ndarray:
        """Segments [segments; bool] in which a law of these fits went astray, and that can be halved. Close encounters
        make many local minima, the more the longer a segment is."""
        told = [self.known[tuple(one.family.forms)] for one in fits]
        strayed = [one.spread > STRAYED for one in told if one is not None]
        return np.any([np.zeros(len(self.kept.time), bool), *strayed], axis=0) & (self.kept.counts >= 2 * SHORTEST)

    def closer(self, found: Fit, halved: np.ndarray) -> Compared | None:
        """The segments once more, some [segments; bool] halved, with small steps where a fit now needs them; None where its
        law was not fitted here, or follows less than half of what was measured."""
        told = self.known.get(tuple(found.family.forms))
        if told is None:
            return None
        whole = replace(self.kept, start=told.starts).take(~halved)
        segments = Segments.joined([whole, self.kept.take(halved).halves()])
        return self._followed(found.family, told.fit.constants, segments)

    def _followed(self, family: Family, constants: np.ndarray, segments: Segments) -> Compared | None:
        """The segments with the integrator's steps that follow them closely, halved where none does."""
        model, kept, left = self.tracks.model(family, [], self.ties), [], segments
        while len(left.time):
            left = with_steps(model, constants, left)
            kept.append(left.take(left.steps > 0))
            left = left.take((left.steps == 0) & (left.counts >= 2 * SHORTEST)).halves()
        found = Segments.joined(kept)
        found = found.take(np.lexsort((found.counts, found.steps)))
        if not found.measured > segments.measured / 2:
            return None
        return Compared(self.tracks, found, self.ties, slow=self.slow)

    def fit(self, law: Law) -> Fit | None:
        """A law fitted to these segments: residuals and slopes in parts of the noise estimated from the data, rows by
        segment, time, quantity and body, the segments' states eliminated. None where it cannot be followed."""
        family = Family(law)
        if (formula := tuple(family.forms)) not in self.known:
            self.known[formula] = self._fit(family, family.start, self.kept)
        found = self.known[formula]
        return None if found is None else found.fit

    def again(self, law: Law) -> Fit | None:
        """A law once more, from each segment's best state of all laws'; in close encounters states have many local minima."""
        family = Family(law)
        formula = tuple(family.forms)
        if (told := self.known[formula]) is None:
            return None
        model = self.tracks.model(family, [], self.ties)
        constants, scale = told.fit.constants, float(np.median(np.abs(told.fit.residual))) / 0.6745
        states = [told.starts, *(one.starts for one in self.known.values() if one is not None and one is not told)]
        losses = np.stack([losses_of(residuals_of(model, constants, one, self.kept), scale) for one in states])
        if losses.min(0).sum() < (1 - self.slow) * losses[0].sum():
            start = np.stack(states)[losses.argmin(0), np.arange(losses.shape[1])]
            trial = self._fit(family, constants, replace(self.kept, start=start), AGAIN, 1.0)
            if trial is not None and trial.fit.misfit.sum() < told.fit.misfit.sum():
                self.known[formula] = told = trial
        return told.fit

    def _fit(
        self,
        family: Family,
        constants: np.ndarray,
        segments: Segments,
        iterations: int = ITERATIONS,
        loose: float = LOOSE,
    ) -> _Told | None:
        model = self.tracks.model(family, [], self.ties)
        if not np.isfinite(residuals_of(model, constants, segments.start, segments)).all():
            return None
        best = min((np.median(np.abs(one.fit.residual)) for one in self.known.values() if one is not None), default=np.inf)
        fitted = minimum(model, constants, ~family.thresholds, segments, HOPELESS * float(best), self.slow, iterations, loose)
        if not np.isfinite(fitted.covariance).all():
            return None
        residual, slopes = _reduced(model, fitted, segments)
        dim, seen = segments.values.shape[-1], (segments.weight > 0).reshape(-1)
        group = np.repeat(segments.trajectory, seen.size // len(segments.time))
        rows = residual.reshape(-1, dim)[seen], slopes.reshape(seen.size, dim, len(family.start))[seen]
        sizes = np.where(np.repeat(seen, dim).reshape(residual.shape), np.abs(residual), np.nan)
        spread = np.nanquantile(sizes, 0.9, axis=1) / 1.645 / max(fitted.scale, np.finfo(float).tiny)
        return _Told(Fit(family, fitted.parameters, *rows, group[seen]), fitted.starts, spread)


def _reduced(model: Model, fitted: Minimum, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Residuals, measured less followed, [segments, numbers], and slopes of what is followed in the parameters [segments,
    numbers, parameters], less what the segments' states take up of them; over the noise."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for residual, slopes in slopes_of(model, fitted.parameters, fitted.starts, segments):
        own, states = np.split(slopes, [len(fitted.parameters)], axis=1)
        found.append((-residual, own - states @ np.linalg.lstsq(states, own, rcond=1e-10)[0]))
    residuals, reduced = zip(*found, strict=True)
    return np.stack(residuals), np.stack(reduced)
