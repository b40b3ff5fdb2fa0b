"""The closed form: planted expressions with wrong constants are composed, refitted and freed of what does nothing."""

import numpy as np
import pandas as pd
import pytest
import sympy

from lib.distillation.closed_form import ClosedForm, node_names, relative_error
from lib.distillation.composition import candidates, compose, with_unit_coefficients
from lib.distillation.expressions import parse, symbols
from lib.distillation.generalization import compare, settings
from lib.physics.forces import input_names
from lib.physics.simulate import accelerations, initial_bodies
from lib.runs import System

SPRING = System("spring", 2)


def front(*rows):
    """A front of (loss, expression) in order of complexity."""
    return pd.DataFrame({"loss": [loss for loss, _ in rows], "expression": [text for _, text in rows]})


def graphs(system=SPRING, count=300, n=4, seed=0):
    bodies = initial_bodies(system.law, count, n, system.dim, seed)
    return bodies, accelerations(system.law, bodies)


EDGE = [
    front((0.5, "0.9*dx"), (0.0, "0.3 + 1.1*(dx + 0.5*dy)*(0.97/r - 1.01)")),
    front((0.4, "0.9*dy"), (0.0, "0.2*q2 - 0.21*q2 + 0.8*(dy - 0.4*dx)*(0.98/r - 1.0)")),
]
NODE = [
    front((0.3, "s1/m1"), (0.0, "(1.45*s1 - 1.1*s2)/m1 - 1.2/m1 + 0.01")),
    front((0.3, "s2/m1"), (0.0, "(0.65*s1 + 2.0*s2)/m1 - 0.6/m1")),
]


@pytest.fixture(scope="module")
def spring():
    return compose(SPRING, EDGE, NODE, *graphs())


def test_the_law_comes_out_with_its_constants(spring):
    bodies, true = graphs(seed=1)
    assert relative_error(spring(bodies), true) < 1e-4
    at = dict(zip(symbols(input_names(2)).values(), (0.7, -0.4, 0.8, 2.0, 3.0, 0.0, 0.0), strict=True))
    for term, component in zip(spring.pair_terms(), (0.7, -0.4), strict=True):
        assert float(term.subs(at)) == pytest.approx(-2 * (0.8 - 0.99) * component / 0.8 / 2.0, rel=1e-3)


def test_what_does_nothing_is_dropped(spring):
    text = " ".join(str(e) for e in spring.edge)
    assert "q2" not in text
    # an offset of the message and one of the node that cancel for four bodies would not for eight
    assert spring.own_terms() == [0, 0]
    bodies, true = graphs(n=8, seed=2)
    assert relative_error(spring(bodies), true) < 1e-4


def test_the_softening_is_found_where_the_fronts_have_none():
    gravity = System("r2", 2)
    edge = [front((0.0, f"0.9*m2*{axis}/r**3")) for axis in ("dx", "dy")]
    form = compose(gravity, edge, [front((0.0, "-1.1*s1")), front((0.0, "-1.1*s2"))], *graphs(gravity))
    assert form.softening == pytest.approx(0.01, rel=0.01)
    bodies, true = graphs(gravity, seed=1)
    assert relative_error(form(bodies), true) < 1e-4


@pytest.mark.parametrize("found", ["dx", "dy"])
def test_what_one_component_says_is_tried_for_all(found):
    law = {axis: f"1.3*{axis}*(0.97/r - 1.01)" for axis in ("dx", "dy")}
    bent = {axis: f"0.5*{axis} - 0.3*{axis}*r" for axis in law}
    edge = [front((1e-3, bent[axis]), (0.0, law[axis] if axis == found else bent[axis])) for axis in law]
    # the node of a bent message is bent too
    node = [front((0.0, f"1.5*s{k + 1}/{'m1' if axis == found else '(m1 + 2.0)'}")) for k, axis in enumerate(law)]
    form = compose(SPRING, edge, node, *graphs())
    bodies, true = graphs(seed=1)
    assert relative_error(form(bodies), true) < 1e-4


def test_what_moves_a_discontinuity_has_no_slope_to_be_fitted_by():
    names, node = input_names(2), [parse("1.5*s1", node_names(2))] * 2
    smooth = ClosedForm(SPRING, [parse("2.0*dx/r", names)] * 2, node)
    stepped = ClosedForm(SPRING, [parse("Piecewise((2.0*dx/r, r > 1.99), (0.5, True))", names)] * 2, node)
    assert not smooth.thresholds.any()
    # the softening moves all distances across it
    assert stepped.function[1][stepped.thresholds].tolist() == [0.0, 1.99, 1.99]


def test_the_formula_is_that_of_its_expressions():
    names = input_names(2)
    form = ClosedForm(SPRING, [parse("dx*m2", names), parse("dy*m2", names)], [parse("s1*s2", node_names(2))] * 2)
    bodies = graphs(count=5)[0]
    x, m = bodies[..., :2], bodies[..., -1]
    sums = ((x[:, :, None] - x[:, None]) * m[:, None, :, None]).sum(axis=2)
    np.testing.assert_allclose(form(bodies), np.repeat(sums.prod(axis=-1)[..., None], 2, axis=-1), rtol=1e-9, atol=1e-9)
    assert form.pair_terms() is None and form.own_terms() == [0, 0]


def test_constants_go_back_where_they_came_from():
    names = input_names(2)
    form = ClosedForm(SPRING, [parse("1.5*dx/(r + 0.25)", names)] * 2, [parse("s1/m1 - 2.5", node_names(2))] * 2)
    _, values = form.function
    assert sorted(values) == [-2.5, -2.5, 0.0, 0.25, 0.25, 1.5, 1.5]
    again = form.with_constants(values)
    bodies = graphs(count=5)[0]
    np.testing.assert_allclose(again(bodies), form(bodies), rtol=1e-12)


def test_candidates_are_the_simplest_that_are_faithful():
    table = front((0.9, "dx"), (0.01, "2.0*dx"), (1e-4, "2.0*dx + r"), (0.0, "2.0*dx + r*m1"))
    r, dx, m1 = (sympy.Symbol(name, real=True) for name in ("r", "dx", "m1"))
    found = candidates(table, input_names(2))
    assert found[0] == 2.0 * dx and found[2] == 2.0 * dx + 1.0 * r and found[-1] == 2.0 * dx + 1.0 * r * m1


def test_every_term_of_a_sum_has_a_constant():
    names = input_names(2)
    form = ClosedForm(
        SPRING, [with_unit_coefficients(parse("dx*(m1 + 3.0*r - m2)/(r + 0.5)", names))] * 2, [parse("s1", node_names(2))] * 2
    )
    assert sorted(form.function[1][1:6]) == [-1.0, 0.5, 1.0, 1.0, 3.0]


def test_other_settings_differ_as_they_say(spring):
    class Test:
        def sample(self, graphs_wanted):
            return self

        def graphs(self):
            return graphs(count=50)

    sets = settings(SPRING, Test())
    usual, more, far, heavy = sets.values()
    assert more.shape[1] == 8 and (heavy[..., -1] == 10 * usual[..., -1]).all()
    np.testing.assert_allclose(far[..., :2], 3 * usual[..., :2])
    table = compare(SPRING, {"closed form": spring, "zero": lambda b: np.zeros((*b.shape[:2], 2))}, sets)
    assert (table["closed form"] < 1e-4).all() and (table["zero"] > 0.3).all()
