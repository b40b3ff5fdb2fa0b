"""Jumps: found where a law is torn and nowhere else, and carried through fronts, verdict and closed form."""

import numpy as np
import pytest
import sympy
from planted import GAUGES, A, planted
from sympy.core.relational import Relational
from test_closed_form import front, graphs

from lib.distillation import expressions, probes, regression, verdict
from lib.distillation.closed_form import relative_error
from lib.distillation.composition import compose
from lib.messages import discontinuities
from lib.physics.forces import input_names
from lib.runs import System

TORN = System("discontinuous", 2)
AT = 1.99
"""Where the distance, softened by 0.01, reaches 2."""
NAMES = input_names(2)


def components(law, gauge, **planting):
    """Inputs and messages along the axes of planted edges without outliers."""
    edges = planted(GAUGES[gauge], law, count=40_000, **planting).without_outliers()
    return edges.inputs, edges.messages @ np.linalg.inv(A)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("gauge", GAUGES)
def test_a_jump_is_found_in_any_gauge(gauge, noise):
    assert discontinuities.find(*components("discontinuous", gauge, noise=noise, offset=0.3)).at == pytest.approx(AT, abs=2e-3)


@pytest.mark.parametrize("gauge", GAUGES)
@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge", "superposition"])
def test_none_is_found_in_a_law_without(law, gauge):
    assert discontinuities.find(*components(law, gauge)) is None
    assert discontinuities.find(*components(law, gauge, noise=0.05)) is None


def test_none_is_found_in_few_edges():
    inputs, messages = components("discontinuous", "force")
    assert discontinuities.find(inputs[:5000], messages[:5000]) is None


def test_a_jump_smoothed_by_a_network_is_found_at_its_middle():
    inputs, _ = components("discontinuous", "force")
    r = inputs[:, 2]
    along = -2 * (r - 0.99) / (1 + np.exp(-(r - AT) / 0.01))
    assert discontinuities.find(inputs, along[:, None] * inputs[:, :2] / r[:, None]).at == pytest.approx(AT, abs=2e-3)


def test_what_is_said_on_either_side_is_said_in_cases():
    inputs, _ = components("discontinuous", "force")
    discontinuity = discontinuities.Discontinuity(AT, (AT, AT))
    beyond, within = discontinuity.sides(inputs)
    assert (beyond == (inputs[:, 2] > AT)).all() and (within == ~beyond).all() and 0 < beyond.mean() < 1
    said = expressions.evaluate(regression.joined("dx - dx/r", "0.2*m1", AT, NAMES), inputs, NAMES)
    assert np.allclose(said[beyond], (inputs[:, 0] - inputs[:, 0] / inputs[:, 2])[beyond])
    assert np.allclose(said[within], 0.2 * inputs[within, 3])


def test_losses_of_both_sides_add_up():
    inputs, messages = components("discontinuous", "force", noise=0.05, offset=0.3)
    drawn = slice(2000)
    discontinuity = discontinuities.find(inputs, messages)
    (front,) = regression.regress(inputs[drawn], messages[drawn, :1], NAMES, evaluations=20_000, discontinuity=discontinuity)
    for row in front.table.itertuples():
        said = expressions.evaluate(expressions.parse(row.expression, NAMES), inputs[drawn], NAMES)
        assert np.mean((said - messages[drawn, 0]) ** 2) / messages[drawn, 0].var() == pytest.approx(row.loss, rel=1e-6)
    assert front.table["complexity"].is_monotonic_increasing and front.table["loss"].is_monotonic_decreasing


def test_the_torn_law_is_distilled_and_judged():
    inputs, messages = components("discontinuous", "force")
    discontinuity, drawn = discontinuities.find(inputs, messages), slice(2000)
    fronts = regression.regress(inputs[drawn], messages[drawn], NAMES, evaluations=150_000, discontinuity=discontinuity)
    judged = verdict.judge([front.table for front in fronts], TORN, probes.frozen_probe(TORN))
    assert judged.recovered and judged.gauge == "force"
    said = verdict.radial(judged.expressions[0], judged.matrix[0], TORN)
    at = sympy.Symbol("r", real=True)
    assert float(said.subs(at, 1.5)) == pytest.approx(0, abs=1e-6)
    assert float(said.subs(at, 3.0)) == pytest.approx(-2 * 2.01, rel=1e-2)


def test_the_closed_form_moves_a_threshold_to_its_place():
    edge = [front((0.0, f"Piecewise((1, r > 1.97), (0, True))*{axis}*(0.993/r - 1.0)")) for axis in ("dx", "dy")]
    form = compose(TORN, edge, [front((0.0, f"1.99*s{k}/m1")) for k in (1, 2)], *graphs(TORN, 2000))
    bodies, true = graphs(TORN, seed=1)
    assert relative_error(form(bodies), true) < 1e-3
    thresholds = [float(c.rhs) for e in form.edge for c in e.atoms(Relational)]
    assert thresholds == pytest.approx([AT, AT], abs=1e-3)
