"""From a recording to an announcement: order of the motion, what bodies are, and the law; all chosen from the data."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from lib.errors import InputError
from lib.observed.evidence import evidence_of, were_measured
from lib.observed.pair_strengths import pair_strengths
from lib.observed.positions import ByPositions
from lib.observed.properties import Learned, recognize, with_learned
from lib.observed.recording import INERTIAL, Recording
from lib.observed.refinement import Refined, refine, refine_on_positions
from lib.selection.announce import FINAL_EDGES, STRUCTURE_EDGES, Prepared, announce
from lib.selection.evidence import Evidence
from lib.selection.law import Announcement, Law
from lib.selection.terms import RADIAL, TRANSVERSE

log = logging.getLogger(__name__)

EDGES_OF_LARGE = 3_000_000
"""Pairs of all snapshots beyond which only those within reach are looked at ..."""
NEIGHBOURS = 30
"""... this being the distance that holds so many of them."""
LEARNED = 0.9
"""Learned properties are kept if they lower the held-out error at least to this part of it."""


@dataclass(frozen=True)
class Discovery:
    """What was found in a recording, with what is needed to show it."""

    announcement: Announcement
    evidence: Evidence
    """With learned properties, if there are any."""
    learned: Learned | None
    orders: dict[int, float]
    """Held-out error, relative to no law, of the best structure of each order of the motion."""


@dataclass(frozen=True)
class Known:
    """Evidence of one order of the motion, with its structures, and what of bodies was learned from it."""

    evidence: Evidence
    prepared: Prepared
    learned: Learned | None

    def announce(self, recheck: ByPositions | None = None) -> Announcement:
        """What is announced of the formulas of its structures."""
        return announce(self.evidence, self.prepared.candidates(), self.prepared, recheck=recheck)

    def with_values(self, learned: Learned) -> Known:
        """With better values of what was learned."""
        evidence = with_learned(self.evidence, learned)
        return Known(evidence, Prepared.of(evidence), learned)


def discover(recording: Recording) -> Discovery:
    """The law of a recording, or the reason why there is none."""
    log.info("rates of the motion: as measured, or averaged over windows")
    reach = reach_of(recording)
    orders = {order: evidence_of(recording, order, reach) for order in (2, 1)}
    log.info("terms of first and of second order in time, by held-out error")
    best = {order: Prepared.of(one) for order, one in orders.items() if len(one.target)}
    log.info("strengths of bodies and ties between them")
    richer = {order: with_properties(orders[order], one) if same_bodies(recording) else None for order, one in best.items()}
    errors = {order: richer[order].prepared.error if richer[order] else best[order].error for order in best}
    order = min(errors, key=lambda one: errors[one])
    found = richer[order] or Known(orders[order], best[order], None)
    log.info("formulas of these terms, by description length")
    if found.learned is not None and found.learned.properties:
        announcement, found = of_learned(recording, found)
    else:
        announcement = found.announce(by_positions(recording, order, found.learned))
    hypotheses = dict(announcement.hypotheses) | {
        "order of the motion": {"found": order, "held_out_error": {str(k): round(v, 6) for k, v in errors.items()}}
    }
    if found.learned is not None:
        hypotheses["bodies differ"] = {
            "found": True,
            "held_out_error": {"without": round(best[order].error, 6), "with": round(errors[order], 6)},
        }
    announcement = replace(
        announcement,
        hypotheses=hypotheses,
        ties=found.learned.ties if found.learned else None,
        frame=recording.frame,
        box=None if recording.box is None else tuple(float(b) for b in recording.box),
    )
    return Discovery(announcement, found.evidence, found.learned, errors)


def of_learned(recording: Recording, found: Known) -> tuple[Announcement, Known]:
    """What is announced where strengths of bodies were learned, and their values.

    Strengths by splines are rough: once there is a formula they are fitted with it, and then it is chosen again.
    """
    better = refined(found.announce().law, recording, found)
    log.info("formulas once more, with strengths fitted with the first of them")
    found = found.with_values(better.learned)
    announcement = found.announce(by_positions(recording, found.evidence.order, better.learned))
    better = refined(announcement.law, recording, found)
    found = replace(found, evidence=with_learned(found.evidence, better.learned), learned=better.learned)
    told = {
        name: {
            "given": False,
            "values": [float(v) for v in values],
            "standard_errors": [float(e) for e in better.standard_errors[name]],
            "scale": "free",
        }
        for name, values in better.learned.properties.items()
    }
    properties = announcement.properties | told
    return replace(announcement, law=better.law, constants=better.constants, properties=properties), found


def refined(law: Law, recording: Recording, found: Known) -> Refined:
    """Constants and strengths fitted together: to positions if these alone were measured and can be followed, else to rates."""
    if by_positions(recording, found.evidence.order, found.learned) is not None:
        with suppress(InputError):
            return refine_on_positions(law, recording, found.learned)
    return refine(law, found.evidence.sample(FINAL_EDGES, 2), found.learned)


def reach_of(recording: Recording) -> float:
    """Distance beyond which pairs are not looked at: half a box, or less where there are too many pairs."""
    reach = np.inf if recording.box is None else float(np.min(recording.box)) / 2
    pairs = sum(len(one.time) * one.position.shape[1] ** 2 for one in recording.experiments)
    if pairs > EDGES_OF_LARGE:
        position = recording.experiments[0].position[0]
        distance = np.linalg.norm(position[:, None] - position[None], axis=-1)
        nearest = np.sort(distance, axis=1)[:, min(NEIGHBOURS, len(position) - 1)]
        reach = min(reach, float(np.nanmedian(nearest)))
    return reach


def by_positions(recording: Recording, order: int, learned: Learned | None) -> ByPositions | None:
    """What compares laws on measured positions; None where rates were measured, or positions are relative to a body."""
    if were_measured(recording, order) or recording.frame != INERTIAL:
        return None
    n = recording.experiments[0].position.shape[1]
    return ByPositions(recording, order, learned.properties if learned else {}, learned.tied(n) if learned else None)


def same_bodies(recording: Recording) -> bool:
    """Whether bodies keep their identity over enough data for properties to be learned."""
    return recording.same_bodies and recording.experiments[0].position.shape[1] >= 3


def with_properties(evidence: Evidence, base: Prepared) -> Known | None:
    """The evidence with learned properties or ties, if these lower the held-out error clearly; with its structures."""
    mass = evidence.motion.properties.get("mass")
    n = int(evidence.motion.index.max()) + 1
    given = None if mass is None else np.array([mass[evidence.motion.index == i][0] for i in range(n)])
    best = None
    for direction in (RADIAL, TRANSVERSE) if evidence.motion.dim == 2 else (RADIAL,):
        found = pair_strengths(evidence.sample(2 * STRUCTURE_EDGES, 0), direction)
        learned = recognize(found, given) if found is not None else None
        if learned is None or (not learned.properties and learned.ties is None):
            continue
        richer = with_learned(evidence, learned)
        one = Known(richer, Prepared.of(richer), learned)
        if one.prepared.error < LEARNED * base.error and (best is None or one.prepared.error < best.prepared.error):
            best = one
    return best
