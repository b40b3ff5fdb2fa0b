"""Hypotheses: what kinds of terms the data ask for, each by the held-out error with and without them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lib.registry import Registry
from lib.selection.structure import Dictionary, Structure, Term
from lib.selection.terms import RADIAL, TRANSVERSE, PairTerm, SingleTerm

VELOCITY = ("friction", "quadratic drag", "magnetic field along z")


def is_reciprocal(term: Term) -> bool:
    """Whether a pair's force (rate times mass) is as large on the one as on the other."""
    if not isinstance(term, PairTerm):
        return True
    powers = dict(term.powers)
    names = {name[:-1] for name in powers}
    return all(powers.get(f"{n}1", 0) + (n == "m") == powers.get(f"{n}2", 0) for n in {*names, "m"})


FAMILIES: Registry[Callable[[Term], bool]] = Registry(
    "hypothesis",
    {
        "interaction": lambda term: isinstance(term, PairTerm),
        "not central": lambda term: isinstance(term, PairTerm) and term.direction == TRANSVERSE,
        "not reciprocal": lambda term: isinstance(term, PairTerm) and term.direction == RADIAL and not is_reciprocal(term),
        "friction or other dependence on velocity": lambda term: isinstance(term, SingleTerm) and term.name in VELOCITY,
        "outer field or trap": lambda term: isinstance(term, SingleTerm) and term.name not in VELOCITY,
    },
)
"""Kinds of terms that may or may not be there."""


def compare(dictionary: Dictionary, structure: Structure) -> dict[str, Any]:
    """Of each family: whether the structure has it, and relative held-out errors without and with its best term."""

    def error(chosen: list[int]) -> float:
        return float(np.sqrt(max(dictionary.error(chosen), 0.0)))

    chosen = [dictionary.terms.index(term) for term in structure.terms]
    masses = "mass" in dictionary.evidence.motion.properties
    found = {}
    for name, belongs in FAMILIES.items():
        if name == "not reciprocal" and not masses:
            continue
        without = [k for k in chosen if not belongs(dictionary.terms[k])]
        members = [k for k, term in enumerate(dictionary.terms) if belongs(term)]
        if not members:
            continue
        present = len(without) < len(chosen)
        best = error(chosen) if present else min(error([*chosen, k]) for k in members)
        found[name] = {"found": present, "held_out_error": {"without": round(error(without), 6), "with": round(best, 6)}}
    return found
