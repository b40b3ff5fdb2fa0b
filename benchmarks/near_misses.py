"""Near misses and true forms of every law: how many the verdicts refuse and accept.

    python -m benchmarks.near_misses --count 1000           # tables, and benchmarks/near_misses.csv

Two verdicts are asked: that on an announced law, and that on messages, which says of one expression whether it is the law
up to a gauge. Messages say nothing of a constant that multiplies the whole, of softening, nor of what the receiver's own
mass and charge do to the whole, so no near miss is off in these; and theirs are larger, as networks are a percent off.

True forms are the registry's laws with constants and exponents within the verdict's tolerance, in any algebraic dress.
Near misses are off by a little more than that in one constant or exponent, or have a term, a factor or a pole more, a part
less, another softening, another step. All are drawn by a seed, each written as text and read again, as an announcement is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import sympy

from lib.distillation.expressions import parse
from lib.distillation.matching import match
from lib.files import write_text
from lib.physics.laws import get_law
from lib.physics.systems import parse_system
from lib.runs import System
from lib.selection.judgement import judge
from lib.selection.law import Announcement, Constant, Law, body_names, pair_names

HERE = Path(__file__).parent
SYSTEMS = (
    "spring-2d",
    "spring-3d",
    "r1-2d",
    "r1-3d",
    "r2-2d",
    "r2-3d",
    "charge-2d",
    "charge-3d",
    "damped-2d",
    "discontinuous-2d",
    "own_length-2d",
    "superposition-2d",
    "string-2d",
    "string_ball-2d",
)
PROPERTIES = ["mass", "charge"]
R, M1, M2, Q1, Q2 = sympy.symbols("r m1 m2 q1 q2", real=True)

Draw = np.random.Generator


@dataclass
class Form:
    """A law with its constants, which are changed one by one before it is written down."""

    system: System
    constants: dict[str, float]
    """By name; exponents are those whose name begins with `power`."""
    errors: dict[str, float] = field(default_factory=dict)
    """Standard errors of constants, where they are told."""
    factor: sympy.Expr = sympy.S.One
    """What the pair's part is multiplied by."""
    extra: sympy.Expr = sympy.S.Zero
    """What is added to it."""
    replaced: dict[sympy.Symbol, sympy.Expr] = field(default_factory=dict)
    """Inputs in place of which something else stands."""
    transverse: sympy.Expr = sympy.S.Zero
    single_extra: sympy.Expr = sympy.S.Zero
    ties: tuple[tuple[int, int], ...] | None = None
    step: Callable[[sympy.Expr, sympy.Expr], sympy.Expr] = lambda force, at: sympy.Piecewise((0, at > R), (force, True))

    def radial(self) -> sympy.Expr:
        """The pair's force in r, m1, m2, q1, q2."""
        c = {name: sympy.Float(value) if value != 0 else sympy.S.Zero for name, value in self.constants.items()}
        name = self.system.law
        if name in ("r1", "r2", "charge", "superposition"):
            distance = (R + c["softening"]) ** c["power of r"]
            masses = M1 ** c.get("power of m1", 1) * M2 ** c.get("power of m2", 1)
            terms = {
                "charge": lambda: c["constant"] * Q1 * Q2 * distance,
                "superposition": lambda: (c["constant of charges"] * Q1 * Q2 - c["constant"] * masses) * distance,
            }
            force = terms.get(name, lambda: -c["constant"] * masses * distance)()
        else:
            force = -c["constant"] * (R ** c["power of r"] - c["rest length"])
            if name == "own_length":
                force += c["constant of q1"] * Q1
            if name == "discontinuous":
                force = self.step(force, c["threshold"])
        return (force * self.factor + self.extra).subs(self.replaced, simultaneous=True)

    def single(self) -> list[sympy.Expr]:
        """The components of everything else."""
        c, axes = self.constants, ("x", "y", "z")[: self.system.dim]
        law, parts = get_law(self.system.law), []
        for axis in axes:
            place, velocity = sympy.symbols(f"{axis} v{axis}", real=True)
            part = -sympy.Float(c["friction"]) * velocity / M1 if "friction" in c else sympy.S.Zero
            for energy in sympy.Add.make_args(law.field.formula):
                slope = -sympy.diff(energy, place) / M1
                part += slope * (sympy.Float(c["gravity"]) if slope.is_number and slope != 0 else 1)
            parts.append(part)
        parts[-1] += self.single_extra
        return parts


