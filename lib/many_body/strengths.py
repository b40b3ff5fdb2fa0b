"""Formulas for one system of bodies whose strengths are unknown: fitted to accelerations, judged on later times.

    a_i = sum_j [radial u_ij + along w_ij + normal (u_ij x w_ij)] + single_i

with u_ij the unit vector from j to i and w_ij = v_i - v_j. The noise of each body is unknown too: the fit minimizes
sum_i log(rms residual of body i), the likelihood of normal noise with one variance a body, so that a body that moves slowly
counts as much as a fast one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy

from lib.distillation.expressions import complexity, parse

PAIR_NAMES = ("r", "v", "vr", "m1", "m2")
"""Distance, relative speed, dr/dt, strength of the receiver and of the sender."""
BODY_NAMES = ("x", "y", "z", "vx", "vy", "vz", "m1")
WEAK = 1e-6
"""Strength beside the first body's at which a fit may begin."""
STEPS = 60
"""Steps of a fit at most."""
CORRECTION = 1e-6
"""A term that makes up less than this of every body's acceleration is a correction, and no part of the leading law."""
CONVERGED = 1e-7
"""A fit ends where three steps lower the mean log misfit by less."""


@dataclass(frozen=True)
class Hypothesis:
    """A formula with unknown constants, as text in `PAIR_NAMES` (pairs), `BODY_NAMES` (single) and the constants."""

    name: str
    radial: str
    start: Mapping[str, float]
    """Constants, each with the value that a fit begins at."""
    along: str = "0"
    normal: str = "0"
    single: tuple[str, str, str] = ("0", "0", "0")

    @cached_property
    def pair_formulas(self) -> list[sympy.Expr]:
        """Radial, along, normal."""
        return [parse(text, [*PAIR_NAMES, *self.start]) for text in (self.radial, self.along, self.normal)]

    @cached_property
    def single_formulas(self) -> list[sympy.Expr]:
        """Components x, y, z."""
        return [parse(text, [*BODY_NAMES, *self.start]) for text in self.single]

    @property
    def complexity(self) -> int:
        """Nodes of all its formulas that are not zero."""
        return sum(complexity(one) for one in (*self.pair_formulas, *self.single_formulas) if one != 0)

    @property
    def kinds(self) -> int:
        """Different operators, inputs and constants in its formulas."""
        formulas = [one for one in (*self.pair_formulas, *self.single_formulas) if one != 0]
        nodes = {node for one in formulas for node in sympy.preorder_traversal(one)}
        return len({node if node.is_Atom else node.func for node in nodes})

    @property
    def has_strengths(self) -> bool:
        """Whether any formula depends on a body's strength."""
        return any(one.has(symbol("m1")) or one.has(symbol("m2")) for one in (*self.pair_formulas, *self.single_formulas))

    @cached_property
    def values(self) -> tuple[Callable, Callable]:
        """The pair's and the single body's formulas as functions, each of a list of three arrays."""
        return self._compiled(self.pair_formulas, PAIR_NAMES, []), self._compiled(self.single_formulas, BODY_NAMES, [])

    @cached_property
    def derivatives(self) -> tuple[Callable, Callable]:
        """Of the pair's formulas by m1, m2 and each constant, and of the single body's by m1 and each constant."""
        of_pairs = self._compiled(self.pair_formulas, PAIR_NAMES, ["m1", "m2", *self.start])
        return of_pairs, self._compiled(self.single_formulas, BODY_NAMES, ["m1", *self.start])

    def _compiled(self, formulas: list[sympy.Expr], inputs: tuple[str, ...], by: list[str]) -> Callable:
        wanted = [one.diff(symbol(name)) for name in by for one in formulas] if by else formulas
        return sympy.lambdify([symbol(name) for name in (*inputs, *self.start)], wanted, "numpy", cse=True)


def symbol(name: str) -> sympy.Symbol:
    """The symbol of a name in the formulas."""
    return sympy.Symbol(name, real=True)


