"""Dark-matter halos and the density around them: a synthetic catalogue with a planted formula, and Quijote's.

The formula is that of the paper's section 4.3, in which a halo's overdensity is decided by the masses around it:

    delta_i = C1 + e_i / (C2 + C3 e_i + C4 M_i),    e_i = sum over r_ij < 20 of (C5 + C6 M_j) / (C7 + (C8 r_ij)^C9)

Lengths in Mpc/h, masses in 1e14 Msun/h, velocities in km/s, in periodic boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from scipy.spatial import cKDTree

from lib.cache import Record
from lib.errors import InputError
from lib.many_body.problems import NeighbourhoodProblem
from lib.network.catalogue import LARGER
from lib.network.neighbourhoods import Draw, Neighbourhoods
from lib.profiles import get_profile

Columns = TypeVar("Columns", np.ndarray, torch.Tensor)

REACH = 20.0
"""Halos nearer than this are neighbours, Mpc/h, in the graph as in the formula."""
CONSTANTS = (-0.1, 0.8, 0.05, 0.1, 1.0, 0.5, 1.0, 0.2, 2.0)
"""C1 to C9 of the planted formula, of our choice."""
DENSEST = 0.8
"""Quantile of the overdensity above which halos are kept from training, as in the paper: its densest fifth."""
DENSITY = 3e-4
"""Halos in a cubic Mpc/h."""
GROWTH = 0.5
"""Logarithmic growth rate of structure, f."""
BOX, CELLS = 300.0, 64
"""Edge of a synthetic catalogue, Mpc/h, and cells along it."""
BIAS = 1.5
"""Of halos: how strongly they follow the Gaussian field."""


@dataclass(frozen=True)
class Catalogue:
    """Halos in a periodic box."""

    positions: np.ndarray
    """[halos, 3], Mpc/h, in the box."""
    velocities: np.ndarray
    """[halos, 3], km/s."""
    masses: np.ndarray
    """[halos], 1e14 Msun/h."""
    box: float
    """Mpc/h."""


def linear_power(k: np.ndarray, shape: float = 0.2) -> np.ndarray:
    """Power spectrum of cold dark matter up to a factor, at k in h/Mpc (Bardeen et al. 1986, their fit of the transfer)."""
    q = np.maximum(k, 1e-8) / shape
    transfer = np.log1p(2.34 * q) / (2.34 * q)
    transfer *= (1 + 3.89 * q + (16.1 * q) ** 2 + (5.46 * q) ** 3 + (6.71 * q) ** 4) ** -0.25
    return k * transfer**2


def lognormal(seed: int, box: float = BOX, cells: int = CELLS, bias: float = BIAS) -> Catalogue:
    """A synthetic catalogue: halos drawn from exp of a Gaussian field, with its linear velocities.

    The field has unit variance in cells; masses fall as a power law and are higher where halos are dense.
    """
    rng = np.random.default_rng(seed)
    wave = 2 * np.pi * np.fft.fftfreq(cells, box / cells)
    k = np.stack(np.meshgrid(wave, wave, wave[: cells // 2 + 1], indexing="ij"))
    size = np.sqrt((k**2).sum(axis=0))
    noise = np.fft.rfftn(rng.standard_normal((cells,) * 3))
    modes = noise * np.sqrt(linear_power(size))
    modes[0, 0, 0] = 0
    modes /= np.fft.irfftn(modes, (cells,) * 3).std()
    field = np.fft.irfftn(modes, (cells,) * 3)
    flow = [np.fft.irfftn(1j * part / np.maximum(size, 1e-8) ** 2 * modes, (cells,) * 3) for part in k]
    expected = DENSITY * (box / cells) ** 3 * np.exp(bias * field - bias**2 / 2)
    cell = np.repeat(np.arange(cells**3), rng.poisson(expected).ravel())
    corner = np.stack(np.unravel_index(cell, (cells,) * 3), axis=-1)
    positions = (corner + rng.random(corner.shape)) * box / cells
    velocities = 100 * GROWTH * np.stack([part.ravel()[cell] for part in flow], axis=-1)
    masses = 0.1 * (1 + rng.pareto(2.2, len(cell))) * np.exp(0.2 * field.ravel()[cell])
    return Catalogue(positions, velocities, np.minimum(masses, 20.0), box)


def read_fof(folder: Path, box: float, redshift: float = 0.0) -> Catalogue:
    """A friends-of-friends catalogue as Quijote publishes them, from its folder `groups_NNN`.

    Its files `group_tab_NNN.K` are little-endian: a header (groups here, groups in all, ids here: int32; ids in all:
    uint64; files: uint32), then one array after another (length, offset: int32; mass, position, velocity: float32;
    twelve more numbers a group); velocities are over 1 + z. Raises `InputError` if one is missing or is not of that form.
    """
    snapshot = folder.name.rpartition("_")[2]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    files = 1
    while len(parts) < files:
        path = folder / f"group_tab_{snapshot}.{len(parts)}"
        try:
            raw = path.read_bytes()
            here = int(np.frombuffer(raw, "<i4", 1)[0])
            files = int(np.frombuffer(raw, "<u4", 1, offset=20)[0])
            columns = np.frombuffer(raw, "<f4", 21 * here, offset=24)
        except (OSError, ValueError, IndexError) as error:
            raise InputError(f"{path.parent.name}/{path.name} is no group catalogue: {error}") from None
        if here < 0 or len(raw) != 24 + 84 * here or not 0 < files < 10_000:
            raise InputError(f"{path.parent.name}/{path.name} is no group catalogue: {len(raw)} bytes for {here} groups")
        mass, position, velocity = np.split(columns[2 * here : 9 * here], [here, 4 * here])
        parts.append((position.reshape(-1, 3), velocity.reshape(-1, 3), mass))
    positions, velocities, masses = (np.concatenate(column).astype(float) for column in zip(*parts, strict=True))
    # kpc/h and 1e10 Msun/h in the files
    return Catalogue(positions / 1e3 % box, velocities * (1 + redshift), masses / 1e4, box)


def pairs(catalogue: Catalogue, receivers: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Of halos nearer than a radius: the row in `receivers` and the neighbour, [pairs] each; no halo is its own."""
    tree = cKDTree(catalogue.positions % catalogue.box, boxsize=catalogue.box)
    near = tree.query_ball_point(catalogue.positions[receivers] % catalogue.box, radius, return_sorted=True)
    row = np.repeat(np.arange(len(receivers)), [len(found) for found in near])
    neighbour = np.concatenate([np.asarray(found, int) for found in near]) if len(near) else np.zeros(0, int)
    other = neighbour != receivers[row]
    return row[other], neighbour[other]