def truth(system: System) -> Form:
    """The registry's law."""
    name = system.law
    if name in ("r1", "r2", "charge", "superposition"):
        constants = {"constant": 1.0, "softening": 0.01, "power of r": -1.0 if name == "r1" else -2.0}
        if name != "charge":
            constants |= {"power of m1": 1.0, "power of m2": 1.0}
        if name == "superposition":
            constants["constant of charges"] = 1.0
    else:
        constants = {"constant": 2.0, "rest length": 0.99, "power of r": 1.0}
        if name == "own_length":
            constants["constant of q1"] = 1.0
        if name == "discontinuous":
            constants["threshold"] = 1.99
        if name == "damped":
            constants["friction"] = 0.375
        if name.startswith("string"):
            constants["gravity"] = 1.0
    ties = tuple((i, i + 1) for i in range(3)) if name.startswith("string") else None
    return Form(system, constants, ties=ties)


def _signed(rng: Draw, low: float, high: float) -> float:
    return float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(low), np.log(high))))


def true_form(system: System, rng: Draw) -> Form:
    """The law, with constants and exponents within tolerance, or within their standard errors."""
    form = truth(system)
    if rng.random() < 0.25:
        return form
    for name, value in form.constants.items():
        if name.startswith("power"):
            if rng.random() < 0.2:
                form.constants[name] = value + rng.uniform(-0.0045, 0.0045)
        elif rng.random() < 0.2 and name != "threshold":
            error = abs(value) * rng.uniform(0.003, 0.02)
            form.errors[name] = error
            form.constants[name] = value + rng.uniform(-2.7, 2.7) * error
        elif rng.random() < 0.7:
            form.constants[name] = value * (1 + rng.uniform(-0.009, 0.009))
    return form


def _off_constant(form: Form, rng: Draw) -> str:
    names = [name for name in form.constants if not name.startswith("power")]
    name = str(rng.choice(names))
    value = truth(form.system).constants[name]
    if rng.random() < 0.3 and name != "threshold":
        # numbers that are multiplied have their errors together
        form.errors[name] = abs(value) * 0.005
        form.constants[name] = value * (1 + _signed(rng, 0.04, 0.1))
    else:
        form.constants[name] = value * (1 + _signed(rng, 0.012, 0.1))
    return "a constant off"


def _off_exponent(form: Form, rng: Draw) -> str:
    name = str(rng.choice([name for name in form.constants if name.startswith("power")]))
    form.constants[name] = truth(form.system).constants[name] + _signed(rng, 0.006, 0.1)
    return "an exponent off"


def _has_softening(form: Form) -> bool:
    return "softening" in form.constants


def _softening(form: Form, rng: Draw) -> str:
    if rng.random() < 0.4:
        form.constants["softening"] = 0.0
    else:
        form.constants["softening"] = 0.0
        form.replaced[R] = sympy.sqrt(R**2 + sympy.Float(0.01 * rng.uniform(0.5, 2)) ** 2)
    return "another softening"


def _shifted_mass(form: Form, rng: Draw) -> str:
    shift = sympy.Float(_signed(rng, 0.005, 0.1))
    which = rng.integers(3)
    if form.system.law in ("r1", "r2", "superposition"):
        form.replaced |= {m: m + shift for m, take in ((M1, which != 1), (M2, which != 2)) if take}
    else:
        form.factor = M1 / (M1 + shift)
    return "m + a for m"


def _yukawa(form: Form, rng: Draw) -> str:
    form.factor = sympy.exp(-R / sympy.Float(rng.uniform(15, 500)))
    return "a Yukawa length for none"


def _pole(form: Form, rng: Draw) -> str:
    at = sympy.Float(rng.uniform(0.1, 4))
    if _has_softening(form) and rng.random() < 0.3:
        form.constants["softening"] = -float(at)
        return "a pole inside the data"
    form.extra = sympy.Float(_signed(rng, 1e-4, 0.1)) * rng.choice([M1, M2, sympy.S.One]) / (R - at) ** int(rng.integers(1, 3))
    return "a pole inside the data"