@dataclass(frozen=True)
class Places:
    """Positions and velocities [times, bodies, 3] as formulas read them: ordered pairs, in the order of their receivers."""

    position: np.ndarray
    velocity: np.ndarray
    receiver: np.ndarray
    """[pairs]"""
    sender: np.ndarray
    """[pairs]"""
    directions: tuple[np.ndarray, np.ndarray, np.ndarray]
    """u, w and u x w, each [times, pairs, 3]."""
    inputs: tuple[np.ndarray, np.ndarray, np.ndarray]
    """r, v and vr, each [times, pairs]."""

    @classmethod
    def of(cls, position: np.ndarray, velocity: np.ndarray) -> Places:
        """Of positions and velocities [times, bodies, 3]."""
        i, j = np.nonzero(~np.eye(position.shape[1], dtype=bool))
        separation, relative = position[:, i] - position[:, j], velocity[:, i] - velocity[:, j]
        r = np.linalg.norm(separation, axis=-1)
        u = separation / r[..., None]
        inputs = (r, np.linalg.norm(relative, axis=-1), (u * relative).sum(axis=-1))
        return cls(position, velocity, i, j, (u, relative, np.cross(u, relative)), inputs)

    @property
    def components(self) -> tuple[np.ndarray, ...]:
        """x, y, z, vx, vy, vz, each [times, bodies]."""
        return (*np.moveaxis(self.position, -1, 0), *np.moveaxis(self.velocity, -1, 0))

    def vectors(self, parts: list) -> np.ndarray:
        """[times, pairs, 3] of components along the three directions."""
        pairs = zip(parts, self.directions, strict=True)
        used = [np.asarray(part)[..., None] * direction for part, direction in pairs if np.any(part)]
        return sum(used, np.zeros_like(self.directions[0]))

    def summed(self, parts: list) -> np.ndarray:
        """[times, bodies, 3] over the senders of each receiver."""
        times, n, _ = self.position.shape
        return self.vectors(parts).reshape(times, n, n - 1, 3).sum(axis=2)

    def own(self, parts: list) -> np.ndarray:
        """[times, bodies, 3] of what acts on a body alone."""
        return np.stack([np.broadcast_to(part, self.position.shape[:2]) for part in parts], axis=-1)


@dataclass(frozen=True)
class System:
    """States of the same bodies at several times, with their accelerations."""

    time: np.ndarray
    """[times]"""
    position: np.ndarray
    """[times, bodies, 3]"""
    velocity: np.ndarray
    """[times, bodies, 3]"""
    acceleration: np.ndarray
    """[times, bodies, 3]"""

    @property
    def n(self) -> int:
        """Bodies."""
        return self.position.shape[1]

    @property
    def size(self) -> np.ndarray:
        """Root mean square of each body's acceleration, [bodies]."""
        return np.sqrt((self.acceleration**2).mean(axis=(0, 2)))

    @cached_property
    def places(self) -> Places:
        """Positions and velocities as formulas read them."""
        return Places.of(self.position, self.velocity)

    def take(self, chosen: np.ndarray | slice) -> System:
        """The states at some of the times."""
        return System(*(values[chosen] for values in (self.time, self.position, self.velocity, self.acceleration)))


def accelerations(hypothesis: Hypothesis, point: np.ndarray, places: Places) -> np.ndarray:
    """[times, bodies, 3] by a formula at a point [bodies + constants]: strengths, then constants."""
    n = places.position.shape[1]
    strengths, constants = point[:n], point[n:]
    of_pairs, of_bodies = hypothesis.values
    with np.errstate(all="ignore"):
        found = of_pairs(*places.inputs, strengths[places.receiver], strengths[places.sender], *constants)
        alone = of_bodies(*places.components, strengths, *constants)
        return places.summed(found) + places.own(alone)


def slopes(hypothesis: Hypothesis, point: np.ndarray, places: Places) -> np.ndarray:
    """Derivatives of the accelerations by strengths and constants, [times, bodies, 3, bodies + constants]."""
    times, n, _ = places.position.shape
    strengths, constants = point[:n], point[n:]
    of_pairs, of_bodies = hypothesis.derivatives
    with np.errstate(all="ignore"):
        found = of_pairs(*places.inputs, strengths[places.receiver], strengths[places.sender], *constants)
        alone = of_bodies(*places.components, strengths, *constants)
    by = np.zeros((times, n, 3, len(point)))
    by[:, places.receiver, :, places.sender] += np.moveaxis(places.vectors(found[3:6]), 1, 0)
    by[:, range(n), :, range(n)] += np.moveaxis(places.summed(found[:3]) + places.own(alone[:3]), 1, 0)
    for k in range(len(constants)):
        by[..., n + k] = places.summed(found[6 + 3 * k : 9 + 3 * k]) + places.own(alone[3 + 3 * k : 6 + 3 * k])
    return by


