"""Candidates without a network or a list of forms: symbolic regression on the splines of a structure's pair terms.

What a sum over pairs leaves to be found is a function of one variable (Lu, Maggioni, Tang and Zhong, arXiv:1910.04832). It is
searched as g(r) = r^p F(r), with the power of the distance that makes it flattest, so that close pairs do not decide alone.
"""

from __future__ import annotations

import numpy as np
import sympy

from lib.distillation.expressions import parse
from lib.distillation.regression import regress
from lib.selection.candidates import Candidate, composed
from lib.selection.radial_forms import R
from lib.selection.structure import Dictionary, Profile, Structure, profiles

EVALUATIONS = 100_000
"""Expressions that are evaluated for one spline."""
FUNCTIONS = ("exp", "log")
POWERS = range(-2, 5)


def of_splines(dictionary: Dictionary, structure: Structure, seed: int = 0) -> list[Candidate]:
    """Laws whose functions of the distance stand on the fronts of searches, the others held at their best row."""
    found, single = profiles(dictionary, structure)
    if not found:
        return []
    fronts = [_searched(profile, seed, place) for place, profile in enumerate(found)]
    best = [front[-1] for front in fronts]
    evidence, laws = dictionary.evidence, []
    for k, front in enumerate(fronts):
        for row, form in enumerate(front):
            forms = [*best[:k], form, *best[k + 1 :]]
            law = composed(found, forms, single, evidence.motion.dim, evidence.order)
            laws.append(Candidate(law, f"search on the spline of {found[k].term}, row {row + 1}"))
    return laws


def _searched(profile: Profile, seed: int, place: int) -> list[sympy.Expr]:
    """The functions of the distance on the front of a search on a spline, from simple to complex."""
    power = min(POWERS, key=lambda p: _unevenness(profile.value * profile.r**p))
    inputs, target = profile.r[:, None], (profile.value * profile.r**power)[:, None]
    purpose = f"spline {place}"
    (front,) = regress(
        inputs, target, ["r"], evaluations=EVALUATIONS, seed=seed, purpose=purpose, functions=FUNCTIONS, workers=1
    )
    return [sympy.expand(parse(text, ["r"]) / R**power) for text in front.table["expression"]]


def _unevenness(values: np.ndarray) -> float:
    """How much of the size of values their largest hold."""
    size = np.abs(values)
    return float(np.quantile(size, 0.98) / max(np.mean(size), 1e-300))