def separations(catalogue: Catalogue, receiver: np.ndarray, sender: np.ndarray) -> np.ndarray:
    """x1 - x2 of halos [pairs] to the nearest image, [pairs, 3]."""
    separation = catalogue.positions[receiver] - catalogue.positions[sender]
    return separation - catalogue.box * np.round(separation / catalogue.box)


def contribution(r: np.ndarray, mass: np.ndarray, constants: tuple[float, ...] = CONSTANTS) -> np.ndarray:
    """What a neighbour of a mass at a distance r adds to e_i."""
    *_, c5, c6, c7, c8, c9 = constants
    return np.where(r < REACH, (c5 + c6 * mass) / (c7 + (c8 * r) ** c9), 0.0)


def overdensity(catalogue: Catalogue, constants: tuple[float, ...] = CONSTANTS) -> np.ndarray:
    """The planted overdensity of every halo, [halos]."""
    everyone = np.arange(len(catalogue.masses))
    receiver, sender = pairs(catalogue, everyone, REACH)
    r = np.linalg.norm(separations(catalogue, receiver, sender), axis=1)
    e = np.bincount(receiver, contribution(r, catalogue.masses[sender], constants), len(everyone))
    c1, c2, c3, c4, *_ = constants
    return c1 + e / (c2 + c3 * e + c4 * catalogue.masses)


