"""Candidates without a network or a list of forms: symbolic regression on the splines of a structure's pair terms.

What a sum over pairs leaves to be found is a function of one variable (Lu, Maggioni, Tang and Zhong, arXiv:1910.04832). It is
searched as g(r) = r^p F(r), with the power of the distance that makes it flattest, so that close pairs do not decide alone.
"""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np
import sympy

from lib.distillation.expressions import parse
from lib.distillation.regression import regress
from lib.selection.candidates import Candidate, broken_at, composed, is_nothing
from lib.selection.radial_forms import R
from lib.selection.structure import Dictionary, Profile, Structure, profiles

log = logging.getLogger(__name__)

EVALUATIONS = 100_000
"""Expressions that are evaluated for one spline."""
ATTEMPTS = 5
FUNCTIONS = ("exp", "log")
POWERS = range(-2, 5)


def of_splines(dictionary: Dictionary, structure: Structure, jump: float | None = None, seed: int = 0) -> list[Candidate]:
    """Laws whose functions of the distance stand on the fronts of searches, the others held at their best row.

    Where the functions jump at a distance, either side is searched by itself.
    """
    found, single = profiles(dictionary, structure)
    if not found:
        return []
    fronts = [_searched(profile, jump, seed, place) for place, profile in enumerate(found)]
    best = [front[-1] for front in fronts]
    evidence, laws = dictionary.evidence, []
    for k, front in enumerate(fronts):
        for row, form in enumerate(front):
            forms = [*best[:k], form, *best[k + 1 :]]
            law = composed(found, forms, single, evidence.motion.dim, evidence.order)
            laws.append(Candidate(law, f"search on the spline of {found[k].term}, row {row + 1}"))
    return laws


def _searched(profile: Profile, jump: float | None, seed: int, place: int) -> list[sympy.Expr]:
    """The functions of the distance on the front of a search on a spline, from simple to complex."""
    if jump is None:
        return _of_part(profile, np.ones(len(profile.r), bool), f"spline {place}", seed)
    below, above = (
        [sympy.S.Zero] if is_nothing(profile, inside) else _of_part(profile, inside, f"spline {place} {side}", seed)
        for side, inside in (("below", profile.r < jump), ("above", profile.r >= jump))
    )
    pairs = [*((one, above[-1]) for one in below[:-1]), *((below[-1], other) for other in above)]
    return [broken_at(jump, one, other) for one, other in pairs]


def _of_part(profile: Profile, inside: np.ndarray, purpose: str, seed: int) -> list[sympy.Expr]:
    r, value = profile.r[inside], profile.value[inside]
    power = min(POWERS, key=lambda p: _unevenness(value * r**p))
    texts = _front(r, value * r**power, purpose, seed)
    return [sympy.expand(parse(text, ["r"]) / R**power) for text in texts]


def _front(r: np.ndarray, value: np.ndarray, purpose: str, seed: int) -> list[str]:
    """Expressions on the front of a search, in a process of its own: on so few rows Operon now and then ends its process."""
    for attempt in range(ATTEMPTS):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                return pool.submit(_search, r, value, f"{purpose}, attempt {attempt}" if attempt else purpose, seed).result()
            except BrokenProcessPool:
                log.info("Operon ended its process; searched again with other random numbers")
    log.info("Operon ended its process %d times: the function's mean stands in", ATTEMPTS)
    return [str(float(value.mean()))]


def _search(r: np.ndarray, value: np.ndarray, purpose: str, seed: int) -> list[str]:
    options = {"evaluations": EVALUATIONS, "seed": seed, "purpose": purpose, "functions": FUNCTIONS, "workers": 1}
    (front,) = regress(r[:, None], value[:, None], ["r"], **options)
    return list(front.table["expression"])


def _unevenness(values: np.ndarray) -> float:
    """How much of the size of values their largest hold."""
    size = np.abs(values)
    return float(np.quantile(size, 0.98) / max(np.mean(size), 1e-300))
