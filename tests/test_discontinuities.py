"""Discontinuities: found where a law has one and nowhere else, and carried through fronts, verdict and closed form."""

import numpy as np
import pytest
import sympy
from planted import GAUGES, A, planted
from sympy.core.relational import Relational
from test_closed_form import front, graphs

from lib.distillation import expressions, regression, verdict
from lib.distillation.closed_form import relative_error
from lib.distillation.composition import compose
from lib.messages import discontinuities
from lib.physics.forces import Pairs, input_names
from lib.runs import System

DISCONTINUOUS = System("discontinuous", 2)
AT = 1.99
"""Where the distance, softened by 0.01, reaches 2."""
NAMES = input_names(2)


def components(law, gauge, **planting):
    """Inputs and messages along the axes of planted edges without outliers."""
    edges = planted(GAUGES[gauge], law, count=40_000, **planting).without_outliers()
    return edges.inputs, edges.messages @ np.linalg.inv(A)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("gauge", GAUGES)
def test_a_discontinuity_is_found_in_any_gauge(gauge, noise):
    assert discontinuities.find(*components("discontinuous", gauge, noise=noise, offset=0.3)).at == pytest.approx(AT, abs=2e-3)


@pytest.mark.parametrize("gauge", GAUGES)
@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge", "superposition"])
def test_none_is_found_in_a_law_without(law, gauge):
    assert discontinuities.find(*components(law, gauge)) is None
    assert discontinuities.find(*components(law, gauge, noise=0.05)) is None


def test_none_is_found_in_few_edges():
    inputs, messages = components("discontinuous", "force")
    assert discontinuities.find(inputs[:5000], messages[:5000]) is None


def test_a_discontinuity_smoothed_by_a_network_is_found_at_its_middle():
    inputs, _ = components("discontinuous", "force")
    pairs = Pairs(inputs)
    along = -2 * (pairs.r - 0.99) / (1 + np.exp(-(pairs.r - AT) / 0.01))
    assert discontinuities.find(inputs, along[:, None] * pairs.line).at == pytest.approx(AT, abs=2e-3)


def test_the_transition_of_a_network_lies_between_the_sides():
    inputs, messages = components("discontinuous", "force")
    found, r = discontinuities.find(inputs, messages), Pairs(inputs).r
    low, high = found.transition
    assert low < AT < high
    outside = found.outside_transition(inputs)
    np.testing.assert_array_equal(outside, (r < low) | (r > high))
    assert 0.9 < outside.mean() < 0.99


def test_expressions_of_both_sides_are_joined_at_the_discontinuity():
    inputs, _ = components("discontinuous", "force")
    pairs = Pairs(inputs)
    beyond, within = discontinuities.Discontinuity(AT, (AT, AT)).sides(inputs)
    np.testing.assert_array_equal(beyond, pairs.r > AT)
    np.testing.assert_array_equal(within, pairs.r <= AT)
    values = expressions.evaluate(regression.joined("dx - dx/r", "0.2*m1", AT, NAMES), inputs, NAMES)
    np.testing.assert_allclose(values[beyond], (pairs.separation[:, 0] - pairs.line[:, 0])[beyond], atol=1e-12)
    np.testing.assert_allclose(values[within], 0.2 * pairs.m1[within])


def test_losses_of_both_sides_add_up():
    inputs, messages = components("discontinuous", "force", noise=0.05, offset=0.3)
    drawn = slice(2000)
    discontinuity = discontinuities.find(inputs, messages)
    (front,) = regression.regress(inputs[drawn], messages[drawn, :1], NAMES, evaluations=20_000, discontinuity=discontinuity)
    for row in front.table.itertuples():
        said = expressions.evaluate(expressions.parse(row.expression, NAMES), inputs[drawn], NAMES)
        assert np.mean((said - messages[drawn, 0]) ** 2) / messages[drawn, 0].var() == pytest.approx(row.loss, rel=1e-6)
    assert front.table["complexity"].is_monotonic_increasing and front.table["loss"].is_monotonic_decreasing


def test_the_discontinuous_law_is_distilled_and_judged():
    inputs, messages = components("discontinuous", "force")
    discontinuity, drawn = discontinuities.find(inputs, messages), slice(2000)
    fronts = regression.regress(inputs[drawn], messages[drawn], NAMES, evaluations=150_000, discontinuity=discontinuity)
    judged = verdict.judge([front.table for front in fronts], DISCONTINUOUS)
    assert judged.recovered and judged.gauge == "force"
    said = verdict.radial(judged.expressions[0], judged.matrix[0], DISCONTINUOUS)
    at = sympy.Symbol("r", real=True)
    assert float(said.subs(at, 1.5)) == pytest.approx(0, abs=1e-6)
    assert float(said.subs(at, 3.0)) == pytest.approx(-2 * 2.01, rel=1e-2)


def test_the_closed_form_moves_a_threshold_to_its_place():
    edge = [front((0.0, f"Piecewise((1, r > 1.97), (0, True))*{axis}*(0.993/r - 1.0)")) for axis in ("dx", "dy")]
    form = compose(DISCONTINUOUS, edge, [front((0.0, f"1.99*s{k}/m1")) for k in (1, 2)], *graphs(DISCONTINUOUS, 2000))
    bodies, true = graphs(DISCONTINUOUS, seed=1)
    assert relative_error(form(bodies), true) < 1e-3
    thresholds = [float(c.rhs) for e in form.edge for c in e.atoms(Relational)]
    assert thresholds == pytest.approx([AT, AT], abs=1e-3)
