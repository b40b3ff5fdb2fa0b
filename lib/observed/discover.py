"""From a recording to an announcement: order of the motion, what bodies are, and the law; all chosen from the data."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lib.observed import properties
from lib.observed.evidence import evidence_of, were_measured
from lib.observed.positions import ByPositions
from lib.observed.properties import Learned, with_learned
from lib.observed.recording import INERTIAL, Recording
from lib.observed.refinement import refine
from lib.selection.announce import FINAL_EDGES, STRUCTURE_EDGES, Prepared, announce
from lib.selection.evidence import Evidence
from lib.selection.law import Announcement
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


def discover(recording: Recording) -> Discovery:
    """The law of a recording, or the reason why there is none."""
    reach = reach_of(recording)
    orders = {order: evidence_of(recording, order, reach) for order in (2, 1)}
    best = {order: Prepared.of(one) for order, one in orders.items() if len(one.target)}
    learned = {order: with_properties(orders[order], one) if same_bodies(recording) else None for order, one in best.items()}
    errors = {order: learned[order][1].error if learned[order] else best[order].error for order in best}
    order = min(errors, key=lambda one: errors[one])
    found = learned[order]
    evidence, prepared = (found[0], found[1]) if found else (orders[order], best[order])
    told, properties_of = {}, found[2] if found else None
    rough = properties_of is not None and bool(properties_of.properties)
    recheck = None if rough else by_positions(recording, order, properties_of)
    announcement = announce(evidence, prepared.candidates(), prepared, recheck=recheck)
    told |= announcement.properties
    if rough:
        # strengths by splines are rough: once there is a formula they are fitted with it, and then it is chosen again
        better = refine(announcement.law, evidence.sample(FINAL_EDGES, 2), properties_of)
        properties_of, evidence = better.learned, with_learned(evidence, better.learned)
        prepared = Prepared.of(evidence)
        again = by_positions(recording, order, properties_of)
        announcement = announce(evidence, prepared.candidates(), prepared, recheck=again)
        better = refine(announcement.law, evidence.sample(FINAL_EDGES, 2), properties_of)
        properties_of, evidence = better.learned, with_learned(evidence, better.learned)
        announcement = replace(announcement, law=better.law, constants=better.constants)
        for name, values in properties_of.properties.items():
            told[name] = {
                "given": False,
                "values": [float(v) for v in values],
                "standard_errors": [float(e) for e in better.standard_errors[name]],
                "scale": "free",
            }
    hypotheses = dict(announcement.hypotheses) | {
        "order of the motion": {"found": order, "held_out_error": {str(k): round(v, 6) for k, v in errors.items()}}
    }
    if found:
        hypotheses["bodies differ"] = {
            "found": True,
            "held_out_error": {"without": round(best[order].error, 6), "with": round(found[1].error, 6)},
        }
    announcement = replace(
        announcement,
        properties=told,
        hypotheses=hypotheses,
        ties=properties_of.ties if properties_of else None,
        frame=recording.frame,
        box=None if recording.box is None else tuple(float(b) for b in recording.box),
    )
    return Discovery(announcement, evidence, properties_of, errors)


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
    if learned is None:
        return ByPositions(recording, order, {}, None)
    n = recording.experiments[0].position.shape[1]
    ties = None
    if learned.ties is not None:
        ties = np.zeros((n, n), bool)
        ties[tuple(np.array(learned.ties).T)] = True
        ties |= ties.T
    return ByPositions(recording, order, learned.properties, ties)


def same_bodies(recording: Recording) -> bool:
    """Whether bodies keep their identity over enough data for properties to be learned."""
    return recording.same_bodies and recording.experiments[0].position.shape[1] >= 3


def with_properties(evidence: Evidence, base: Prepared) -> tuple[Evidence, Prepared, Learned] | None:
    """The evidence with learned properties or ties, if these lower the held-out error clearly; with its structures."""
    mass = evidence.motion.properties.get("mass")
    n = int(evidence.motion.index.max()) + 1
    given = None if mass is None else np.array([mass[evidence.motion.index == i][0] for i in range(n)])
    best = None
    for direction in (RADIAL, TRANSVERSE) if evidence.motion.dim == 2 else (RADIAL,):
        found = properties.strengths(evidence.sample(2 * STRUCTURE_EDGES, 0), direction)
        learned = properties.recognize(found, given) if found is not None else None
        if learned is None or (not learned.properties and learned.ties is None):
            continue
        richer = properties.with_learned(evidence, learned)
        prepared = Prepared.of(richer)
        if prepared.error < LEARNED * base.error and (best is None or prepared.error < best[1].error):
            best = richer, prepared, learned
    return best
