"""The verdict on an announced law: the law in any dress is right, and whatever only resembles it is wrong."""

import numpy as np
import pytest
import sympy

from benchmarks import near_misses
from lib.distillation.expressions import parse
from lib.physics.laws import LAWS, M1, X, Y
from lib.physics.systems import parse_system
from lib.selection.judgement import judge
from lib.selection.law import Announcement, Constant, Law, body_names, pair_names

PROPERTIES = ["mass", "charge"]
TIES = ((0, 1), (1, 2), (2, 3))


def said(system, radial, single=(), divided=True, transverse="0", **announced):
    system = parse_system(system)
    law = Law(
        system.dim,
        parse(radial, pair_names(PROPERTIES)),
        parse(transverse, pair_names(PROPERTIES)),
        tuple(parse(one, body_names(system.dim, PROPERTIES)) for one in single),
        divided,
    )
    return judge(Announcement(True, law, **announced), system)


LAW = [
    ("spring-2d", "-2*r + 1.98"),
    ("spring-3d", "-(2.0*r**2 - 1.98*r)/r"),
    ("spring-2d", "-2.01*(r**1.001 - 0.985)"),
    ("r1-2d", "-1.002*m1*m2**0.998/(r + 0.0101)"),
    ("r2-2d", "-m1*m2/(r**2 + 0.0199*r + 0.000101)"),
    ("r2-3d", "-2*m1*m2/(2*(r + 0.01)**2) + 1e-12*m1"),
    ("charge-2d", "q1*q2/(r + 0.01)**1.996"),
    ("superposition-2d", "-1.001*(m1*m2 - 1.002*q1*q2)/(r + 0.01)**2"),
    ("own_length-2d", "-2.0*r + 1.98 + 1.003*q1"),
    ("discontinuous-2d", "Piecewise((0, r < 1.98), (-2.0*r + 1.98, True))"),
    ("discontinuous-2d", "(1 + sign(r - 1.99))*(-1.0*r + 0.99)"),
]


@pytest.mark.parametrize(("system", "radial"), LAW)
def test_the_law_is_right_in_any_dress(system, radial):
    assert said(system, radial).outcome == "right"
    if "Piecewise" not in radial:
        assert said(system, f"({radial})/m1", divided=False).outcome == "right"


MISSES = {
    "r^-1.02 for r^-1": ("r1-2d", "-m1*m2/(r + 0.01)**1.02"),
    "a rest length off by 3%": ("spring-2d", "-2*(r - 0.96)"),
    "masses shifted": ("r1-2d", "-(m1 + 0.05)*(m2 + 0.05)/(r + 0.01)"),
    "a Yukawa length of 100 for none": ("r1-2d", "-m1*m2*exp(-r/100)/(r + 0.01)"),
    "a pole inside the data": ("spring-2d", "-2.0*(r - 0.99) + 1e-4/(r - 1.2)"),
    "r^-1.9": ("r2-2d", "-m1*m2/(r + 0.01)**1.9"),
    "a quintic in a mass": ("r2-2d", "-m1*m2*(1 + 0.001*m1**2 - 0.00001*m1**5)/(r + 0.01)**2"),
    "a spurious term": ("spring-2d", "-2.0*r + 1.98 + 0.001*m2"),
    "a spurious factor": ("spring-2d", "-2.0*(r - 0.99)*m2**0.003"),
    "no softening": ("r2-2d", "-m1*m2/r**2"),
    "another softening": ("r2-2d", "-m1*m2/(r**2 + 0.0001)"),
    "a softening off by 3%": ("r2-2d", "-m1*m2/(r + 0.0103)**2"),
    "charges of another power": ("charge-2d", "q1**3*q2/(r + 0.01)**2"),
    "a threshold off by 2%": ("discontinuous-2d", "Piecewise((0, r < 2.03), (-2.0*r + 1.98, True))"),
    "a smooth step": ("discontinuous-2d", "(1 + tanh(60*(r - 1.99)))*(-1.0*r + 0.99)"),
    "no value for charges of one sign": ("charge-2d", "q1*q2**1.001/(r + 0.01)**2"),
    "a property that the law lacks": ("spring-2d", "-2*r + 1.98 + 0.01*q1"),
}


@pytest.mark.parametrize("miss", MISSES)
def test_near_misses_are_wrong(miss):
    found = said(*MISSES[miss])
    assert found.outcome == "wrong" and found.reason and not found.constants


def test_constants_agree_within_their_standard_errors():
    far = "-m1*m2/(r + 0.0105)**2"
    assert said("r2-2d", far).outcome == "wrong"
    assert said("r2-2d", far, constants=(Constant("c", 0.0105, 0.0002),)).outcome == "right"
    assert said("r2-2d", far, constants=(Constant("c", 0.0105, 0.0001),)).outcome == "wrong"
    # an exponent's error is no excuse, and a term whose error reaches zero is another structure
    assert said("r2-2d", "-m1*m2/(r + 0.01)**1.98", constants=(Constant("c", 1.98, 0.1),)).outcome == "wrong"
    assert said("spring-2d", "-2.0*r + 1.98 + 0.01*m2", constants=(Constant("c", 0.01, 0.1),)).outcome == "wrong"


def test_another_softening_is_right_where_the_data_cannot_tell():
    assert said("r1-3d", "-m1*m2/r", noise=0.01).outcome == "wrong"
    assert said("r1-3d", "-m1*m2/r", noise=10.0).softening == "none"
    assert said("r1-3d", "-m1*m2/sqrt(r**2 + 0.0004)", noise=10.0).softening == "sqrt(r^2 + c^2)"


def test_friction_fields_and_ties_are_judged_too():
    spring = "-2.0*r + 1.98"
    assert said("damped-2d", spring, ("-0.375*vx/m1", "-0.376*vy/m1")).outcome == "right"
    for single in ((), ("-0.375*vx/m1", "-0.385*vy/m1"), ("-0.375*vx/m1 + 0.0001", "-0.375*vy/m1")):
        assert said("damped-2d", spring, single).outcome == "wrong"
    assert said("spring-2d", spring, ("0", "-0.001")).outcome == "wrong"
    assert said("spring-2d", spring, transverse="0.001*r").outcome == "wrong"
    assert said("string-2d", spring, ("0", "-1.002"), ties=TIES).outcome == "right"
    assert said("string-2d", spring, ("0", "-1.002"), ties=TIES, divided=False).outcome == "right"  # all masses are 1
    assert said("string-2d", spring, ("0", "-1.002")).outcome == "wrong"
    assert said("string-2d", spring, ("0", "-1.02"), ties=TIES).outcome == "wrong"
    assert said("spring-2d", spring, ties=TIES).outcome == "wrong"


def test_nothing_announced_is_neither_right_nor_wrong():
    law = Law(2, sympy.S.Zero)
    assert judge(Announcement(False, law, "a tie"), parse_system("spring-2d")).outcome == "none"


@pytest.mark.parametrize("name", LAWS)
def test_a_field_s_formula_is_its_energy(name):
    field = LAWS[name].field
    found = float(field.energy(np.array([[0.3, -0.7]]), np.array([1.7]))[0])
    assert found == pytest.approx(float(field.formula.subs({X: 0.3, Y: -0.7, M1: 1.7})))


@pytest.mark.parametrize(("judge_all", "seed"), [(near_misses.judged, 1), (near_misses.judged_messages, 2)])
def test_near_misses_of_every_law_are_told_from_true_forms(judge_all, seed):
    table = judge_all(28, seed)
    due = table["kind"].map(lambda kind: "right" if kind == "true form" else "wrong")
    assert table[table["outcome"] != due].to_dict("records") == []
