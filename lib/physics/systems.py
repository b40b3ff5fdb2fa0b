"""Systems by name: a law and a dimension, written `spring-2d`."""

from __future__ import annotations

from lib.errors import InputError
from lib.physics.laws import get_law
from lib.runs import System

DIMENSIONS = (2, 3)


def parse_system(text: str) -> System:
    """System of a name such as `spring-2d`; `InputError` with the valid choices otherwise."""
    law, _, dimension = text.rpartition("-")
    choices = [f"{d}d" for d in DIMENSIONS]
    if not law or dimension not in choices:
        raise InputError(f"unknown system {text!r}: write a law and a dimension, {' or '.join(choices)}, as spring-2d")
    get_law(law)
    return System(law, int(dimension[:-1]))
