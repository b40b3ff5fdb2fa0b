"""Terms that the rate of a body may consist of: pair terms of any radial function, and terms of the body alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy

from lib.registry import Registry
from lib.selection.motion import Motion, symbol_of

RADIAL, TRANSVERSE = "radial", "transverse"


@dataclass(frozen=True)
class PairTerm:
    """Any function of the distance, times powers of the two bodies' properties, along or across the line between them."""

    direction: str
    """`radial` or `transverse`."""
    powers: tuple[tuple[str, float], ...] = ()
    """Symbols such as `m1` (receiver) or `q2` (sender), and their exponents."""

    @property
    def factor(self) -> sympy.Expr:
        """The product of powers."""
        return sympy.Mul(*(sympy.Symbol(name, real=True) ** sympy.nsimplify(power) for name, power in self.powers))

    def weight(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        """The product of powers of each edge, [edges]."""
        found = np.ones_like(columns["r"])
        for name, power in self.powers:
            found = found * columns[name] ** power
        return found

    def __str__(self) -> str:
        return f"{self.direction} {self.factor} f(r)"


@dataclass(frozen=True)
class SingleTerm:
    """A vector of a body's own position and velocity, times powers of its properties."""

    name: str
    """In `VECTORS`."""
    powers: tuple[tuple[str, float], ...] = ()

    @property
    def factor(self) -> sympy.Expr:
        """The product of powers."""
        return PairTerm(RADIAL, self.powers).factor

    def components(self, dim: int) -> list[sympy.Expr]:
        """One expression a component."""
        return [self.factor * one for one in VECTORS.find(self.name)(dim)]

    def __str__(self) -> str:
        return f"{self.factor} {self.name}" if self.powers else self.name


def _axes(dim: int) -> list[sympy.Symbol]:
    return list(sympy.symbols(("x", "y", "z")[:dim], real=True))


def _velocities(dim: int) -> list[sympy.Symbol]:
    return list(sympy.symbols(("vx", "vy", "vz")[:dim], real=True))


def _unit(axis: int) -> Callable[[int], list[sympy.Expr]]:
    return lambda dim: [sympy.Integer(int(k == axis)) for k in range(dim)]


def _turned(vector: list[sympy.Symbol]) -> list[sympy.Expr]:
    return [-vector[1], vector[0], *(sympy.Integer(0) for _ in vector[2:])]


def _along(axis: int) -> Callable[[int], list[sympy.Expr]]:
    return lambda dim: [x if k == axis else sympy.Integer(0) for k, x in enumerate(_axes(dim))]


VECTORS: Registry[Callable[[int], list[sympy.Expr]]] = Registry(
    "single term",
    {
        "uniform field along x": _unit(0),
        "uniform field along y": _unit(1),
        "uniform field along z": _unit(2),
        "harmonic trap": lambda dim: list(_axes(dim)),
        "harmonic along x": _along(0),
        "harmonic along y": _along(1),
        "harmonic along z": _along(2),
        "quartic trap": lambda dim: [x * sum(y**2 for y in _axes(dim)) for x in _axes(dim)],
        "rotation about z": lambda dim: _turned(_axes(dim)),
        "friction": lambda dim: list(_velocities(dim)),
        "quadratic drag": lambda dim: [v * sympy.sqrt(sum(w**2 for w in _velocities(dim))) for v in _velocities(dim)],
        "magnetic field along z": lambda dim: _turned(_velocities(dim)),
    },
)
"""Vectors by name, a function of the dimension; those of velocities belong to motion of second order."""


def pair_terms(properties: list[str], dim: int) -> list[PairTerm]:
    """All products of the receiver's and the sender's properties: mass to -1, 0, 1 and to 0, 1; others to 0, 1 each.

    Of at most two properties at a time.
    """
    choices = []
    for name in properties:
        symbol = symbol_of(name)
        receiver = (-1, 0, 1) if name == "mass" else (0, 1)
        choices.append([((f"{symbol}1", a), (f"{symbol}2", b)) for a in receiver for b in (0, 1)])
    found = []
    for powers in itertools.product(*choices):
        if sum(any(power for _, power in pair) for pair in powers) <= 2:
            flat = tuple((name, float(power)) for pair in powers for name, power in pair if power)
            found += [PairTerm(direction, flat) for direction in ((RADIAL, TRANSVERSE) if dim == 2 else (RADIAL,))]
    return sorted(found, key=lambda term: (term.direction == TRANSVERSE, len(term.powers)))


def single_terms(properties: list[str], dim: int, order: int) -> list[SingleTerm]:
    """All vectors times 1, 1/m, and for each other property q: q and q/m."""
    factors: list[tuple[tuple[str, float], ...]] = [()]
    by_mass = (("m1", -1.0),)
    if "mass" in properties:
        factors.append(by_mass)
    for name in properties:
        if name != "mass":
            factors.append(((f"{symbol_of(name)}1", 1.0),))
            if "mass" in properties:
                factors.append(((f"{symbol_of(name)}1", 1.0), *by_mass))
    found = []
    for name, vector in VECTORS.items():
        symbols = {s for one in vector(dim) for s in one.free_symbols}
        if order == 1 and symbols & set(_velocities(3)):
            continue
        if any(one != 0 for one in vector(dim)):
            found += [SingleTerm(name, powers) for powers in factors]
    return found


def single_columns(term: SingleTerm, motion: Motion) -> np.ndarray:
    """Values [bodies, dim] of a single term."""
    columns = motion.body_columns()
    symbols = [sympy.Symbol(name, real=True) for name in columns]
    found = sympy.lambdify(symbols, term.components(motion.dim), "numpy")(*columns.values())
    return np.stack([np.broadcast_to(np.asarray(one, float), len(motion.position)) for one in found], axis=1)
