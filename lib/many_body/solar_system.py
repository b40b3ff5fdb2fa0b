"""The Sun, the planets, the Moon and Pluto by the ephemeris DE421: daily states, and hypotheses about what moves them.

DE421 (Folkner, Williams and Boggs, IPN Progress Report 42-178, 2009) is a numerical integration fitted to observations, and no
raw measurement. Mars and the planets beyond it are the barycentres of their systems. Lengths in AU, times in days.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from typing import Protocol

import numpy as np
import sympy
from scipy.integrate import solve_ivp

from lib.distillation.expressions import parse
from lib.errors import InputError
from lib.many_body.strengths import Errors, Fit, Hypothesis, Judged, System, symbol, with_numbers
from lib.selection.law import Announcement, Constant, Law, body_names, pair_names

AU = 149_597_870.7
"""km."""
YEAR = 365.25
"""Days."""
SPEED_OF_LIGHT = 299_792.458
"""km/s, by definition."""
BODIES = ("Sun", "Mercury", "Venus", "Earth", "Moon", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune", "Pluto")
SEGMENTS = (
    ((0, 10),),
    ((0, 1),),
    ((0, 2),),
    ((0, 3), (3, 399)),
    ((0, 3), (3, 301)),
    *(((0, planet),) for planet in range(4, 10)),
)
"""Of each body, the segments of the file (centre, target) that add up to its barycentric state."""
REACH = 10
"""Days before and after a day whose velocities give its acceleration."""
GM = {
    "Sun": 132_712_440_040.944,
    "Mercury": 22_032.09,
    "Venus": 324_858.592,
    "Earth": 398_600.436_233,
    "Moon": 4_902.800_076,
    "Mars": 42_828.375_214,
    "Jupiter": 126_712_764.8,
    "Saturn": 37_940_585.2,
    "Uranus": 5_794_548.6,
    "Neptune": 6_836_535.0,
    "Pluto": 977.0,
}
"""km^3/s^2, table 1 of the report on DE421; for the last comparison only."""
LEMOS = {
    "Mercury": 90.0,
    "Venus": 35.0,
    "Earth": 3.8,
    "Mars": 90.0,
    "Jupiter": 3.4,
    "Saturn": 4.4,
    "Uranus": 3.4,
    "Neptune": 2.9,
}
"""Median error of learned masses, %, of Lemos et al., arXiv:2202.02306; those of Mars and Mercury are larger than this."""


def states(start: float, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Julian dates [days], barycentric positions [days, bodies, 3] in AU and velocities in AU/day, at midnight (TDB).

    Raises `InputError` where the ephemeris is not installed.
    """
    try:
        import skyfield_data
        from jplephem.spk import SPK
    except ImportError:
        raise InputError("DE421 is not installed: pip install '.[solar-system]'") from None
    time = start + np.arange(days)
    positions, velocities = [], []
    with SPK.open(str(files(skyfield_data) / "data" / "de421.bsp")) as kernel:
        for segments in SEGMENTS:
            parts = [kernel[segment].compute_and_differentiate(time) for segment in segments]
            positions.append(sum(x for x, _ in parts).T / AU)
            velocities.append(sum(v for _, v in parts).T / AU)
    return time, np.stack(positions, axis=1), np.stack(velocities, axis=1)


def central_differences(reach: int) -> np.ndarray:
    """Weights [reach] of f(k) - f(-k), k = 1..reach, that give f'(0) of a polynomial of degree 2 reach at unit steps."""
    k = np.arange(1, reach + 1)
    # the product form; solving for the weights loses digits at this order
    others = [np.prod([float(m**2) / (m**2 - j**2) for m in k if m != j]) for j in k]
    return np.array(others) / (2 * k)


def differentiated(velocity: np.ndarray, step: float, reach: int) -> np.ndarray:
    """Accelerations [times - 2 reach, bodies, 3] of velocities [times, bodies, 3] at even steps."""
    count = len(velocity) - 2 * reach
    weights = enumerate(central_differences(reach), start=1)
    parts = (w * (velocity[reach + k :][:count] - velocity[reach - k :][:count]) for k, w in weights)
    return sum(parts) / step


def observed(start: float, days: int) -> System:
    """Daily states, with accelerations by central differences of the velocity over `REACH` days, which the ends lack."""
    time, position, velocity = states(start, days)
    inner = slice(REACH, -REACH)
    return System(time[inner], position[inner], velocity[inner], differentiated(velocity, 1.0, REACH))


def error_of_accelerations(start: float, days: int) -> np.ndarray:
    """Relative error of each body's acceleration [bodies]: how far differences over one day less lie from them."""
    _, _, velocity = states(start, days)
    one, other = differentiated(velocity, 1.0, REACH), differentiated(velocity[1:-1], 1.0, REACH - 1)
    return np.sqrt(((one - other) ** 2).mean(axis=(0, 2)) / (one**2).mean(axis=(0, 2)))


POWER = {"k": 1e-4, "p": 1.0}
"""Where a fit begins: of each law, far from any that is known."""


