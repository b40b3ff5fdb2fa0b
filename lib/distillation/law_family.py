"""A law and its neighbours: the registry's formula with every constant and every exponent free.

Whatever an expression is written like, it is the law if its values are those of a member of this family whose constants
and exponents are the law's. So no algebra decides, and no dress hides a law.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import sympy
from scipy.optimize import least_squares

from lib.physics.laws import M1, M2, SOFTENING, Law, S

R, C = sympy.symbols("r c", real=True)
"""Distance, and the constant of a softening."""
SOFTENINGS: dict[str, sympy.Expr] = {"r + c": R + C, "none": R, "sqrt(r^2 + c^2)": sympy.sqrt(R**2 + C**2)}
"""Forms of the softened distance."""


@dataclass(frozen=True)
class Parameter:
    """What is free in a family."""

    symbol: sympy.Symbol
    name: str
    """As it is told."""
    value: float
    """That of the law."""
    kind: str
    """`constant`, `exponent`, or `free`: what the law has no value of."""


@dataclass(frozen=True)
class Family:
    """A sum of terms with parameters."""

    terms: tuple[sympy.Expr, ...]
    """Of every form that it takes."""
    expression: sympy.Expr
    parameters: tuple[Parameter, ...]
    inputs: tuple[sympy.Symbol, ...]

    @property
    def law(self) -> np.ndarray:
        """The parameters that make the law."""
        return np.array([p.value for p in self.parameters])

    @cached_property
    def _symbols(self) -> list[sympy.Symbol]:
        return [*(p.symbol for p in self.parameters), *self.inputs]

    @cached_property
    def _value(self) -> Callable[..., np.ndarray]:
        return sympy.lambdify(self._symbols, self.expression, "numpy", cse=True)

    @cached_property
    def _slopes(self) -> list[Callable[..., np.ndarray]]:
        return [sympy.lambdify(self._symbols, sympy.diff(self.expression, p.symbol), "numpy") for p in self.parameters]

    @cached_property
    def _sizes(self) -> Callable[..., np.ndarray]:
        return sympy.lambdify(self._symbols, sum((sympy.Abs(term) for term in self.terms), sympy.S.Zero), "numpy")

    def _columns(self, columns: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return [columns[str(name)] for name in self.inputs]

    def __call__(self, parameters: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Values [points] of the member with those parameters."""
        inputs = self._columns(columns)
        return np.broadcast_to(np.asarray(self._value(*parameters, *inputs), float), inputs[0].shape)

    def slopes(self, parameters: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Derivatives [points, parameters]."""
        inputs = self._columns(columns)
        found = [np.broadcast_to(np.asarray(one(*parameters, *inputs), float), inputs[0].shape) for one in self._slopes]
        return np.stack(found, axis=1) if found else np.zeros((len(inputs[0]), 0))

    def sizes(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Sum of the sizes of the law's terms, [points]: what deviations are measured in, also where terms cancel."""
        inputs = self._columns(columns)
        return np.broadcast_to(np.asarray(self._sizes(*self.law, *inputs), float), inputs[0].shape)

    def nearest(self, values: np.ndarray, scale: np.ndarray, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Parameters of the member nearest to values [points], in units of a scale [points]."""
        units = np.array([abs(p.value) if p.kind != "exponent" else 1.0 for p in self.parameters])

        def residual(relative: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return np.nan_to_num((self(relative * units, columns) - values) / scale, nan=1e6, posinf=1e6, neginf=-1e6)

        def slope(relative: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                found = self.slopes(relative * units, columns) * units / scale[:, None]
            return np.nan_to_num(found, posinf=0.0, neginf=0.0)

        if not self.parameters:
            return self.law
        return least_squares(residual, self.law / units, slope, xtol=1e-13, ftol=1e-13, gtol=1e-13, max_nfev=60).x * units


class _Freed:
    """Terms with symbols in place of their constants and exponents."""

    def __init__(self, masses_vary: bool) -> None:
        self.masses_vary = masses_vary
        self.parameters: list[Parameter] = []

    def new(self, name: str, value: float, kind: str) -> sympy.Symbol:
        symbol = sympy.Symbol(f"free{len(self.parameters)}", real=True)
        self.parameters.append(Parameter(symbol, name, float(value), kind))
        return symbol

    def term(self, term: sympy.Expr, coefficient: sympy.Expr | None) -> sympy.Expr:
        """A term with its coefficient, the exponents of distance and masses, and the constants in exponentials free."""
        number, rest = term.as_coeff_Mul()
        free = self.new(f"constant of {rest}", number, "constant") if coefficient is None else coefficient
        absent = (S, M1, M2) if self.masses_vary else (S,)
        powers = dict.fromkeys(absent, sympy.S.Zero) | dict(rest.as_powers_dict())
        for base, exponent in powers.items():
            if isinstance(base, sympy.exp) or base is sympy.E:
                inner = base.args[0] * exponent if isinstance(base, sympy.exp) else exponent
                rate, what = inner.as_coeff_Mul()
                free *= sympy.exp(self.new(f"constant of {what} in exp", rate, "constant") * what)
            elif base in (S, M1, M2) and exponent.is_number and (base is S or self.masses_vary):
                free *= base ** self.new(f"exponent of {base} in {rest}", exponent, "exponent")
            else:
                free *= base**exponent
        return free

    def piece(self, force: sympy.Expr, linear: bool) -> list[sympy.Expr]:
        """The terms of a sum, freed; of a force that is linear in s, what is constant is its slope times a rest length."""
        terms = [term for term in sympy.Add.make_args(force) if term != 0]
        leading = [term for term in terms if linear and term.has(S)]
        done = [self.term(term, None) for term in leading]
        for term in terms:
            if term in leading:
                continue
            if leading and not (term * M1).free_symbols - {M1}:
                length = -float(term.as_coeff_Mul()[0] / leading[0].as_coeff_Mul()[0])
                slope = next(p.symbol for p in self.parameters if done[0].has(p.symbol) and p.kind == "constant")
                done.append(self.term(term, -slope * self.new("rest length", length, "constant")))
            else:
                done.append(self.term(term, None))
        return done


@cache
def of_pair(law: Law, softening: str, divided: bool = True, masses_vary: bool = True) -> Family:
    """The family of the pair's part of the acceleration, F/m1 if `divided`, or of the force, under a form of softening.

    A force that is linear in s has no softening r + c of its own: it is a shorter rest length, which is given in r.
    """
    freed = _Freed(masses_vary)
    pieces = law.force.args if isinstance(law.force, sympy.Piecewise) else [(law.force, sympy.true)]
    linear = all(force.is_polynomial(S) for force, _ in pieces)
    shift = sympy.nsimplify(SOFTENING) if linear else sympy.S.Zero
    form = R if linear and softening == "r + c" else SOFTENINGS[softening]
    found = [freed.piece(sympy.expand(force.subs(S, S + shift) / (M1 if divided else 1)), linear) for force, _ in pieces]
    found = [[term.subs(S, form) for term in terms] for terms in found]
    cases = [(sympy.Add(*terms), where.subs(S, R + SOFTENING)) for terms, (_, where) in zip(found, pieces, strict=True)]
    expression = sympy.Piecewise(*cases) if len(cases) > 1 else cases[0][0]
    if any(part.has(C) for part in itertools.chain(*found)):
        kind = "constant" if softening == "r + c" else "free"
        freed.parameters.append(Parameter(C, "softening", SOFTENING, kind))
    inputs = tuple(sympy.symbols("r m1 m2 q1 q2", real=True))
    return Family(tuple(itertools.chain(*found)), expression, tuple(freed.parameters), inputs)


@cache
def of_single(law: Law, dim: int, n: int, masses_vary: bool = True) -> list[Family] | None:
    """The families of the components of everything else that accelerates a body, of n; None if no formula holds for all.

    Constants of each term, and exponents of the mass, are free.
    """
    friction = np.unique(law.friction(n))
    if len(friction) > 1:
        return None
    axes = ("x", "y", "z")[:dim]
    inputs = tuple(sympy.symbols([*axes, *(f"v{axis}" for axis in axes), "m1", "q1"], real=True))
    found = []
    for axis in axes:
        freed = _Freed(masses_vary)
        place, velocity = sympy.symbols(f"{axis} v{axis}", real=True)
        energies = sympy.Add.make_args(law.field.formula)
        terms = [*(-sympy.diff(energy, place) / M1 for energy in energies), -sympy.Float(friction[0]) * velocity / M1]
        done = [_free_single(freed, term) for term in terms if term != 0]
        found.append(Family(tuple(done), sympy.Add(*done), tuple(freed.parameters), inputs))
    return found


def _free_single(freed: _Freed, term: sympy.Expr) -> sympy.Expr:
    number, rest = term.as_coeff_Mul()
    mass = freed.new(f"exponent of m1 in {rest}", 0.0, "exponent") if freed.masses_vary else sympy.S.Zero
    return freed.new(f"constant of {rest}", number, "constant") * rest * M1**mass
