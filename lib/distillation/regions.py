"""Pairs of bodies by region: light and heavy receivers, close and far, charges of either sign, and beyond the data.

A form that is wrong for light receivers, or for close pairs, is not saved by all the others: each region stands by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from sympy.core.relational import Relational

from lib.physics.bodies import Bodies
from lib.physics.forces import Pairs, edge_inputs
from lib.physics.laws import SOFTENING, Law
from lib.physics.simulate import initial_bodies
from lib.runs import System

STREAM = 11
"""Random stream of the bodies, of which no split of the data is drawn."""
GRAPHS, BODIES = 4_000, 4
RARE = 1e-3
"""Fraction of pairs, or of bodies, on either side of what counts as the range of the data."""
CLOSE, FAR = 0.05, 0.95
"""Quantiles of distance within which pairs are neither close nor far."""
CELL = 16
"""Pairs of each mass and distance."""
BESIDE = (0.0105, 0.012, 0.015, 0.02, 0.03, 0.05, 0.1)
"""Relative distances from a threshold of the law at which pairs are placed."""


@dataclass(frozen=True)
class Regions:
    """Points with their inputs by name, and what region each lies in."""

    columns: Mapping[str, np.ndarray]
    """Each [points]."""
    masks: Mapping[str, np.ndarray]
    """By region, [points; bool]; a point may lie in several."""

    def take(self, chosen: np.ndarray) -> Regions:
        """The chosen points [points; bool]."""
        return Regions(
            {name: values[chosen] for name, values in self.columns.items()},
            {name: mask[chosen] for name, mask in self.masks.items()},
        )

    def largest(self, relative: np.ndarray) -> float:
        """Of residuals [points] the root mean square in the region where it is largest; infinite where one is not finite."""
        sizes = [float(np.sqrt((relative[mask] ** 2).mean())) for mask in self.masks.values() if mask.any()]
        return max(sizes) if np.isfinite(sizes).all() else np.inf


def drawn_bodies(system: System) -> np.ndarray:
    """Bodies [graphs, n, 2*dim+2] like those that trajectories begin with, the same on every machine."""
    return initial_bodies(system.law, GRAPHS, BODIES, system.dim, seed=0, stream=STREAM)


def drawn_pairs(law: Law, bodies: np.ndarray) -> np.ndarray:
    """Inputs [pairs, dim+5] of the pairs of bodies [graphs, n, 2*dim+2] that act on each other, one way and back."""
    i, j = law.pairs(bodies.shape[1]).T
    receiver, sender = np.concatenate([i, j]), np.concatenate([j, i])
    inputs = edge_inputs(bodies[:, receiver], bodies[:, sender])
    return inputs.reshape(-1, inputs.shape[-1])


def thresholds(law: Law) -> list[float]:
    """Distances r at which the law's force changes its form."""
    found = [number for condition in law.force.atoms(Relational) for number in condition.args if number.is_number]
    return [float(number) - SOFTENING for number in found]


def spans(values: np.ndarray) -> dict[str, tuple[float, float]]:
    """Ranges of masses by name: each decade in the range of the data, and beyond at either end; one where all are alike."""
    low, high = np.quantile(values, [RARE, 1 - RARE])
    if low == high:
        return {"of one mass": (low, high)}
    decades = 10.0 ** np.arange(np.ceil(np.log10(low)), np.ceil(np.log10(high)))
    edges = [low, *decades, high]
    named = {f"receivers of {a:.2g} to {b:.2g}": (a, b) for a, b in itertools.pairwise(edges)}
    return {"receivers lighter than the data": (low / 5, low)} | named | {"receivers heavier than the data": (high, 5 * high)}


def distances(r: np.ndarray) -> dict[str, tuple[float, float]]:
    """Ranges of distances by name."""
    nearest, close, far, farthest = np.quantile(r, [RARE, CLOSE, FAR, 1 - RARE])
    return {
        "nearer than the data": (nearest / 2, nearest),
        "close": (nearest, close),
        "neither close nor far": (close, far),
        "far": (far, farthest),
        "farther than the data": (farthest, 3 * farthest),
    }


