"""Figures of a rendered notebook that matter, and how far they may be from the released ones when it is executed again.

Trajectories are chaotic and searches follow how a processor rounds: data, fronts and constants are not the same to the
digit on every machine, what they say is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.files import read_json

Allowed = Callable[[Any, Any], bool]
"""Whether a figure (first) is near enough to the released one (second)."""


def equal(found: Any, released: Any) -> bool:
    return found == released


def within(absolute: float) -> Allowed:
    return lambda found, released: abs(found - released) <= absolute


def within_ratio(relative: float) -> Allowed:
    return lambda found, released: abs(found - released) <= relative * abs(released)


def negligible_where_it_was(limit: float) -> Allowed:
    return lambda found, released: released >= limit or found < limit


FIGURES: dict[str, dict[str, dict[str, Allowed]]] = {
    "2_train": {
        "training.json": {
            "graphs_seen": equal,
            "frozen_loss_per_node": within_ratio(1e-3),
            "test_relative_error": within_ratio(0.1),
        }
    },
    "3_message_analysis": {
        "messages.json": {
            r"r2_(force|acceleration|gauge)_trimmed(_pca|_node)?": within(0.005),
            r"r2_force_undone_trimmed|r2_exponent": within(0.005),
            r"exponent(_undone)?": within(0.02),
        }
    },
    "4_symbolic_regression": {
        "verdict.json": {"recovered": equal},
        "closed_form.json": {r"closed_form_test_loss_per_node|settings\..*\.closed form": negligible_where_it_was(1e-4)},
    },
    "7_hamiltonian": {
        "potential.json": {"potential_recovered": equal, r"r2_potential|r2_pair_force_trimmed|scale": within(0.005)}
    },
    "8_argon": {
        "result.json": {
            "recovered": equal,
            r"constants\..*": within_ratio(0.01),
            r"r2_force_trimmed|r2_potential_trimmed": within(0.005),
            r"closed_form_(test_loss_per_node|loss_beyond)": negligible_where_it_was(1e-4),
        }
    },
    "9_halos": {
        "result.json": {
            "recovered": equal,
            r"constants\..*": within_ratio(0.01),
            "r2_message": within(0.005),
            r"closed_form_(test_loss_per_node|loss_beyond)": negligible_where_it_was(1e-4),
        }
    },
    "11_solar_system": {
        "law.json": {
            r"announced|pair\.transverse|properties\.mass\.determined|hypotheses\.central\.holds": equal,
            r"hypotheses\.exponent\..*\.value": within(1e-6),
            r"held_out_error\.(law|with_corrections)": within_ratio(0.1),
        }
    },
}
"""By stage and file: patterns of the names of figures, nested ones with a dot between."""


def flat(nested: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries by their names, with a dot between."""
    found = {}
    for key, value in nested.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return found


def differences(stage: str, executed: Path, released: Path) -> list[str]:
    """A line for each figure of a stage that is missing or too far from the released one; both are folders."""
    lines = []
    for name, tolerances in FIGURES[stage].items():
        if not (executed / name).exists():
            lines.append(f"{name} was not written")
            continue
        found, true = flat(read_json(executed / name)), flat(read_json(released / name))
        for pattern, allowed in tolerances.items():
            keys = [key for key in true if re.fullmatch(pattern, key)]
            if not keys:
                lines.append(f"{name} has no {pattern}")
            lines += [
                f"{name}: {key} is {found.get(key)}, and {true[key]} as released"
                for key in keys
                if key not in found or not allowed(found[key], true[key])
            ]
    return lines