def _high_powers(form: Form, rng: Draw) -> str:
    mass = M1 if rng.random() < 0.5 else M2
    powers = range(2, int(rng.integers(3, 6)) + 1)
    form.factor = 1 + sum(sympy.Float(_signed(rng, 0.002, 0.05) / 3**k) * mass**k for k in powers)
    return "a polynomial in a mass"


def _extra_term(form: Form, rng: Draw) -> str:
    terms = [sympy.S.One, R, M1, M2, 1 / R, Q1, R * M2, M1 * M2, Q1 * Q2, R**2, M2 / R, sympy.exp(-R), 1 / R**2]
    form.extra = sympy.Float(_signed(rng, 1e-3, 0.1)) * terms[rng.integers(len(terms))] * (R**3 if rng.random() < 0.2 else 1)
    if form.system.law in ("spring", "damped", "own_length", "discontinuous", "string", "string_ball"):
        # what a spring has already is no extra term
        form.extra *= M1 * R ** sympy.Float(2.3)
    elif form.system.law in ("charge", "superposition", "r1", "r2"):
        form.extra *= R**2 if not form.extra.has(R) else R ** sympy.Float(0.4)
    return "a spurious term"


def _extra_factor(form: Form, rng: Draw) -> str:
    small = sympy.Float(_signed(rng, 1e-3, 0.05))
    factors = [
        1 + small * R,
        1 + small * Q1 * Q2,
        R**small * (1 + small**2 * R),
        sympy.tanh(sympy.Float(rng.uniform(3, 30)) * R),
        1 + small / R,
        1 - sympy.exp(-R * sympy.Float(rng.uniform(5, 50))),
        1 / (1 + (R / sympy.Float(rng.uniform(8, 20))) ** 8),
        1 + small * sympy.sin(R),
    ]
    form.factor = factors[rng.integers(len(factors))]
    return "a spurious factor"


def _wrong_input(form: Form, rng: Draw) -> str:
    swaps = {
        "charge": [{Q1: sympy.S.One}, {Q1: Q1**3}, {Q2: M2}, {Q1: sympy.Abs(Q1)}, {Q2: 1 / Q2}],
        "superposition": [{Q1: Q1**3}, {M1: sympy.S.One}, {Q2: 1 / Q2}, {M2: M1}],
        "own_length": [{Q1: Q2}, {Q1: Q1**3}, {Q1: sympy.Abs(Q1)}, {Q1: sympy.S.Zero}],
    }
    masses = [{M1: sympy.S.One}, {M2: sympy.S.One}, {M1: Q1}, {M2: M2**2}, {M1: M2}]
    if form.system.law in ("r1", "r2"):
        form.replaced |= masses[rng.integers(len(masses))]
    elif form.system.law in swaps:
        form.replaced |= swaps[form.system.law][rng.integers(len(swaps[form.system.law]))]
    else:
        form.factor = (
            [M2, 1 / (M1 * M2), M1, Q1**2, R][rng.integers(5)] if form.system.law[:6] != "string" else [R, Q1][rng.integers(2)]
        )
    return "a wrong or missing input"


def _transverse(form: Form, rng: Draw) -> str:
    form.transverse = sympy.Float(_signed(rng, 1e-4, 0.05)) * [M1, R, 1 / R, M1 * M2][rng.integers(4)]
    return "a transverse part"


def _single(form: Form, rng: Draw) -> str:
    x, vx, vy = sympy.symbols("x vx vy", real=True)
    if "friction" in form.constants and rng.random() < 0.3:
        form.constants["friction"] = 0.0
    else:
        # a constant would only be another gravity
        one = vx * vy if form.system.law.startswith("string") else sympy.S.One
        form.single_extra = sympy.Float(_signed(rng, 1e-3, 0.05)) * [one, x, vx, vy * M1, vy**3][rng.integers(5)]
    return "another part of single bodies"


def _step(form: Form, rng: Draw, sharpest: float = 100, slope: tuple[float, float] = (5e-4, 0.01)) -> str:
    sharp, within = sympy.Float(rng.uniform(5, sharpest)), sympy.Float(rng.uniform(*slope))
    kind = rng.integers(3)
    if kind == 0:
        form.step = lambda force, at: force * (1 + sympy.tanh(sharp * (R - at))) / 2
    elif kind == 1:
        form.step = lambda force, at: force
    else:
        form.step = lambda force, at: sympy.Piecewise((within * R, at > R), (force, True))
    return "another step"