@cache
def of_pairs(law: Law, system: System) -> Regions:
    """Pairs in `r, m1, m2, q1, q2`, as many in each region; a quantity that never varies in the data stays what it is."""
    rng = np.random.default_rng(0)
    bodies = drawn_bodies(system)
    pairs = Pairs(drawn_pairs(law, bodies))
    masses, charges = Bodies(bodies).mass, Bodies(bodies).charge
    light, heavy = np.quantile(masses, [RARE / 5, 1 - RARE / 5])
    beside = beside_thresholds(law)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("r", "m1", "m2", "q1", "q2")}
    labels: list[tuple[str, str]] = []
    for mass, (lightest, heaviest) in spans(masses).items():
        for distance, (nearest, farthest) in (
            distances(pairs.r) | ({"beside a threshold": (0, 0)} if len(beside) else {})
        ).items():
            count = len(beside) if distance == "beside a threshold" else CELL
            r = beside if distance == "beside a threshold" else _spread(rng, nearest, farthest, count)
            one, two = _spread(rng, lightest, heaviest, count), _spread(rng, light, heavy, count)
            row = (r, one, two, _charges(rng, charges, count), _charges(rng, charges, count))
            for values, new in zip(columns.values(), row, strict=True):
                values.append(new)
            labels += [(mass, distance)] * count
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    names = np.array(labels)
    masks = {f"{a}, {b}": (names == (a, b)).all(axis=1) for a, b in dict.fromkeys(labels)}
    for one in (-1, 1):
        for two in (-1, 1):
            masks[f"charges of sign {one:+d} and {two:+d}"] = (np.sign(joined["q1"]) == one) & (np.sign(joined["q2"]) == two)
    return Regions(joined, masks)


@cache
def of_bodies(law: Law, system: System) -> Regions:
    """Single bodies in `x, y[, z], vx, vy[, vz], m1, q1`: by mass, and farther and faster than the data."""
    rng = np.random.default_rng(1)
    drawn = drawn_bodies(system).reshape(-1, 2 * system.dim + 2)
    parts, names = [], []
    for mass, (lightest, heaviest) in spans(Bodies(drawn).mass).items():
        for where, factor in (("as in the data", 1.0), ("beyond the data", 3.0)):
            one = Bodies(drawn[rng.choice(len(drawn), 4 * CELL)].copy())
            one.position[:] *= factor
            one.velocity[:] = factor * rng.standard_normal(one.velocity.shape)  # whatever the bodies begin with
            one.mass[:] = _spread(rng, lightest, heaviest, 4 * CELL)
            parts.append(one.features)
            names += [f"{mass}, {where}"] * (4 * CELL)
    bodies = Bodies(np.concatenate(parts))
    axes = ("x", "y", "z")[: system.dim]
    columns = {axis: bodies.position[:, k] for k, axis in enumerate(axes)}
    columns |= {f"v{axis}": bodies.velocity[:, k] for k, axis in enumerate(axes)}
    columns |= {"m1": bodies.mass, "q1": bodies.charge}
    return Regions(columns, {name: np.array(names) == name for name in dict.fromkeys(names)})


def without(regions: Regions, at: list[float], within: float) -> Regions:
    """The regions less the pairs whose distance is within a part of a threshold."""
    r = regions.columns["r"]
    return regions.take(np.all([np.abs(r / one - 1) > within for one in at], axis=0)) if at else replace(regions)


@dataclass(frozen=True)
class Grid:
    """Receivers, each with the same senders: where messages are judged, and the references where their gauge is read off."""

    judged: np.ndarray
    """[receivers, senders, dim+5], see `forces.input_names`."""
    references: np.ndarray
    """[receivers, references, dim, 2, dim+5]: senders within the range of the data, seen along each axis both ways."""
    axes: np.ndarray
    """[dim, dim], one axis a row; none is a coordinate axis, where some expressions divide by zero."""
    masks: Mapping[str, np.ndarray]
    """By region, [receivers, senders; bool]."""
    receivers: Mapping[str, np.ndarray]
    """By range of masses, [receivers; bool]."""
    within: np.ndarray
    """[receivers; bool], those with masses and charges as in the data."""
    senders_within: np.ndarray
    """[senders; bool], those at distances within the range of the data."""

    @property
    def mass(self) -> np.ndarray:
        """Of receivers, [receivers]."""
        return Pairs(self.judged[:, 0]).m1

    @property
    def charge(self) -> np.ndarray:
        """Of receivers, [receivers]."""
        return Pairs(self.judged[:, 0]).q1

    @property
    def masses_vary(self) -> bool:
        """Whether the data hold more than one mass."""
        return bool(np.ptp(self.mass) > 0)

    @property
    def lines(self) -> np.ndarray:
        """Directions of the pairs along `axes`, [receivers, senders, dim]."""
        return Pairs(self.judged).line @ self.axes.T

    def largest(self, relative: np.ndarray) -> float:
        """Of residuals [receivers, senders] the root mean square in the region where it is largest."""
        return max(float(np.sqrt((relative[mask] ** 2).mean())) for mask in self.masks.values() if mask.any())


RECEIVERS, SENDERS, REFERENCES = 6, 12, 5
"""Of a grid: receivers of each range of masses, senders at each range of distances, and senders that a gauge is read off."""