@dataclass(frozen=True)
class Fit:
    """A formula with its constants and the strengths of all bodies, relative to the first one."""

    hypothesis: Hypothesis
    strengths: np.ndarray
    """[bodies]; the first is 1, which is the unit."""
    constants: Mapping[str, float]
    misfit: np.ndarray
    """Root mean square of the residual of a component, [bodies]."""

    @property
    def point(self) -> np.ndarray:
        """Strengths and constants, [bodies + constants]."""
        return np.r_[self.strengths, list(self.constants.values())]

    def predict(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Accelerations [times, bodies, 3]."""
        return accelerations(self.hypothesis, self.point, Places.of(position, velocity))

    def share(self, system: System) -> float:
        """The largest part of any body's rms acceleration that the formula makes up."""
        made = np.sqrt((self.predict(system.position, system.velocity) ** 2).mean(axis=(0, 2)))
        return float((made / system.size).max())

    def residual(self, system: System) -> np.ndarray:
        """[times, bodies, 3]"""
        return system.acceleration - accelerations(self.hypothesis, self.point, system.places)


def free_parameters(hypothesis: Hypothesis, n: int) -> np.ndarray:
    """Which of strengths and constants a fit may change, [bodies + constants; bool]: the first body's strength is the unit."""
    return np.r_[False, np.full(n - 1, hypothesis.has_strengths), np.full(len(hypothesis.start), True)]


def fit(hypothesis: Hypothesis, system: System, begin: Fit | None = None) -> Fit:
    """By Gauss-Newton steps, halved where they do not lower the misfit.

    It begins at the strengths and constants of another fit; or else at strengths that are all alike, and at weak ones beside
    the first body's, of which the better end counts.
    """
    if begin is not None:
        return _descend(hypothesis, system, begin.strengths, dict(hypothesis.start) | _shared(begin.constants, hypothesis))
    ends = [_descend(hypothesis, system, np.r_[1.0, np.full(system.n - 1, weak)], hypothesis.start) for weak in (1.0, WEAK)]
    return min(ends, key=lambda end: np.log(end.misfit).mean())


def _shared(constants: Mapping[str, float], hypothesis: Hypothesis) -> dict[str, float]:
    return {name: value for name, value in constants.items() if name in hypothesis.start}


def _descend(hypothesis: Hypothesis, system: System, strengths: np.ndarray, constants: Mapping[str, float]) -> Fit:
    free = free_parameters(hypothesis, system.n)
    point = np.r_[strengths, list(constants.values())]

    def at(point: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        residual = system.acceleration - accelerations(hypothesis, point, system.places)
        with np.errstate(all="ignore"):
            misfit = np.sqrt((residual**2).mean(axis=(0, 2)))
            score = np.log(misfit).mean()
        return residual, misfit, score if np.isfinite(score) else np.inf

    residual, misfit, score = at(point)
    idle = 0
    for _ in range(STEPS):
        step = np.zeros(len(point))
        step[free] = solve(*equations(residual, slopes(hypothesis, point, system.places)[..., free], misfit))
        for fraction in 0.5 ** np.arange(12):
            trial = at(point + fraction * step)
            if trial[-1] < score:
                break
        else:
            break
        idle = idle + 1 if score - trial[-1] < CONVERGED else 0
        point, (residual, misfit, score) = point + fraction * step, trial
        if idle == 3:
            break
    return Fit(hypothesis, point[: system.n], dict(zip(constants, point[system.n :].tolist(), strict=True)), misfit)


def equations(residual: np.ndarray, by: np.ndarray, misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted matrix [equations, parameters] and right side [equations] of a step."""
    weight = 1 / misfit[:, None]
    return (by * weight[..., None]).reshape(-1, by.shape[-1]), (residual * weight).reshape(-1)


def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Least squares, with columns scaled to one length first; a column of zeros gets none."""
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0] = 1
    if not np.isfinite(length).all():
        return np.zeros(matrix.shape[1])
    return np.linalg.lstsq(matrix / length, right, rcond=1e-14)[0] / length


@dataclass(frozen=True)
class Judged:
    """A formula fitted to early times and judged on later ones."""

    fit: Fit
    held_out: np.ndarray
    """log(rms residual / rms acceleration), [blocks of time, bodies]."""
    length: float
    """Description length, nats, up to a constant that all formulas share."""

    @property
    def relative_misfit(self) -> float:
        """Geometric mean over bodies and blocks of the residual relative to the acceleration."""
        return float(np.exp(self.held_out.mean()))


def judge(hypothesis: Hypothesis, early: System, late: System, blocks: int, begin: Fit | None = None) -> Judged:
    """Fit to early times; on later ones, N mean(held-out log misfit) + (k / 2) log N + nodes log(kinds).

    N = 3 bodies x blocks: residuals are correlated within a block of time, and count there as one of each component.
    """
    found = fit(hypothesis, early, begin)
    parts = np.array_split(np.arange(len(late.time)), blocks)
    squares = found.residual(late) ** 2
    held_out = np.array([np.log(np.sqrt(squares[part].mean(axis=(0, 2))) / late.size) for part in parts])
    n = 3 * held_out.size
    parameters = int(free_parameters(hypothesis, early.n).sum())
    structure = hypothesis.complexity * np.log(max(hypothesis.kinds, 2))
    return Judged(found, held_out, float(n * held_out.mean() + parameters / 2 * np.log(n) + structure))


def compare(judged: list[Judged]) -> tuple[Judged, list[Judged]]:
    """The one to announce, and those that are tied with it.

    Tied with the shortest description are those longer by less than two standard errors of the difference, paired over
    blocks of time; of these the one with the fewest nodes is taken.
    """
    best = min(judged, key=lambda one: one.length)
    tied = [one for one in judged if one.length - best.length <= 2 * _error_of_difference(one, best)]
    chosen = min(tied, key=lambda one: (one.fit.hypothesis.complexity, one.length))
    return chosen, [one for one in tied if one is not chosen]


def _error_of_difference(one: Judged, other: Judged) -> float:
    difference = (one.held_out - other.held_out).mean(axis=1)
    return float(3 * one.held_out.size * difference.std(ddof=1) / np.sqrt(len(difference)))


@dataclass(frozen=True)
class Errors:
    """Standard errors of strengths and constants, [bodies + constants]; zero for what is not fitted."""

    of_time: np.ndarray
    """Bootstrap over blocks of time."""
    of_bodies: np.ndarray
    """Jackknife over receivers: how far the bodies disagree, since what a formula lacks is no noise."""

    @property
    def total(self) -> np.ndarray:
        """Both added in quadrature."""
        return np.hypot(self.of_time, self.of_bodies)

    def of(self, constant: str, found: Fit) -> float:
        """Of one constant of the fit that they belong to."""
        return float(self.total[len(found.strengths) + list(found.constants).index(constant)])


def standard_errors(found: Fit, system: System, blocks: int, draws: int = 500, seed: int = 0) -> Errors:
    """Of a fit, linearized at its end.

    Residuals are correlated in time, so that whole blocks are drawn again; and what a formula lacks acts on each body in its
    own way, so that each receiver is left out in turn.
    """
    n = system.n
    free = free_parameters(found.hypothesis, n)
    matrix = slopes(found.hypothesis, found.point, system.places)[..., free] / found.misfit[:, None, None]
    right = found.residual(system) / found.misfit[:, None]
    length = np.sqrt((matrix**2).sum(axis=(0, 1, 2)))
    length[length == 0] = 1
    both = np.concatenate([matrix / length, right[..., None]], axis=-1)
    # [blocks][bodies] triangles that stand for all equations of theirs
    triangles = [
        [np.linalg.qr(both[part, i].reshape(-1, both.shape[-1]), mode="r") for i in range(n)]
        for part in np.array_split(np.arange(len(system.time)), blocks)
    ]

    def solved(parts: list[np.ndarray]) -> np.ndarray:
        joined = np.concatenate(parts)
        return np.linalg.lstsq(joined[:, :-1], joined[:, -1], rcond=1e-14)[0] / length

    rng = np.random.default_rng(seed)
    by_block = [np.linalg.qr(np.concatenate(rows), mode="r") for rows in triangles]
    drawn = [solved([by_block[k] for k in rng.integers(0, blocks, blocks)]) for _ in range(draws)]
    without = np.array([solved([rows[i] for rows in triangles for i in range(n) if i != left]) for left in range(n)])
    of_time, of_bodies = np.zeros(len(free)), np.zeros(len(free))
    of_time[free] = np.std(drawn, axis=0, ddof=1)
    of_bodies[free] = np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return Errors(of_time, of_bodies)


def simplified(found: Fit, errors: Errors) -> list[Hypothesis]:
    """The formula with constants that lie within two standard errors of a whole number replaced by it: all, then each alone."""
    deviations = errors.total[len(found.strengths) :]
    whole = {
        name: round(value)
        for (name, value), deviation in zip(found.constants.items(), deviations, strict=True)
        if abs(value - round(value)) <= 2 * deviation
    }
    choices = [whole, *({name: value} for name, value in whole.items())]
    return [with_numbers(found.hypothesis, one) for one in choices[: None if len(whole) > 1 else len(whole)]]


def with_numbers(hypothesis: Hypothesis, numbers: Mapping[str, float]) -> Hypothesis:
    """A formula in which some constants are numbers."""

    def put(one: sympy.Expr) -> str:
        return str(one.subs({symbol(name): sympy.sympify(value) for name, value in numbers.items()}))

    radial, along, normal = map(put, hypothesis.pair_formulas)
    left = {name: value for name, value in hypothesis.start.items() if name not in numbers}
    name = ", ".join([hypothesis.name, *(f"{name} = {value:g}" for name, value in numbers.items())])
    return Hypothesis(name, radial, left, along, normal, tuple(map(put, hypothesis.single_formulas)))


def leading(found: Fit, system: System) -> Hypothesis:
    """The formula without its corrections: terms of sums that make up less than `CORRECTION` of every body's acceleration."""
    formula = found.hypothesis

    def kept(one: sympy.Expr, part: Callable[[str], Hypothesis]) -> str:
        terms = sympy.Add.make_args(sympy.expand(one))
        shares = (Fit(part(str(term)), found.strengths, found.constants, found.misfit).share(system) for term in terms)
        return str(sum((term for term, share in zip(terms, shares, strict=True) if share >= CORRECTION), sympy.S.Zero))

    none = {"radial": "0", "start": formula.start}
    pairs = {
        name: kept(one, lambda text, name=name: Hypothesis("term", **(none | {name: text})))
        for name, one in zip(("radial", "along", "normal"), formula.pair_formulas, strict=True)
    }
    single = tuple(
        kept(one, lambda text, k=k: Hypothesis("term", **none, single=tuple(text if axis == k else "0" for axis in range(3))))
        for k, one in enumerate(formula.single_formulas)
    )
    names = {
        str(one)
        for text in (*pairs.values(), *single)
        for one in parse(text, [*PAIR_NAMES, *BODY_NAMES, *formula.start]).free_symbols
    }
    start = {name: value for name, value in formula.start.items() if name in names}
    return Hypothesis(f"{formula.name}, without corrections", start=start, **pairs, single=single)


def free_force(knots: np.ndarray) -> Hypothesis:
    """A pull of unknown shape: the logarithm of the force, piecewise linear in log r, with a constant f0, f1.. at each knot."""
    x, last = np.log(knots), len(knots) - 1
    hats = []
    for k in range(len(knots)):
        sides = [f"(log(r) - {float(x[k - 1])!r})/{float(x[k] - x[k - 1])!r}"] if k else []
        sides += [f"({float(x[k + 1])!r} - log(r))/{float(x[k + 1] - x[k])!r}"] if k < last else []
        hats.append(f"f{k}*Max(0, Min(1, {', '.join(sides)}))")
    slope = {f"f{k}": float(-9 - x[k]) for k in range(len(knots))}
    return Hypothesis("of any shape", f"-m2*exp({' + '.join(hats)})", slope)
