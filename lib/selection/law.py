"""A law as one formula, what it predicts, and its record on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sympy

from lib.distillation.expressions import evaluate, parse
from lib.distillation.simplification import rounded
from lib.errors import InputError
from lib.files import write_json
from lib.selection.motion import Motion, symbol_of

LAW, LAW_OF_FRONTS, LAW_OF_SEARCH = "law.json", "law_of_fronts.json", "law_of_search.json"
"""Records of what is announced: of a run, of all candidates and of its fronts alone; of a system, without any network, of
generated formulas and of a search on splines; of a data set, of all that there is."""
NOISE = 0.05
"""Of accelerations, in units of their median size: that of the announcements with noise."""


def noise_folder(noise: float) -> Path:
    """Where records with noise lie, below the folder of a run or a system."""
    return Path(f"noise-{noise:g}") if noise else Path()


def pair_names(properties: list[str]) -> list[str]:
    """Names that a pair's formula may hold: r, and each property's letter with 1 (receiver) and 2 (sender)."""
    return ["r", *(f"{symbol_of(name)}{k}" for name in properties for k in (1, 2))]


def body_names(dim: int, properties: list[str]) -> list[str]:
    """Names that a single body's formula may hold: position, velocity, and each property's letter with 1."""
    axes = ("x", "y", "z")[:dim]
    return [*axes, *(f"v{axis}" for axis in axes), *(f"{symbol_of(name)}1" for name in properties)]


@dataclass(frozen=True)
class Constant:
    """A fitted constant."""

    name: str
    value: float
    standard_error: float | None = None


@dataclass(frozen=True)
class Law:
    """What a body's acceleration (order 2) or velocity (order 1) is.

        a_i = 1/m_i^d sum_j [radial(r, p_i, p_j) u_ij + transverse(r, p_i, p_j) t_ij] + single(x_i, v_i, p_i)

    with u_ij the unit vector from j to i, t_ij the same turned by +90 degrees, and d = 1 if `divides_by_mass`.
    """

    dim: int
    radial: sympy.Expr
    """In `pair_names`."""
    transverse: sympy.Expr = sympy.S.Zero
    single: tuple[sympy.Expr, ...] = ()
    """One a component, in `body_names`; empty for none."""
    divides_by_mass: bool = False
    order: int = 2

    @property
    def has_pairs(self) -> bool:
        """Whether pairs act on each other at all."""
        return self.radial != 0 or self.transverse != 0

    @property
    def text(self) -> str:
        """The formula with constants to four digits: the pair's part, and after a semicolon that of the body alone."""
        parts = [str(rounded(self.radial, 4))]
        if self.transverse != 0:
            parts.append(f"transverse {rounded(self.transverse, 4)}")
        pair = " and ".join(parts)
        alone = f"; alone ({', '.join(str(rounded(one, 4)) for one in self.single)})" if self.single else ""
        return (f"({pair})/m1" if self.divides_by_mass else pair) + alone

    def rates(self, motion: Motion, ties: np.ndarray | None = None) -> np.ndarray:
        """Accelerations or velocities [bodies, dim]; not finite where the formula has no value.

        Of `ties` [bodies of a trajectory, same; bool] only pairs (receiver, sender) that are True act.
        """
        edges, columns = motion.edges, motion.pair_columns()
        vectors = _column(self.radial, columns)[:, None] * edges.line
        if self.transverse != 0:
            vectors = vectors + _column(self.transverse, columns)[:, None] * edges.turned
        if ties is not None:
            vectors = vectors * ties[motion.index[edges.receiver], motion.index[edges.sender]][:, None]
        found = motion.received @ vectors
        if self.divides_by_mass:
            found = found / motion.properties["mass"][:, None]
        if self.single:
            found = found + np.stack([_column(one, motion.body_columns()) for one in self.single], axis=1)
        return found