@cache
def grid(law: Law, system: System) -> Grid:
    """The grid of a law, the same on every machine."""
    rng = np.random.default_rng(2)
    bodies = drawn_bodies(system)
    drawn = Pairs(drawn_pairs(law, bodies))
    masses, charges = Bodies(bodies).mass.ravel(), Bodies(bodies).charge
    axes = np.linalg.qr(rng.standard_normal((system.dim, system.dim)))[0]

    ranges, away = spans(masses), distances(drawn.r)
    of_mass = np.repeat(list(ranges), RECEIVERS)
    m1 = np.concatenate([_spread(rng, *span, RECEIVERS) for span in ranges.values()])
    q1 = _charges(rng, charges, len(m1), other=0.0)
    q1 *= np.sign(q1) * np.where(np.arange(len(m1)) % 2, 1, -1)
    strange = np.arange(len(m1)) % RECEIVERS >= RECEIVERS - 2
    q1[strange] *= rng.uniform(0.3, 4, strange.sum())
    low, high = np.quantile(masses, [RARE, 1 - RARE])

    at = np.concatenate([np.repeat(list(away), SENDERS), np.repeat(["beside a threshold"], len(beside_thresholds(law)))])
    r = np.concatenate([*(_spread(rng, *span, SENDERS) for span in away.values()), beside_thresholds(law)])
    judged = _crossed(rng, m1, q1, r, masses, charges, axes)
    clear = np.ones(len(r), bool)
    for one in thresholds(law):
        clear &= np.abs(r / one - 1) > 0.999 * min(BESIDE)
    names = {(a, b): np.outer(of_mass == a, at == b) for a in ranges for b in dict.fromkeys(at)}
    masks = {f"{a}, {b}": mask & clear for (a, b), mask in names.items()}
    pairs = Pairs(judged)
    for one in (-1, 1):
        for two in (-1, 1):
            masks[f"charges of sign {one:+d} and {two:+d}"] = (np.sign(pairs.q1) == one) & (np.sign(pairs.q2) == two) & clear

    usual = np.quantile(drawn.r, np.linspace(0.3, FAR, REFERENCES))
    steady = _crossed(rng, m1, q1, usual, np.sqrt(masses), np.abs(charges), axes)
    references = np.repeat(np.repeat(steady[:, :, None, None], system.dim, axis=2), 2, axis=3)
    ends = Pairs(references)
    ends.separation[:] = ends.r[..., None] * axes[:, None] * np.array([1, -1])[:, None]
    return Grid(
        judged,
        references,
        axes,
        masks,
        {name: of_mass == name for name in ranges},
        (m1 >= low) & (m1 <= high) & ~strange,
        (r >= away["close"][0]) & (r <= away["far"][1]) & clear,
    )


def _crossed(
    rng: np.random.Generator,
    m1: np.ndarray,
    q1: np.ndarray,
    r: np.ndarray,
    masses: np.ndarray,
    charges: np.ndarray,
    axes: np.ndarray,
) -> np.ndarray:
    """Inputs [receivers, senders, dim+5] of senders at distances r, in random directions, with masses and charges drawn."""
    pairs = Pairs(np.empty((len(m1), len(r), len(axes) + 5)))
    line = rng.standard_normal((len(r), len(axes)))
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    pairs.r[:], pairs.separation[:] = r, r[:, None] * line
    light, heavy = np.quantile(masses, [RARE / 5, 1 - RARE / 5])
    pairs.m1[:], pairs.q1[:] = m1[:, None], q1[:, None]
    pairs.m2[:] = _spread(rng, light, heavy, len(r))
    pairs.q2[:] = np.abs(_charges(rng, charges, len(r))) if (charges >= 0).all() else _charges(rng, charges, len(r))
    return pairs.inputs


def beside_thresholds(law: Law) -> np.ndarray:
    """Distances on either side of the law's thresholds."""
    return np.array([at * (1 + sign * by) for at in thresholds(law) for by in BESIDE for sign in (-1, 1)])


def _charges(rng: np.random.Generator, charges: np.ndarray, count: int, other: float = 0.5) -> np.ndarray:
    """Charges of either sign, a part of them of other sizes than those of the data: charges of 1 alone excuse q1^3."""
    sizes = rng.choice(np.abs(charges).ravel(), count) * np.where(rng.random(count) < other, rng.uniform(0.3, 4, count), 1.0)
    return rng.choice([-1.0, 1.0], count) * sizes


def _spread(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Numbers spread evenly in their logarithm."""
    return np.exp(rng.uniform(np.log(low), np.log(high), count)) if low < high else np.full(count, float(low))
