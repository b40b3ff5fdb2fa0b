"""The choice: of all candidates the one with the shortest description, improved by small changes, on one noise model."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import sympy

from lib.distillation.simplification import rounded
from lib.selection.candidates import Candidate
from lib.selection.description_length import description_length
from lib.selection.evidence import Evidence
from lib.selection.fitting import EVALUATIONS, Fit, deviations, fit, fit_in_place
from lib.selection.followed import Followed
from lib.selection.law import Law
from lib.selection.moves import is_defined, joined, multiplied_out, of_free_powers, shorter, softened
from lib.selection.radial_forms import R

KEPT = 8
"""Candidates that are looked at again after the first fit."""
FIRST = 25
"""Evaluations of each candidate at first."""
IMPROVED = 4
"""Candidates that are changed."""
BEHIND = 100.0
"""Nats behind the best beyond which a candidate is not changed: small changes save less."""
SIMPLE = 2
"""Constants of laws that are offered to measured positions whatever averages say of them."""
HOPELESS = 1000.0
"""Nats by which a change may make a law longer after the first evaluations, and with thresholds where they were."""


@dataclass(frozen=True)
class Scored:
    """A fitted candidate with its description length."""

    fit: Fit
    length: float
    source: str
    shot: Followed | None = None
    """The law fitted to measured positions, where these decided its length."""

    @property
    def told(self) -> Fit:
        """The fit that tells the length."""
        return self.fit if self.shot is None else self.shot.fit

    @property
    def precise(self) -> Fit:
        """The fit that tells constants."""
        return self.fit if self.shot is None else self.shot.told

    @property
    def law(self) -> Law:
        """The law."""
        return self.told.law

    @property
    def text(self) -> str:
        """The law with constants to three digits, by which candidates count as the same."""
        law = self.law
        return " | ".join(str(rounded(one, 3)) for one in (law.radial, law.transverse, *law.single))


def relative_deviation(evidence: Evidence) -> np.ndarray:
    """[rows], the scale of residuals before any noise is known: a hundredth of typical target and target together."""
    return 0.01 * (evidence.typical + np.linalg.norm(evidence.target, axis=1)) * evidence.spread


def score(
    candidates: Iterable[Candidate], evidence: Evidence, deviation: np.ndarray, evaluations: int = EVALUATIONS
) -> list[Scored]:
    """Candidates fitted, by description length, shortest first; those that come to the same are one."""
    found: dict[str, Scored] = {}
    for candidate in filter(lambda one: is_defined(one.law), candidates):
        fitted = fit(candidate.law, evidence, deviation, evaluations)
        one = Scored(fitted, description_length(fitted), candidate.source)
        if one.text not in found or one.length < found[one.text].length:
            found[one.text] = one
    return sorted(found.values(), key=lambda one: one.length)


def noise(best: Fit, evidence: Evidence) -> np.ndarray:
    """[rows], standard deviations of a component's noise, as the best law leaves it."""
    prediction = best.family.value(evidence, best.constants)
    return deviations(evidence, evidence.target - prediction, prediction)


def shortened(scored: Scored, evidence: Evidence, deviation: np.ndarray) -> Scored:
    """The candidate after all changes that take a constant from it and shorten its description; multiplied out if shorter.

    A small term inside a product can be dropped only where the product is multiplied out.
    """
    found = _after_changes(scored, evidence, deviation)
    law = multiplied_out(found.law)
    if law == found.law or not is_defined(law):
        return found
    fitted = fit(law, evidence, deviation)
    free = _after_changes(Scored(fitted, description_length(fitted), scored.source), evidence, deviation)
    return min(found, free, key=lambda one: one.length)


def _after_changes(scored: Scored, evidence: Evidence, deviation: np.ndarray) -> Scored:
    changed = True
    while changed:
        changed = False
        for law in filter(is_defined, itertools.chain(shorter(scored.fit), joined(scored.fit))):
            near = fit_in_place(law, evidence, deviation, FIRST)
            if description_length(near) > scored.length + HOPELESS:
                continue
            fitted = fit(near.law, evidence, deviation)
            if (length := description_length(fitted)) < scored.length:
                scored, changed = Scored(fitted, length, scored.source), True
                break
    return scored


def again(found: Iterable[Scored]) -> list[Candidate]:
    """The scored laws as candidates, from their constants."""
    return [Candidate(one.law, one.source) for one in found]


def first_fits(candidates: list[Candidate], evidence: Evidence) -> list[Scored]:
    """Candidates after a few evaluations, by description length."""
    return score(candidates, evidence, relative_deviation(evidence), FIRST)


def simple(fitted: list[Scored]) -> list[Candidate]:
    """Of each number of constants up to `SIMPLE` the law that fits best, with free powers, as it is and softened; one by the
    same properties of bodies as the first law, if there is one.

    Averages over windows that hold close encounters may be wrong by a whole power.
    """
    found = []
    for count in range(1, SIMPLE + 1):
        few = [one for one in fitted if len(one.fit.constants) == count]
        alike = [one for one in few if _properties(one.law) == _properties(fitted[0].law)]
        for one in sorted(alike or few, key=lambda one: one.fit.misfit.sum())[:1]:
            found += [Candidate(of_free_powers(law), one.source) for law in (one.law, *softened(one.fit))]
    return found


def _properties(law: Law) -> list[set[sympy.Basic]]:
    """What the law says that bodies act by, along the line between them and across it."""
    return [form.free_symbols - {R} for form in (law.radial, law.transverse)]


def choose(candidates: list[Candidate], evidence: Evidence) -> tuple[list[Scored], np.ndarray]:
    """Candidates, improved, by description length on the noise [rows] that the best of them leaves; and that noise."""
    return improved(first_fits(candidates, evidence), evidence)


def improved(fitted: list[Scored], evidence: Evidence) -> tuple[list[Scored], np.ndarray]:
    """The same of candidates after their first fits."""
    deviation = relative_deviation(evidence)
    found = score(again(fitted[:KEPT]), evidence, deviation)
    softer = [Candidate(law, one.source) for one in found[:IMPROVED] for law in softened(one.fit)]
    found = sorted([*found, *score(softer, evidence, deviation)], key=lambda one: one.length)
    for _ in range(2):
        deviation = noise(found[0].fit, evidence)
        found = score(again(found[:KEPT]), evidence, deviation)
        near = [one for one in found[:IMPROVED] if one.length < found[0].length + BEHIND]
        found = sorted(
            [*(shortened(one, evidence, deviation) for one in near), *found[len(near) :]], key=lambda one: one.length
        )
    return score(again(found), evidence, deviation), deviation