def _column(expression: sympy.Expr, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    names = list(columns)
    return evaluate(expression, np.stack(list(columns.values()), axis=1), names)


@dataclass(frozen=True)
class Announcement:
    """What is announced of a data set: one law, or none with the reason."""

    announced: bool
    law: Law
    """The best that was found, announced or not."""
    reason: str | None = None
    """Why no law is announced; None where one is."""
    constants: tuple[Constant, ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    """By name: given, or learned values by body with standard errors."""
    ties: tuple[tuple[int, int], ...] | None = None
    """Pairs of bodies that act on each other, where not all do."""
    box: tuple[float, ...] | None = None
    noise: float = 0.0
    """Standard deviation of a component of the target."""
    hypotheses: Mapping[str, Any] = field(default_factory=dict)
    """By name: held-out evidence and what was decided."""
    frame: str = "inertial"
    """`inertial`, or the body that positions are relative to."""
    held_out_error: Mapping[str, float] = field(default_factory=dict)
    tied_with: tuple[str, ...] = ()
    """Structures that the data do not tell from this one."""
    confidence: float | None = None
    """Stated probability that the announced structure is right."""
    candidates: tuple[Mapping[str, Any], ...] = ()
    """The formulas compared, best first."""

    def record(self) -> dict[str, Any]:
        """As JSON (design section 6); measures of quality to four digits, so that rounding of sums does not show."""
        return {
            "announced": self.announced,
            "reason": self.reason,
            "order": self.law.order,
            "dimension": self.law.dim,
            "pair": {"radial": str(self.law.radial), "transverse": str(self.law.transverse)},
            "single": [str(one) for one in self.law.single] or ["0"] * self.law.dim,
            "divides_by_mass": self.law.divides_by_mass,
            "constants": [
                {"name": c.name, "value": c.value, "standard_error": _short(c.standard_error)} for c in self.constants
            ],
            "properties": dict(self.properties),
            "ties": None if self.ties is None else [list(pair) for pair in self.ties],
            "box": None if self.box is None else list(self.box),
            "noise": _short(self.noise),
            "hypotheses": _short(dict(self.hypotheses)),
            "frame": self.frame,
            "held_out_error": _short(dict(self.held_out_error)),
            "tied_with": list(self.tied_with),
            "confidence": self.confidence,
            "candidates": _short([dict(candidate) for candidate in self.candidates]),
        }

    def write(self, path: Path) -> None:
        """Write the record."""
        write_json(path, self.record())


def _short(content: Any) -> Any:
    """JSON content with its floats to four digits; null where one is not finite, since JSON has no word for it."""
    match content:
        case float():
            return float(f"{content:.4g}") if np.isfinite(content) else None
        case dict():
            return {name: _short(value) for name, value in content.items()}
        case list():
            return [_short(value) for value in content]
    return content


def read_law(record: Mapping[str, Any]) -> Law:
    """The law of a record; `InputError` where it holds none."""
    try:
        dim, properties = int(record["dimension"]), list(record["properties"])
        pair, body = pair_names(properties), body_names(dim, properties)
        single = tuple(parse(text, body) for text in record["single"])
        return Law(
            dim,
            parse(record["pair"]["radial"], pair),
            parse(record["pair"]["transverse"], pair),
            () if all(one == 0 for one in single) else single,
            bool(record["divides_by_mass"]),
            int(record["order"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the record of a law: {error}") from None


def read_announcement(record: Mapping[str, Any]) -> Announcement:
    """What a record announces; `InputError` where it holds none."""
    law = read_law(record)
    try:
        return Announcement(
            bool(record["announced"]),
            law,
            record["reason"],
            tuple(Constant(one["name"], one["value"], one["standard_error"]) for one in record["constants"]),
            record["properties"],
            None if record["ties"] is None else tuple((int(i), int(j)) for i, j in record["ties"]),
            None if record["box"] is None else tuple(record["box"]),
            record["noise"],
            record["hypotheses"],
            record["frame"],
            record["held_out_error"],
            tuple(record["tied_with"]),
            record["confidence"],
            tuple(record["candidates"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"not the record of an announcement: {error}") from None
