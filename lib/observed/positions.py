"""The choice by measured positions: where rates were not measured, laws are compared through the integrator.

Averages over windows (the weak form) find the law's form, but each carries errors that are no noise, of the smoothing and of
the law's curvature. Positions carry the noise alone, so that what a formula needs is decided by them.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy

from lib.observed.compared import Compared
from lib.observed.recording import Recording
from lib.observed.segments import SHORTEST
from lib.observed.shooting import ASTRAY
from lib.observed.tracks import Tracks
from lib.selection.choice import Scored
from lib.selection.description_length import description_length
from lib.selection.evidence import Evidence
from lib.selection.fitting import Fit, fit
from lib.selection.followed import DECIDES, Followed
from lib.selection.law import Law
from lib.selection.moves import is_defined, joined, shorter, softened

log = logging.getLogger(__name__)

_Named = tuple[Scored, Law]
"""A law with its constants, and where it comes from."""

CHANGED = 3
"""Laws, best first, that are softened and made shorter."""
NEAR = 4
"""Times so many are segments shorter on which constants are fitted first."""
KEPT = 5
"""Laws that are fitted again: on longer segments, and on those that the best of them follows."""
FINE = 1e-5
"""Part of the loss by which each iteration must lower it at last: less than a nat."""
CLOSER = 4
"""Times at most that laws are fitted: once more where steps and states are right, and while one goes astray somewhere."""
SAME = 0.03
"""Standard deviations of noise within which laws say the same."""
HELPS = 3.0
"""Nats by which a softened distance must fit better for others to be tried."""
BEHIND = 1000.0
"""Nats behind the best beyond which a law is not looked at further."""
FINAL = 3
"""Laws that are told ..."""
CLOSE = 10.0
"""... and nats behind the best within which their constants are fitted to the end."""


@dataclass(frozen=True)
class ByPositions:
    """Compares laws on the positions of a recording, with learned properties and ties if there are any."""

    recording: Recording
    order: int
    scalars: Mapping[str, np.ndarray]
    """Learned properties, each [n]."""
    ties: np.ndarray | None
    """[n, n; bool], which pairs act, where not all do."""

    def __call__(self, found: list[Scored], evidence: Evidence, deviation: np.ndarray) -> list[Scored]:
        """The laws by description length on positions, made shorter where these allow it; none where positions do not decide.

        Segments are halved until a law follows them to their noise. Positions do not decide where straight lines nearly do.
        Longer ones then tell its constants, and no more: a few of them, with close encounters, lead every law astray, each in
        its own way.
        """
        tracks = Tracks.of(self.recording, self.order, self.scalars)
        ranked, length, compared = self._followed(found, tracks)
        if not ranked:
            log.info("no formula can be followed through the integrator: chosen by averages over windows alone")
            return []
        best, ranked = ranked[0].shot, ranked[:FINAL]
        if not best.decides:
            log.info("straight lines have %.1f times the loss of the best law: chosen by averages", best.lost)
            return []
        if not best.strays:
            ranked = self._precise(ranked, compared)
            for longer in tracks.lengths[1:] if length == tracks.lengths[0] else ():
                log.info("their constants, in segments of %d times", longer)
                _, compared = _settled(
                    [(ranked[0], ranked[0].law)], self._compared([(ranked[0], ranked[0].law)], tracks, longer)
                )
                ranked = self._precise(ranked, compared)
        return [replace(one, fit=fit(one.law, evidence, deviation)) for one in ranked]

    def _followed(self, found: list[Scored], tracks: Tracks) -> tuple[list[Scored], int, Compared | None]:
        """The laws on the longest segments that the best of them follows, and their measured times; none if it follows none."""
        ranked, length, tried, compared = [], tracks.lengths[0], tracks.lengths[0], None
        while tried >= SHORTEST:
            log.info("laws on measured positions, in segments of %d times", tried)
            again, shorter = self._ranked([*ranked[:FINAL], *found], tracks, tried)
            if not again or (ranked and not again[0].shot.decides):
                break
            ranked, length, tried, compared = again, tried, tried // 2, shorter
            if not ranked[0].shot.strays:
                break
        return ranked, length, compared

    def _precise(self, ranked: list[Scored], compared: Compared | None) -> list[Scored]:
        """The first laws with constants fitted to the end, where these segments leave the same noise."""
        closer = None if compared is None else compared.closer(ranked[0].told, np.zeros(len(compared.kept.time), bool))
        if closer is None:
            return ranked
        closer = replace(closer, slow=0.0)
        close = [one.length < ranked[0].length + CLOSE and closer.fit(one.law) is not None for one in ranked]
        return [_with_precise(one, closer.again(one.law)) if near else one for one, near in zip(ranked, close, strict=True)]

    def _ranked(self, offered: list[Scored], tracks: Tracks, length: int) -> tuple[list[Scored], Compared | None]:
        """Laws by description length on segments of so many times that the first of them follows, and these; none if it does
        not."""
        laws = [(one, one.law) for one in offered]
        laws = (nearer := self._nearer(laws, tracks, max(length // NEAR, SHORTEST))) or laws
        fitted, compared = _settled(laws, self._compared(laws, tracks, length))
        if not fitted:
            return [], None
        if not nearer:
            fitted += _softer(fitted, compared)
        free = _without_force(compared, fitted[0][1].law)
        left = _Left(min(_scale(shot) for _, shot in fitted), free)
        known = {scored.text: scored for one, shot in fitted for scored in [left.scored(one, shot)]}
        ordered = sorted(known.values(), key=lambda each: each.length)
        for one in [each for each in ordered[:CHANGED] if each.length < ordered[0].length + BEHIND]:
            shortest = _shortened(one, compared, left)
            known[shortest.text] = shortest
        return sorted(known.values(), key=lambda each: each.length), compared

    def _compared(self, laws: list[_Named], tracks: Tracks, length: int, part: float = 1.0) -> Compared | None:
        """Segments of so many times, or a part of them, that the first of the laws follows which follows any."""
        some = (Compared.of(law, tracks, self.ties, length, part) for _, law in laws)
        return next((one for one in some if one is not None), None)

    def _nearer(self, laws: list[_Named], tracks: Tracks, length: int) -> list[_Named]:
        """The laws, and the best of them softened, with constants of short segments, in which fewer go astray; best first.

        None where segments as short as that do not tell laws apart.
        """
        compared = self._compared(laws, tracks, length, 1 / NEAR)
        fitted = [] if compared is None else _fitted(laws, compared)
        if not fitted:
            return []
        free = _without_force(compared, fitted[0][1].law)
        if free is not None and free.misfit.sum() < DECIDES * _misfit(fitted[0]):
            return []
        return [(one, shot.law) for one, shot in _front(fitted + _softer(fitted, compared))]


@dataclass(frozen=True)
class _Left:
    """What laws leave of positions, in parts of the estimated noise."""

    least: float
    """By the law that leaves least; laws are compared on it."""
    free: Fit | None
    """Straight lines, each body alone; None if these are not followed either."""

    def scored(self, one: Scored, shot: Fit) -> Scored:
        """A law by its fit to positions."""
        scaled = _over(shot, self.least)
        free = lost = np.inf
        if self.free is not None:
            free, lost = _scale(self.free), float(_over(self.free, self.least).misfit.sum() / scaled.misfit.sum())
        return replace(one, shot=Followed(scaled, _scale(shot), free, lost), length=description_length(scaled))


def _misfit(fitted: tuple[Scored, Fit]) -> float:
    return float(fitted[1].misfit.sum())


def _with_precise(one: Scored, shot: Fit) -> Scored:
    if one.shot is None or _scale(shot) > ASTRAY * one.shot.scale:
        return one
    return replace(one, shot=replace(one.shot, precise=_over(shot, _scale(shot))))


def _over(shot: Fit, scale: float) -> Fit:
    return replace(shot, residual=shot.residual / scale, slopes=shot.slopes / scale)


def _scale(shot: Fit) -> float:
    """Standard deviation of what a law leaves, in parts of the estimated noise; not less than a tenth of it."""
    return max(float(np.median(np.abs(shot.residual))) / 0.6745, 0.1)


def _without_force(compared: Compared, law: Law) -> Fit | None:
    """Straight lines, each body alone."""
    return compared.fit(replace(law, radial=sympy.S.Zero, transverse=sympy.S.Zero, single=()))


def _fitted(laws: list[_Named], compared: Compared) -> list[tuple[Scored, Fit]]:
    """The laws that can be followed, fitted, best first."""
    followed = [(one, law) for one, law in laws if compared.fit(law) is not None]
    return sorted([(one, compared.again(law)) for one, law in followed], key=_misfit)


def _settled(laws: list[_Named], compared: Compared | None) -> tuple[list[tuple[Scored, Fit]], Compared | None]:
    """The laws fitted, best first, and the segments: halved where a law went astray, so long as that helps, and then once more
    to the end, where steps and states are right. Nothing where none can be followed."""
    fitted, settled = [], None
    for times in range(CLOSER):
        if compared is None:
            break
        settled, fitted = compared, _fitted(laws, compared)
        if not fitted:
            return [], None
        laws = [(one, shot.law) for one, shot in _front(fitted)]
        first = [shot for _, shot in fitted[:CHANGED]]
        halved = settled.astray(first)
        if settled.slow == FINE:
            break
        compared = settled.closer(first[0], halved)
        if compared is not None and (times == CLOSER - 2 or not halved.any()):
            compared = replace(compared, slow=FINE)
    return fitted, settled


def _front(fitted: list[tuple[Scored, Fit]]) -> list[tuple[Scored, Fit]]:
    """Laws that fit better than all with fewer constants, and then the best of the others, but for those that say the same
    as a simpler one; best first."""
    front, rest = [], []
    for pair in sorted(fitted, key=lambda each: (len(each[1].constants), _misfit(each))):
        if any(np.abs(pair[1].residual - other.residual).max() < SAME for _, other in front + rest):
            continue
        better = all(_misfit(pair) < _misfit(other) for other in front)
        (front if better else rest).append(pair)
    best = min(map(_misfit, front))
    rest = sorted((pair for pair in rest if _misfit(pair) < DECIDES * best), key=_misfit)
    return sorted([*front[-KEPT:], *rest[: KEPT - len(front[-KEPT:])]], key=_misfit)


def _softer(fitted: list[tuple[Scored, Fit]], compared: Compared) -> list[tuple[Scored, Fit]]:
    """The best laws with their distance softened, so long as that helps: averages over windows hardly see the closest
    encounters."""
    found: list[tuple[Scored, Fit]] = []
    for one, shot in sorted(fitted, key=_misfit)[:CHANGED]:
        softer = _fitted([(one, law) for law in softened(shot) if is_defined(law)], compared)
        found += softer
        if not softer or _misfit(softer[0]) > shot.misfit.sum() - HELPS:
            break
    return found


def _shortened(one: Scored, compared: Compared, left: _Left) -> Scored:
    """The law after all changes that take a constant from it and shorten its description."""
    changed = True
    while changed:
        changed = False
        for law in filter(is_defined, itertools.chain(shorter(one.told), joined(one.told))):
            if compared.fit(law) is None:
                continue
            if (trial := left.scored(one, compared.again(law))).length < one.length:
                one, changed = trial, True
                break
    return one
