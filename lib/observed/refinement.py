"""Constants of a law and learned properties of bodies, fitted together once the formula is chosen.

To rates, or to measured positions through the integrator where these alone were measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lib.observed.properties import Learned, normalized, with_learned
from lib.observed.recording import Recording
from lib.observed.shooting import shoot
from lib.selection.announce import presented
from lib.selection.choice import noise
from lib.selection.evidence import Evidence
from lib.selection.fitting import Family, fit, robust_weight
from lib.selection.law import Constant, Law

STEPS = 6
DIFFERENCE = 1e-4
"""Part of a property's mean size by which it is moved to see what it does."""


@dataclass(frozen=True)
class Refined:
    """A law and properties, with standard errors."""

    law: Law
    constants: tuple[Constant, ...]
    learned: Learned
    standard_errors: dict[str, np.ndarray]
    """Of each learned property, [n], its scale being held."""


def refine(law: Law, evidence: Evidence, learned: Learned) -> Refined:
    """Gauss and Newton for constants and properties together; the scales of properties stay as `normalized` has them."""
    for _ in range(STEPS):
        found = fit(law, evidence, noise(fit(law, evidence, evidence.spread * evidence.typical), evidence))
        deviation = noise(found, evidence)
        step, covariance = _joint(found.family, found.constants, evidence, learned, deviation)
        count = len(found.constants)
        moved, at = {}, count
        for name, values in learned.properties.items():
            moved[name] = normalized(name, values + step[at : at + len(values)])
            at += len(values)
        change = max(float(np.abs(moved[name] - learned.properties[name]).max()) for name in moved)
        learned = replace(learned, properties=moved)
        evidence = with_learned(evidence, learned)
        law = found.law
        if change < 1e-9:
            break
    found = fit(law, evidence, deviation)
    _, covariance = _joint(found.family, found.constants, evidence, learned, deviation)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    count, at, own = len(found.constants), len(found.constants), {}
    for name, values in learned.properties.items():
        own[name] = errors[at : at + len(values)]
        at += len(values)
    named = enumerate(zip(found.constants, errors[:count], strict=True), start=1)
    constants = tuple(Constant(f"c{k}", float(value), float(error)) for k, (value, error) in named)
    return Refined(found.law, constants, learned, own)


def refine_on_positions(law: Law, recording: Recording, learned: Learned) -> Refined:
    """The same fitted to positions; the largest value of each property is held. Raises `InputError` if none is followed."""
    found = shoot(law, recording, learned.properties, ties=learned.tied(recording.experiments[0].position.shape[1]))
    errors = [math.nan if one.standard_error is None else one.standard_error for one in found.constants]
    rounded, constants = presented(found.law, np.array(errors))
    return Refined(rounded, constants, replace(learned, properties=dict(found.scalars)), dict(found.scalar_errors))


def _joint(
    family: Family, constants: np.ndarray, evidence: Evidence, learned: Learned, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A step of constants and then properties, and their covariance by groups; directions that change nothing stay."""
    value, slopes = family.predict(evidence, constants)
    columns = [slopes]
    for name, values in learned.properties.items():
        size = float(np.abs(values).mean()) * DIFFERENCE
        for body in range(len(values)):
            moved = values.copy()
            moved[body] += size
            other = with_learned(evidence, replace(learned, properties={**learned.properties, name: moved}))
            columns.append(((family.value(other, constants) - value) / size)[..., None])
    jacobian = np.concatenate(columns, axis=-1) / deviation[:, None, None]
    residual = (evidence.target - value) / deviation[:, None]
    weight = robust_weight(residual)
    information = np.einsum("rap,ra,raq->pq", jacobian, weight, jacobian)
    pulls = np.einsum("rap,ra->rp", jacobian, weight * residual)
    number = np.unique(evidence.group, return_inverse=True)[1]
    by_group = np.stack([np.bincount(number, column) for column in pulls.T], axis=1)
    scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-300))
    inverse = scale[:, None] * np.linalg.pinv(information * scale[:, None] * scale, rcond=1e-9, hermitian=True) * scale
    return inverse @ pulls.sum(axis=0), inverse @ (by_group.T @ by_group) @ inverse
