"""Candidates: formulas for the rates of bodies that a structure suggests, before one is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from lib.selection.law import Law
from lib.selection.radial_forms import fit_forms
from lib.selection.structure import Dictionary, Profile, Structure, profiles
from lib.selection.terms import RADIAL, SingleTerm

FORMS_EACH = 14
"""Radial forms that are tried for each pair term."""
FLOOR = 3e-3
"""Error of a spline, relative to its typical size, besides its standard error."""


@dataclass(frozen=True)
class Candidate:
    """A law to be fitted, and where it comes from."""

    law: Law
    source: str


def composed(profiles_of: list[Profile], forms: list[sympy.Expr], single: dict[SingleTerm, float], dim: int, order: int) -> Law:
    """The law of pair terms with formulas for their functions of the distance, and single terms with coefficients."""
    parts: dict[str, sympy.Expr] = {"radial": sympy.S.Zero, "transverse": sympy.S.Zero}
    for profile, form in zip(profiles_of, forms, strict=True):
        added = sum(profile.term.factor * one for one in sympy.Add.make_args(form))
        parts[profile.term.direction] += added
    components = [sympy.S.Zero] * dim
    for term, coefficient in single.items():
        for axis, one in enumerate(term.components(dim)):
            components[axis] += sympy.Float(coefficient) * one
    alone = tuple(components) if any(one != 0 for one in components) else ()
    return Law(dim, parts[RADIAL], parts["transverse"], alone, False, order)


def of_structure(dictionary: Dictionary, structure: Structure) -> list[Candidate]:
    """Laws that a structure suggests: each pair term's best forms, the others' held at their best."""
    evidence = dictionary.evidence
    found, single = profiles(dictionary, structure)
    low, high = np.quantile(evidence.motion.edges.r, [0.002, 0.998])
    choices = []
    for profile in found:
        floor = FLOOR * np.abs(profile.value) + 0.1 * FLOOR * np.median(np.abs(profile.value)) + 1e-300
        fitted = fit_forms(profile.r, profile.value, np.hypot(profile.standard_error, floor), low, high)
        choices.append(fitted[:FORMS_EACH])
    best = [choice[0].expression for choice in choices]
    names = [choice[0].name for choice in choices]
    laws = [Candidate(composed(found, best, single, evidence.motion.dim, evidence.order), " + ".join(names) or "no pair term")]
    for k, choice in enumerate(choices):
        for other in choice[1:]:
            forms = [*best[:k], other.expression, *best[k + 1 :]]
            source = " + ".join([*names[:k], other.name, *names[k + 1 :]])
            laws.append(Candidate(composed(found, forms, single, evidence.motion.dim, evidence.order), source))
    return laws
