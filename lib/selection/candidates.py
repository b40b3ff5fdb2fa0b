"""Candidates: formulas for the rates of bodies that a structure suggests, before one is chosen."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import sympy

from lib.selection.breaks import find_break
from lib.selection.law import Law
from lib.selection.radial_forms import Fitted, fit_forms
from lib.selection.structure import Dictionary, Profile, Structure, profiles, refined
from lib.selection.terms import RADIAL, SingleTerm

FORMS_EACH = 9
"""Radial forms that are tried for each pair term, besides ..."""
SIMPLEST = "power, whole exponents"
"""... this one."""
CLOSEST = 0.4
"""Part of a profile's points that are left out at the near end; half of them are even in the logarithm of the distance."""
FLOOR = 3e-3
"""Error of a spline, relative to its typical size, besides its standard error."""
SIDE_FORMS = 6
"""The same on each side of a break."""
NOTHING = 0.01
"""A side of a break is nothing if the function's size there is below this part of its size."""


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
    """Laws that a structure suggests: each pair term's best forms, the others' held at their best; broken where it breaks."""
    if not structure.terms:
        return [Candidate(composed([], [], {}, dictionary.evidence.motion.dim, dictionary.evidence.order), "nothing")]
    fine = refined(dictionary, structure)
    found = _of_profiles(fine, structure, None)
    if (broken := find_break(fine, structure)) is not None:
        at, finer = broken
        found += _of_profiles(finer, structure, at)
    return found


def _of_profiles(dictionary: Dictionary, structure: Structure, at: float | None) -> list[Candidate]:
    evidence = dictionary.evidence
    found, single = profiles(dictionary, structure)
    choices = [_forms(profile) if at is None else _broken_forms(profile, at) for profile in found]
    best = [choice[0].expression for choice in choices]
    names = [choice[0].name for choice in choices]
    laws = [Candidate(composed(found, best, single, evidence.motion.dim, evidence.order), " + ".join(names) or "no pair term")]
    for k, choice in enumerate(choices):
        for other in choice[1:]:
            forms = [*best[:k], other.expression, *best[k + 1 :]]
            source = " + ".join([*names[:k], other.name, *names[k + 1 :]])
            laws.append(Candidate(composed(found, forms, single, evidence.motion.dim, evidence.order), source))
    return laws


def _forms(profile: Profile, inside: np.ndarray | None = None) -> list[Fitted]:
    """The best forms of a profile, or of the part of its points that are inside [points; bool].

    Fitted to all of them, and to those beyond the closest pairs, where splines follow a steep function badly.
    """
    part = np.ones(len(profile.r), bool) if inside is None else inside
    found: dict[str, Fitted] = {}
    for beyond in (profile.r > np.quantile(profile.r[part], CLOSEST), np.ones(len(profile.r), bool)):
        r, value, error = (column[part & beyond] for column in (profile.r, profile.value, profile.standard_error))
        floor = FLOOR * np.abs(value) + 0.1 * FLOOR * np.median(np.abs(profile.value)) + 1e-300
        forms = fit_forms(r, value, np.hypot(error, floor), r.min(), r.max())
        for one in [*forms[:FORMS_EACH], *(form for form in forms if form.name == SIMPLEST)]:
            found.setdefault(one.name, one)
    return list(found.values())


def is_nothing(profile: Profile, inside: np.ndarray) -> bool:
    """Whether a function is nothing on the points [bool] of one side of a break."""
    size = np.sqrt((profile.value**2).mean())
    return not inside.any() or bool(np.sqrt((profile.value[inside] ** 2).mean()) < NOTHING * size)


def broken_at(at: float, below: sympy.Expr, above: sympy.Expr) -> sympy.Expr:
    """The function of the distance that changes from one formula to another."""
    return sympy.Piecewise((below, sympy.Symbol("r", real=True) < sympy.Float(at)), (above, True))


def _broken_forms(profile: Profile, at: float) -> list[Fitted]:
    """Forms below and above a break; nothing on a side where the profile is nothing."""
    sides = [
        [Fitted("nothing", sympy.S.Zero, 0.0)] if is_nothing(profile, inside) else _forms(profile, inside)[:SIDE_FORMS]
        for inside in (profile.r < at, profile.r >= at)
    ]
    found = [
        Fitted(
            f"{below.name} below {at:.3g}, {above.name} above",
            broken_at(at, below.expression, above.expression),
            below.error + above.error,
        )
        for below, above in itertools.product(*sides)
    ]
    return sorted(found, key=lambda one: one.error)