def _ties(form: Form, rng: Draw) -> str:
    form.ties = [None, ((0, 1), (1, 2)), ((0, 1), (1, 2), (2, 3), (0, 3)), ((0, 1), (1, 3), (2, 3))][rng.integers(4)]
    return "other ties"


def near_miss(system: System, rng: Draw) -> tuple[Form, str]:
    """A law that is off in one respect, and in which."""
    form = truth(system)
    if rng.random() < 0.5:  # what else is in tolerance hides no miss
        form = true_form(system, rng)
        form.errors.clear()
        for name, value in truth(system).constants.items():
            off = form.constants[name] - value
            form.constants[name] = value + off * min(1.0, 0.005 * abs(value) / max(abs(off), 1e-12))
    kinds = [_off_constant, _off_exponent, _yukawa, _pole, _extra_term, _extra_factor, _wrong_input, _transverse, _single]
    if not system.law.startswith("string"):
        kinds += [_shifted_mass, _high_powers]
    if _has_softening(form):
        kinds += [_softening]
    if system.law == "discontinuous":
        kinds += [_step]
    if system.law.startswith("string"):
        kinds += [_ties]
    return form, kinds[rng.integers(len(kinds))](form, rng)


def dressed(expression: sympy.Expr, rng: Draw) -> sympy.Expr:
    """The same function, written in another way."""
    if isinstance(expression, sympy.Piecewise):
        found = expression.func(*((dressed(case, rng), where) for case, where in expression.args))
        return sympy.Float(2.0) * (found * sympy.Float(0.5)) if rng.random() < 0.3 else found
    number = sympy.Float(float(np.exp(rng.uniform(-2, 2))))

    def in_number(e: sympy.Expr) -> sympy.Expr:
        return number * sympy.expand_mul(e / number)

    def logarithms(e: sympy.Expr) -> sympy.Expr:
        return e.replace(
            lambda one: one.is_Pow and one.exp.is_number and one.base in (R, M1, M2),
            lambda one: sympy.exp(sympy.Mul(one.exp, sympy.log(one.base), evaluate=False)),
        )

    def shifted(e: sympy.Expr) -> sympy.Expr:
        return sympy.expand(e * (R + number)) / (R + number) if e.is_polynomial(R) else in_number(e)

    dresses = [
        lambda e: e,
        sympy.expand,
        sympy.factor_terms,
        sympy.together,
        in_number,
        lambda e: sympy.expand(e * R) / R,
        lambda e: 1 / (1 / e),
        lambda e: sympy.expand(e / M2) * M2,
        logarithms,
        shifted,
        lambda e: number * (e / number),
        lambda e: sympy.Add(*(sympy.Float(0.5) * term for term in [e, e]), evaluate=False),
    ]
    for _ in range(rng.integers(1, 4)):
        expression = dresses[rng.integers(len(dresses))](expression)
    return expression


def announced(form: Form, rng: Draw) -> Announcement:
    """The form as an announcement, its pair's part in another dress, written as text and read again."""
    dim, divides = form.system.dim, bool(rng.random() < 0.5)
    if not divides and "power of m1" in form.constants:
        # cancelled against the mass, an exponent near zero would be left, a factor that the law lacks
        off = form.constants["power of m1"] - 1
        form.constants["power of m1"] = 1.0 if abs(off) <= 0.005 else 1 + off
    radial = form.radial()
    if not divides:
        over = (lambda e: e / M1) if rng.random() < 0.5 else (lambda e: sympy.expand(e / M1))
        cases = radial.args if isinstance(radial, sympy.Piecewise) else None
        radial = sympy.Piecewise(*((over(e), where) for e, where in cases)) if cases else over(radial)
    text = str(dressed(radial, rng))
    single = [str(one) for one in form.single()]
    law = Law(
        dim,
        parse(text, pair_names(PROPERTIES)),
        form.transverse,
        tuple(parse(one, body_names(dim, PROPERTIES)) for one in single) if any(one != "0" for one in single) else (),
        divides,
    )
    # numbers that were multiplied out are announced with errors in proportion
    relative = float(np.linalg.norm([error / abs(form.constants[name]) for name, error in form.errors.items()]))
    numbers = {float(n) for e in (law.radial, *law.single) for n in e.atoms(sympy.Float)}
    constants = tuple(Constant(f"c{k}", n, abs(n) * relative) for k, n in enumerate(sorted(numbers)) if relative)
    return Announcement(True, law, constants=constants, ties=form.ties)