def plus(base: str, name: str, constants: dict[str, float], **parts: str | tuple[str, str, str]) -> Hypothesis:
    """The power law with one more term, whose constants begin at zero."""
    return Hypothesis(name, **{"radial": base, **parts}, start=POWER | constants)


PLAIN = 4
"""Place of the power law with the sender's strength among the hypotheses, from which those that extend it begin."""


def hypotheses() -> list[Hypothesis]:
    """All that are compared: what a pair's force depends on, and what else may act."""
    power = "-k*m2/r**p"
    axes = ("x", "y", "z")
    return [
        Hypothesis("no pair acts: one acceleration each day", "0", {"c": 0.0, "d": 0.0, "e": 0.0}, single=("c", "d", "e")),
        Hypothesis("spring to each other body", "-k*m2*r", {"k": 1e-4}),
        Hypothesis("logarithmic potential, 1/r", "-k*m2/r", {"k": 1e-4}),
        Hypothesis("1/r^3", "-k*m2/r**3", {"k": 1e-4}),
        Hypothesis("power of r, strength of the sender", power, POWER),
        Hypothesis("power of r, both strengths", "-k*m1*m2/r**p", POWER),
        plus("-k*m2*Abs(m1)**g/r**p", "and a power of the receiver's strength", {"g": 0.0}),
        plus("-k*m2*exp(-r*g)/r**p", "and a Yukawa factor", {"g": 0.0}),
        plus("-m2*(k/r**p + g)", "and a constant force", {"g": 0.0}),
        plus("-m2*(k/r**p + g*r)", "and a spring", {"g": 0.0}),
        plus("-k*m2*(1 + g*r)/r**p", "and a power less steep by one", {"g": 0.0}),
        plus("-k*m2*(1 + g/r)/r**p", "and a power steeper by one", {"g": 0.0}),
        plus("-k*m2*(1 + g/r**2)/r**p", "and a power steeper by two", {"g": 0.0}),
        plus("-k*m2*r/(r**2 + g)**((p + 1)/2)", "softened", {"g": 0.0}),
        plus(power, "and friction", {"g": 0.0}, single=tuple(f"-g*v{axis}" for axis in axes)),
        plus(power, "and a trap", {"g": 0.0}, single=tuple(f"-g*{axis}" for axis in axes)),
        plus(power, "and a uniform field", {"gx": 0.0, "gy": 0.0, "gz": 0.0}, single=("gx", "gy", "gz")),
        plus(power, "and friction of the pair (not central)", {"g": 0.0}, along="-g*k*m2/r**p"),
        plus(power, "and a force across (not central)", {"g": 0.0}, normal="g*k*m2/r**p"),
        velocity_dependent(power, POWER),
    ]


def velocity_dependent(power: str, start: dict[str, float]) -> Hypothesis:
    """A power law with all terms of second order in the velocity that change no sign with time and know no outer frame.

    By the virial theorem k m2 / r is of that order too. Which of them there are is left to the data.
    """
    return Hypothesis(
        "and terms of second order in the velocity",
        f"{power}*(1 + a*k*m2/r + b*v**2 + c*vr**2)",
        dict(start) | {"a": 0.0, "b": 0.0, "c": 0.0, "d": 0.0},
        along=f"d*vr*{power}",
    )


def unseen(hypothesis: Hypothesis, system: System) -> list[Hypothesis]:
    """The formula with mass that is not in the data, spread around the Sun between two neighbouring orbits: one of each pair.

    What moves further out is pulled more strongly by a factor 1 + g.
    """
    from_sun = np.linalg.norm(system.position - system.position[:, :1], axis=-1).mean(axis=0)
    order = [k for k in np.argsort(from_sun) if k and BODIES[k] != "Moon"]
    found = []
    for inner, outer in pairwise(order):
        radius = float(f"{np.sqrt(from_sun[inner] * from_sun[outer]):.2g}")
        beyond = f"(1 + g*(1 + sign(r - {radius}))/2)"
        name = f"{hypothesis.name}, and unseen mass between {BODIES[inner]} and {BODIES[outer]}"
        start = dict(hypothesis.start) | {"g": 0.0}
        found.append(replace(hypothesis, name=name, radial=f"({hypothesis.radial})*{beyond}", start=start))
    return found


