"""Planted fronts: the law is accepted in each gauge, and every impostor of earlier work is rejected."""

import numpy as np
import pandas as pd
import pytest
import sympy

from lib.distillation.matching import match
from lib.distillation.verdict import judge, radial
from lib.physics.laws import M1, M2, Q1, Q2, S, get_law
from lib.runs import System

RADIAL = {
    "spring": "(r - 0.99)/r",
    "r1": "m1*m2/(r*(r + 0.01))",
    "r2": "m1*m2/(r*(r + 0.01)**2)",
    "charge": "q1*q2/(r*(r + 0.01)**2)",
}
BARE = {"spring": "(r - 1)/r", "r1": "m1*m2/r**2", "r2": "m1*m2/r**3", "charge": "q1*q2/r**3"}
FACTOR = {"force": "1", "acceleration": "1/m1", "other": "(1 + 0.7/m1)"}
ROWS = ("1.3*dx - 0.7*dy", "0.4*dx + 0.9*dy")


def front(*rows):
    """A front of (loss, expression) in order of complexity."""
    return pd.DataFrame(
        {
            "complexity": range(1, len(rows) + 1),
            "loss": [loss for loss, _ in rows],
            "expression": [text for _, text in rows],
            "chosen": [k == len(rows) - 1 for k in range(len(rows))],
        }
    )


def planted(law, gauge="force", forms=RADIAL, rows=ROWS):
    return [front((0.5, "dx"), (0.0, f"0.3 + {FACTOR[gauge]}*({row})*{forms[law]}")) for row in rows]


@pytest.mark.parametrize("law", RADIAL)
@pytest.mark.parametrize("gauge", FACTOR)
@pytest.mark.parametrize("forms", [RADIAL, BARE], ids=["softened", "bare"])
def test_the_law_is_accepted_in_its_gauge(law, gauge, forms):
    found = judge(planted(law, gauge, forms), System(law, 2))
    assert found.recovered and found.gauge == gauge
    assert found.rank == [1, 1]
    if gauge == "force":
        sizes = np.abs(np.array(found.matrix) / found.matrix[0][0])
        np.testing.assert_allclose(sizes, np.abs([[1, -0.7 / 1.3], [0.4 / 1.3, 0.9 / 1.3]]), rtol=1e-2)


def test_the_engines_own_choice_is_judged_by_itself():
    law = [f"({row})*{RADIAL['r2']}" for row in ROWS]
    longer = [front((0.5, "dx"), (1e-6, text), (0.0, f"{text} + 0*dy + 1e-9*r")) for text in law]
    found = judge(longer, System("r2", 2))
    assert found.rank == [1, 1] and found.chosen == [False, False] and found.choice == "force"
    worse = [front((1e-6, text), (0.0, f"{text} + 0.3*r*dx")) for text in law]
    found = judge(worse, System("r2", 2))
    assert found.recovered and found.choice is None


IMPOSTORS = {
    "a missing mass": ("r2", "m1/r**3"),
    "both masses missing": ("r1", "1/r**2"),
    "a missing charge": ("charge", "q1/r**3"),
    "charges for masses": ("r2", "q1*q2/r**3"),
    "a wrong power": ("r2", "m1*m2/r**2"),
    "a wrong power of the mass": ("r1", "m1*m2**2/r**2"),
    "no rest length": ("spring", "r/r"),
    "right in distribution only": ("spring", "(r - 0.99)/r/(1 + (r/12)**8)"),
}


NEAR_MISSES = {
    "r^-1.02 for r^-1": ("r1", "m1*m2/(r*r**1.02)"),
    "r^-1.9 for r^-2": ("r2", "m1*m2/r**2.9"),
    "masses shifted": ("r1", "(m1 + 0.05)*(m2 + 0.05)/r**2"),
    "a Yukawa length of 100": ("r1", "m1*m2*exp(-r/100)/r**2"),
    "a rest length off by 3%": ("spring", "(r - 0.96)/r"),
    "a quintic in the sender's mass": ("r2", "m1*(m2 + 0.002*m2**3 - 0.00001*m2**5)/r**3"),
    "a pole inside the data": ("spring", "(r - 0.99 + 0.01/(r - 2.2))/r"),
    "a softening that no simulation had": ("r2", "m1*m2/(r*(r + 0.04)**2)"),
    "close pairs alone": ("r2", "m1*m2/(r**3 + 0.002)"),
    "an offset that tells the sender": ("charge", "q1*q2/r**3 + 0.02*q2/(dx + dy)"),
}


@pytest.mark.parametrize("miss", NEAR_MISSES)
@pytest.mark.parametrize("gauge", FACTOR)
def test_near_misses_are_the_law_in_no_gauge(miss, gauge):
    law, form = NEAR_MISSES[miss]
    found = match(f"0.3 + {FACTOR[gauge]}*({ROWS[0]})*({form})", System(law, 2))
    assert not any(one.accepted for one in found.values()) and found["other"].reason


@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_impostors_are_rejected(impostor):
    law, radial = IMPOSTORS[impostor]
    found = judge([front((0.0, f"({row})*{radial}")) for row in ROWS], System(law, 2))
    assert not found.recovered and found.gauge is None
    assert max(found.outside + found.inside) > 1e-2


def test_one_component_twice_is_not_a_recovery():
    rows = ("1.3*dx - 0.7*dy", "2.6*dx - 1.41*dy")
    assert not judge(planted("spring", rows=rows), System("spring", 2)).recovered


def test_one_channel_is_not_enough():
    fronts = [planted("spring")[0], front((0.3, "dx"), (0.2, "dx*r"))]
    assert not judge(fronts, System("spring", 2)).recovered


def test_channels_in_two_gauges_are_not_one_law():
    fronts = [planted("spring", "force")[0], planted("spring", "acceleration")[1]]
    assert not judge(fronts, System("spring", 2)).recovered


def test_the_law_in_the_wrong_gauge_is_not_taken_for_the_message():
    """A front may hold the bare acceleration on its way to (1 + 0.7/m) f: the gauge is that of the better one."""
    fronts = [front((0.10, f"({row})*(r - 0.99)/(m1*r)"), (0.0, f"(1 + 0.7/m1)*({row})*(r - 0.99)/r")) for row in ROWS]
    assert judge(fronts, System("spring", 2)).gauge == "other"


def test_expressions_without_a_value_are_rejected():
    found = match("log(dx)", System("spring", 2))
    assert not any(m.accepted for m in found.values())
    found = match("1/(m2 - m2)", System("spring", 2))
    assert not any(m.accepted for m in found.values())


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("0.3 + 1.5*(dx - 0.5*dy)*(0.98/r - 0.99)", "spring"),
        ("-0.13*m1*m2*(dx + 1.026*dy)/(r*(r + 0.01)) - 6.7e-5", "r1"),
        ("2.0*q1*q2*(0.3*dx - dy)/(r*(r + 0.01)**2) + 0.1*q1", "charge"),
    ],
)
def test_the_radial_law_is_read_off_a_channel(text, law):
    system = System(law, 2)
    found = match(text, system)["force"]
    said = radial(text, found.direction.tolist(), system)
    values = {"r": 1.7, "m1": 0.6, "m2": 1.9, "q1": -1.0, "q2": 0.8}
    true = get_law(law).force.subs({S: values["r"] + 0.01, M1: 0.6, M2: 1.9, Q1: -1.0, Q2: 0.8})
    assert not said.has(*sympy.symbols("dx dy", real=True))
    assert float(said.subs({sympy.Symbol(name, real=True): value for name, value in values.items()})) == pytest.approx(
        float(true), rel=0.02
    )