def _message_miss(system: System, rng: Draw) -> tuple[Form, str]:
    """A force that is no law's in any gauge, and in which respect."""
    form = truth(system)
    springs = "rest length" in form.constants
    small = sympy.Float(_signed(rng, 0.05, 0.2))

    def constant() -> str:
        names = [n for n in form.constants if n in ("rest length", "threshold", "constant of q1", "constant of charges")]
        name = str(rng.choice(names))
        # a rest length may be that in s or in r
        form.constants[name] *= 1 + _signed(rng, 0.03 if name == "rest length" else 0.013, 0.1)
        return "a constant off"

    def exponent() -> str:
        name = str(rng.choice([n for n in ("power of r", "power of m2") if n in form.constants]))
        form.constants[name] += _signed(rng, 0.0065, 0.1)
        return "an exponent off"

    def mass() -> str:
        shift = sympy.Float(_signed(rng, 0.02, 0.1))
        form.factor = M2 / (M2 + shift) if "power of m2" not in form.constants else (M2 + shift) / M2
        return "m + a for m"

    def yukawa() -> str:
        form.factor = sympy.exp(-R / sympy.Float(rng.uniform(15, 120)))
        return "a Yukawa length for none"

    def pole() -> str:
        form.extra = small * M2 / (R - sympy.Float(rng.uniform(0.3, 3)))
        return "a pole inside the data"

    def powers() -> str:
        form.factor = 1 + sum(
            sympy.Float(_signed(rng, 0.02, 0.1) / 3**k) * M2**k for k in range(2, int(rng.integers(3, 6)) + 1)
        )
        return "a polynomial in a mass"

    def term() -> str:
        terms = [M2, Q1 * Q2, M1 * M2, R * M2, sympy.exp(-R)]
        form.extra = (
            small * terms[rng.integers(len(terms))] * (M1 * R ** sympy.Float(2.3) if springs else R ** sympy.Float(0.4))
        )
        return "a spurious term"

    def factor() -> str:
        factors = [1 + small * R, 1 + small * Q2, sympy.tanh(rng.uniform(3, 8) * R), 1 + small * sympy.sin(R)]
        factors += [1 / (1 + (R / sympy.Float(rng.uniform(6, 10))) ** 8), R**small]
        form.factor = factors[rng.integers(len(factors))]
        return "a spurious factor"

    def wrong() -> str:
        if system.law in ("r1", "r2"):
            form.replaced |= [{M2: sympy.S.One}, {M2: Q2}, {M2: M2**2}, {M2: M1}][rng.integers(4)]
        elif system.law in ("charge", "superposition"):
            form.replaced |= [{Q2: sympy.S.One}, {Q2: M2}, {Q2: Q2**3}, {Q2: sympy.Abs(Q2)}][rng.integers(4)]
        else:
            form.factor = [Q2, R, 1 / R, sympy.Abs(Q2)][rng.integers(4)]
        return "a wrong or missing input"

    kinds = [exponent, yukawa, pole, term, factor, wrong]
    kinds += [constant] if springs or system.law == "superposition" else []
    kinds += [] if system.law.startswith("string") else [mass, powers]
    if system.law == "discontinuous":
        kinds += [lambda: _step(form, rng, 40, (0.1, 1))]
    return form, kinds[rng.integers(len(kinds))]()


GAUGES = {
    "force": lambda a: sympy.S.One,
    "acceleration": lambda a: 1 / M1,
    "1 + a/m": lambda a: 1 + a / M1,
    "1/(a + m)": lambda a: 1 / (a + M1),
    "a polynomial": lambda a: a + M1 + M1**2 / 10,
}