def seeds(split: str, profile: str) -> range:
    """Seeds of the boxes of a split."""
    trajectories = get_profile(profile).trajectories
    source = "test" if split == "dense" else split
    if source not in trajectories:
        raise InputError(f"unknown split {split!r}: choose one of {', '.join(trajectories)}, dense")
    first = 1_000 * list(trajectories).index(source)
    return range(first, first + max(1, trajectories[source] // 500))


def wanted(split: str, profile: str) -> Record:
    """How the catalogues of a split are made."""
    return {
        "seeds": list(seeds(split, profile)),
        "box": BOX,
        "cells": CELLS,
        "bias": BIAS,
        "density": DENSITY,
        "growth": GROWTH,
        "constants": CONSTANTS,
        "reach": REACH,
        "densest": DENSEST,
    }


@cache
def boxes(split: str, profile: str) -> list[tuple[Catalogue, np.ndarray, np.ndarray]]:
    """Synthetic catalogues of a split, their overdensities, and the halos that are its receivers.

    `train`, `validation` and `test` leave out the densest fifth, which is the split `dense`, of the boxes of `test`.
    """
    found = []
    for seed in seeds(split, profile):
        catalogue = lognormal(seed)
        delta = overdensity(catalogue)
        dense = delta > np.quantile(delta, DENSEST)
        found.append((catalogue, delta, np.flatnonzero(dense == (split == "dense"))))
    return found


def draws(split: str, profile: str) -> Draw:
    """Draws halos of a split, those of a draw from one box."""
    every = boxes(split, profile)

    def draw(rng: np.random.Generator, count: int) -> Neighbourhoods:
        catalogue, delta, receivers = every[rng.integers(len(every))]
        return neighbourhoods(catalogue, delta, rng.choice(receivers, count))

    return draw


@dataclass(frozen=True)
class HaloEdges(Generic[Columns]):
    """Edges of halos, [..., 8], with their columns by name."""

    columns: Columns

    @property
    def separation(self) -> Columns:
        """x1 - x2, [..., 3], Mpc/h."""
        return self.columns[..., :3]

    @property
    def velocity(self) -> Columns:
        """v1 - v2, [..., 3], 1,000 km/s."""
        return self.columns[..., 3:6]

    @property
    def m1(self) -> Columns:
        """Masses of receivers, [...]."""
        return self.columns[..., 6]

    @property
    def m2(self) -> Columns:
        """Masses of neighbours, [...]."""
        return self.columns[..., 7]


def swapped(edges: torch.Tensor) -> torch.Tensor:
    """Edges [edges, 8] with their ends swapped."""
    one = HaloEdges(edges)
    return torch.cat([-one.separation, -one.velocity, torch.stack([one.m2, one.m1], dim=-1)], dim=-1)


PROBLEM = NeighbourhoodProblem(
    LARGER["9_halos"].system,
    features=1,
    edge_features=8,
    outputs=1,
    channels=1,
    budget_fraction=1 / 6,
    reverse=swapped,
    draws=draws,
    wanted=wanted,
)
"""Overdensities from the masses, separations and velocities of neighbours."""


def neighbourhoods(catalogue: Catalogue, delta: np.ndarray, receivers: np.ndarray) -> Neighbourhoods:
    """Halos [receivers] with their neighbours within `REACH`, and the overdensities [halos] to be predicted.

    A receiver has its mass as its feature; an edge the columns of `HaloEdges`.
    """
    row, sender = pairs(catalogue, receivers, REACH)
    receiver = receivers[row]
    velocity = (catalogue.velocities[receiver] - catalogue.velocities[sender]) / 1e3
    both = np.stack([catalogue.masses[receiver], catalogue.masses[sender]], axis=1)
    edges = np.concatenate([separations(catalogue, receiver, sender), velocity, both], axis=1)
    return Neighbourhoods(
        torch.as_tensor(catalogue.masses[receivers, None], dtype=torch.float32),
        torch.as_tensor(edges, dtype=torch.float32),
        torch.as_tensor(row),
        torch.as_tensor(delta[receivers, None], dtype=torch.float32),
    )