class Predictor(Protocol):
    """A formula or a network."""

    def predict(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Accelerations [times, bodies, 3]."""


def followed(
    law: Predictor, position: np.ndarray, velocity: np.ndarray, times: np.ndarray, tolerance: float = 1e-11
) -> np.ndarray:
    """Positions [times, bodies, 3] from a state [bodies, 3] at the first of the times, by a Runge-Kutta method of order 8."""
    shape = position.shape

    def rate(_: float, state: np.ndarray) -> np.ndarray:
        x, v = state.reshape(2, *shape)
        return np.concatenate([v.ravel(), law.predict(x[None], v[None]).ravel()])

    start = np.concatenate([position.ravel(), velocity.ravel()])
    found = solve_ivp(rate, (times[0], times[-1]), start, method="DOP853", t_eval=times, rtol=tolerance, atol=tolerance * 1e-3)
    if not found.success:
        raise ArithmeticError(f"the integration ended early: {found.message}")
    return found.y.T.reshape(len(times), 2, *shape)[:, 0]


DETERMINED = 3
"""A strength is determined if it is so many of its standard errors or more."""


def strengths_record(found: Fit, errors: Errors) -> dict[str, list]:
    """Learned strengths relative to the Sun's, and of those that the data do not determine the bound that they give."""
    deviations = errors.total[: len(BODIES)]
    determined = np.abs(found.strengths) >= DETERMINED * deviations
    return {
        "given": False,
        "bodies": list(BODIES),
        "values": found.strengths.tolist(),
        "standard_errors": deviations.tolist(),
        "determined": determined.tolist(),
        "at_most": [
            None if known else float(value + 2 * deviation)
            for value, deviation, known in zip(found.strengths, deviations, determined, strict=True)
        ],
    }


def reciprocity(found: Fit, system: System) -> float:
    """|sum_i m_i a_i| relative to the largest |m_i a_i|, root mean squares over time: zero where action equals reaction."""
    pulls = found.strengths[:, None] * system.acceleration
    return float(np.sqrt((pulls.sum(axis=1) ** 2).mean() / (pulls**2).mean(axis=(0, 2)).max()))


def announcement(
    law: Fit,
    law_errors: Errors,
    found: Fit,
    errors: Errors,
    chosen: Judged,
    tied: list[Judged],
    judged: list[Judged],
    system: System,
    exponents: dict[str, tuple[float, float]],
    held_out_error: dict[str, float],
) -> Announcement:
    """What is announced: the leading law; the whole formula that it belongs to stands with the hypotheses.

    `law` and `found` are fits of both to all data; `judged` are the formulas compared, fitted to early times; `exponents`
    are what a free exponent comes to, with its standard error, by what else the formula holds.
    """
    n = len(BODIES)
    formula = with_numbers(law.hypothesis, {name: float(f"{value:.12g}") for name, value in law.constants.items()})
    names = list(law.constants)
    constants = [Constant(name, law.constants[name], float(law_errors.total[n + k])) for k, name in enumerate(names)]
    told = {
        one.fit.hypothesis.name: {
            "radial": one.fit.hypothesis.radial,
            "held_out_misfit": one.relative_misfit,
            "nats_longer": one.length - chosen.length,
        }
        for one in sorted(judged, key=lambda one: one.length)
    }
    whole = found.hypothesis
    return Announcement(
        announced=True,
        law=Law(3, parse(formula.radial, pair_names(["mass"])), single=_single(formula)),
        constants=tuple(constants),
        properties={"mass": strengths_record(found, errors)},
        noise=float(np.exp(np.log(found.misfit).mean())),
        hypotheses={
            "formula": {
                "radial": whole.radial,
                "along_relative_velocity": whole.along,
                "single": list(whole.single),
                "constants": [
                    {"name": name, "value": value, "standard_error": float(error)}
                    for (name, value), error in zip(found.constants.items(), errors.total[n:], strict=True)
                ],
                "note": "terms that the announced law leaves out are below one millionth of every body's acceleration",
            },
            "exponent": {name: {"value": value, "standard_error": error} for name, (value, error) in exponents.items()},
            "central": {"holds": law.hypothesis.along == law.hypothesis.normal == "0"},
            "reciprocal": {
                "holds": None,
                "sum_of_pulls": reciprocity(found, system),
                "note": "accelerations do not tell inertia; if it is proportional to strength, action equals reaction",
            },
        },
        frame="inertial",
        held_out_error=held_out_error,
        tied_with=tuple(one.fit.hypothesis.radial for one in tied),
        candidates=tuple({"name": name, **values} for name, values in told.items()),
    )


def _single(formula: Hypothesis) -> tuple:
    parts = tuple(parse(text, body_names(3, ["mass"])) for text in formula.single)
    return parts if any(one != 0 for one in parts) else ()


def exponent(law: Fit) -> float | None:
    """p where the radial formula is a constant times m2 / r^p, else None."""
    r, m2 = symbol("r"), symbol("m2")
    p = sympy.simplify(-r * law.hypothesis.pair_formulas[0].diff(r) / law.hypothesis.pair_formulas[0])
    rest = sympy.simplify(law.hypothesis.pair_formulas[0] * r**p / m2)
    names = rest.free_symbols | p.free_symbols
    return float(p.subs({symbol(k): v for k, v in law.constants.items()})) if not names & {r, m2, symbol("m1")} else None


def knots(system: System, count: int = 10) -> np.ndarray:
    """Distances at which a force of any shape is free: the ends of the widest gap between pairs, and evenly in log r beyond."""
    distances = np.sort(system.places.inputs[0].ravel())
    gap = np.diff(np.log(distances)).argmax()
    return np.r_[distances[0], distances[gap], np.geomspace(distances[gap + 1], distances[-1], count)]