def message(form: Form, rng: Draw) -> tuple[str, str]:
    """A channel that says the form in some gauge, as text, and the gauge as the verdict names it."""
    axes = sympy.symbols(["dx", "dy", "dz"][: form.system.dim], real=True)
    name = str(rng.choice([*GAUGES]))
    gauge = GAUGES[name](sympy.Float(rng.uniform(0.2, 3)))
    along = sum(sympy.Float(rng.normal()) * axis for axis in axes)
    radial = form.radial()
    cases = radial.args if isinstance(radial, sympy.Piecewise) else [(radial, sympy.true)]
    offset = sympy.Float(0.1 * rng.normal()) * (1 if rng.random() < 0.7 else M1)
    spread = sympy.expand if rng.random() < 0.3 else lambda e: e
    found = [(spread(along * dressed(case / R, rng) * gauge) + offset, where) for case, where in cases]
    text = str(sympy.Piecewise(*found) if len(found) > 1 else found[0][0])
    varies = not form.system.law.startswith("string")
    return text, (name if name in ("force", "acceleration") else "other") if varies else "force"


def judged_messages(count: int, seed: int = 0) -> pd.DataFrame:
    """So many near misses and as many true forms as messages: what kind each is, what was said, and the verdict."""
    rows = []
    for k in range(2 * count):
        rng = np.random.default_rng([seed, k, 1])
        system = parse_system(SYSTEMS[(k // 2) % len(SYSTEMS)])
        form, kind = (true_form(system, rng), "true form") if k % 2 else _message_miss(system, rng)
        if form.errors:  # of which messages have none
            form = truth(system)
        # the others are told relative to it
        form.constants["constant"] = truth(system).constants["constant"]
        text, gauge = message(form, rng)
        found = match(text, system)
        right = found[gauge].accepted if k % 2 else found["other"].accepted
        row = {"system": str(system), "kind": kind, "outcome": "right" if right else "wrong"}
        rows.append(row | {"reason": found["other"].reason, "radial": text, "gauge": gauge})
    return pd.DataFrame(rows)


def judged(count: int, seed: int = 0) -> pd.DataFrame:
    """So many near misses and as many true forms: what kind each is, what was announced, and the verdict."""
    rows = []
    for k in range(2 * count):
        rng = np.random.default_rng([seed, k])
        system = parse_system(SYSTEMS[(k // 2) % len(SYSTEMS)])
        form, kind = (true_form(system, rng), "true form") if k % 2 else near_miss(system, rng)
        announcement = announced(form, rng)
        found = judge(announcement, system)
        single = "; ".join(map(str, announcement.law.single))
        rows.append(
            {
                "system": str(system),
                "kind": kind,
                "outcome": found.outcome,
                "reason": found.reason,
                "radial": str(announcement.law.radial),
                "divides_by_mass": announcement.law.divides_by_mass,
                "single": single,
            }
        )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By kind: how many there are, and how many were judged as they should be."""
    due = np.where(table["kind"] == "true form", "right", "wrong")
    rows = table.assign(held=table["outcome"] == due).groupby("kind")["held"].agg(["sum", "size"])
    return rows.rename(columns={"sum": "held", "size": "of"}).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_misses", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="near misses, and true forms (default 1000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    options = parser.parse_args()
    summaries = []
    for verdict, judge_all in (("announced law", judged), ("message", judged_messages)):
        started = time.perf_counter()
        table = judge_all(options.count, options.seed)
        found = summary(table)
        summaries.append(found.assign(verdict=verdict))
        print(f"\nverdict on: {verdict}\n{found.to_string(index=False)}")
        true = found["kind"] == "true form"
        print(f"true forms accepted: {found.loc[true, 'held'].sum()} of {found.loc[true, 'of'].sum()}")
        print(f"near misses refused: {found.loc[~true, 'held'].sum()} of {found.loc[~true, 'of'].sum()}")
        print(f"{(time.perf_counter() - started) / len(table):.2f} s each")
        mistaken = table[table["outcome"] != np.where(table["kind"] == "true form", "right", "wrong")]
        print("\n".join(f"{r.system}: {r.kind}, {r.outcome} ({r.reason}): {r.radial}" for r in mistaken.itertuples()))
    columns = ["verdict", "kind", "held", "of"]
    write_text(HERE / "near_misses.csv", pd.concat(summaries)[columns].to_csv(index=False))


if __name__ == "__main__":
    main()
