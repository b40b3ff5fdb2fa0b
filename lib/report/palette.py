"""Colours of all figures: a variant has one, everywhere; what is no variant has none of these."""

from __future__ import annotations

INK = "#333333"
"""Axes, true values, lines to compare with."""

VARIANTS = {
    "standard": "#8c8c8c",
    "bottleneck": "#4477aa",
    "l1": "#bbaa22",
    "kl": "#228833",
    "pruning": "#aa3377",
    "reciprocal": "#ee6677",
    "hamiltonian": "#66ccee",
    "std_penalty": "#885522",
    "plus_minus": "#117788",
    "custom": "#b8a0d8",
}
"""By name; those of the paper and ours are Paul Tol's scheme "bright", which colour-blind readers can tell apart."""
ADDED = "#111111"
"""Of a variant that the scheme does not have."""

SERIES = ("#34506e", "#e07a1f", "#4fa59a", "#9a6fb0", "#8a5a44", "#c2a38a")
"""Of bodies, channels and curves that are no variants, in order."""
OUTCOMES = {"right": "#029e73", "none": "#d9d9d9", "wrong": "#d55e00"}
"""Of what an announcement comes to."""


def of_variant(name: str) -> str:
    """Colour of a variant; its switches, as in `l1-reciprocal`, do not change it."""
    return VARIANTS.get(name.partition("-")[0], ADDED)
