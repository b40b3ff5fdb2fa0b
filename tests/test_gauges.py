"""Gauges: each is told from the others, with the truth and without it."""

import numpy as np
import pytest
from planted import BOTH, GAUGES, A, planted

from lib.messages.extraction import Edges, linear_fit, r_squared
from lib.messages.gauges import (
    gauge_exponent,
    gauge_fit,
    gauge_score,
    general_fit,
    mass_exponent,
    reaction_gauge,
    reverse,
    scores,
)
from lib.physics.forces import edge_inputs, pair_force
from lib.physics.laws import get_law


@pytest.mark.parametrize("law", ["spring", "r1"])
@pytest.mark.parametrize("name", GAUGES)
def test_each_gauge_is_recovered_and_told_from_the_others(law, name):
    found = scores(planted(GAUGES[name], law, noise=0.01), BOTH)
    assert found["r2_gauge_trimmed"] > 0.99
    for other in ("force", "acceleration"):
        if other == name:
            assert found[f"r2_{other}"] > 0.998 and found[f"r2_{other}_trimmed"] > 0.998
        else:
            assert found[f"r2_{other}_trimmed"] < 0.97


def test_an_offset_of_the_receiver_is_seen_by_the_general_gauge_alone():
    found = scores(planted(GAUGES["force"], offset=3.0), BOTH)
    assert found["r2_force"] < 0.9 < 0.99 < found["r2_gauge"]


def test_the_fitted_gauge_has_the_planted_shape():
    edges = planted(GAUGES["acceleration"])
    fit = gauge_fit(edges.inputs[:, -4], edges.inputs[:, -2], edges.force, edges.messages)
    mass = edges.inputs[:, -4]
    middle = (mass > np.quantile(mass, 0.1)) & (mass < np.quantile(mass, 0.9))
    slope = np.polyfit(np.log(mass[middle]), np.log(np.abs(fit.gauge(edges.inputs[middle]))), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_gauge_that_is_a_power_of_the_mass_has_that_exponent(exponent):
    found, score = gauge_exponent(planted(lambda m, q: m**-exponent, noise=0.05), BOTH)
    assert found == pytest.approx(exponent, abs=0.051) and score > 0.99


def test_a_missing_charge_is_rejected():
    edges = planted(GAUGES["force"], "charge")
    blind = edges.force * (edges.inputs[:, [-2]] * edges.inputs[:, [-1]])
    edges = Edges(blind @ A, None, edges.inputs, edges.force, edges.trajectory)
    found = scores(edges, BOTH)
    assert max(found["r2_force_trimmed"], found["r2_acceleration_trimmed"], found["r2_gauge_trimmed"]) < 0.1


def test_the_general_gauge_is_scored_on_trajectories_it_was_not_fitted_to():
    edges = planted(GAUGES["force"], count=600)
    noise = np.random.default_rng(3).standard_normal(edges.messages.shape)
    assert gauge_score(Edges(noise, None, edges.inputs, edges.force, edges.trajectory), BOTH) < 0.05


def test_the_general_gauge_scores_no_lower_than_the_gauges_it_contains():
    edges = planted(GAUGES["force"], "r2", count=4_000)
    loud = edges.messages * np.exp(3 * np.random.default_rng(1).standard_normal((len(edges.messages), 1)))
    edges = Edges(loud, None, edges.inputs, edges.force, edges.trajectory)
    # a collision holds all variance, and the flexible fit alone is far off where it was not fitted
    half = np.isin(edges.trajectory, np.unique(edges.trajectory)[::2])
    fitted, held = edges.take(half), edges.take(~half)
    assert r_squared(held.messages, general_fit(fitted, BOTH)(held.inputs, held.force)).mean() < -1
    assert gauge_score(edges, BOTH) > -0.1


def test_inputs_are_reversed():
    draw = get_law("charge").initial
    one, two = (draw(50, 3, np.random.default_rng(k).standard_normal) for k in range(2))
    np.testing.assert_array_equal(reverse(edge_inputs(one, two)), edge_inputs(two, one))


def both_ways(gauge, law, noise, offset=0.0):
    """Planted messages, those of the other direction, and their edges."""
    edges = planted(gauge, law)
    back = reverse(edges.inputs)
    rng = np.random.default_rng(5)

    def send(inputs):
        mass, charge = inputs[:, -4], inputs[:, -2]
        sent = gauge(mass, charge)[:, None] * (pair_force(law, inputs) @ A) + offset * np.sin(np.log(mass))[:, None]
        return sent + noise * sent.std(0) * rng.standard_normal(sent.shape)

    return edges, send(edges.inputs), send(back)


@pytest.mark.parametrize("law", ["spring", "r1"])
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("name", GAUGES)
def test_action_and_reaction_alone_tell_the_gauge(name, offset, law):
    edges, sent, returned = both_ways(GAUGES[name], law, 0.01, offset)
    found = reaction_gauge(edges.inputs, sent, returned)
    mass, charge = edges.inputs[:, -4], edges.inputs[:, -2]
    usual = (mass > np.quantile(mass, 0.1)) & (mass < np.quantile(mass, 0.9))
    product = found.inverse(edges.inputs)[usual] * GAUGES[name](mass, charge)[usual]
    assert np.std(product) / np.abs(np.mean(product)) < 0.1
    assert found.exponent(edges.inputs) == pytest.approx(mass_exponent(edges.inputs, GAUGES[name](mass, charge)), abs=0.1)
    assert linear_fit(edges.force, found.undo(edges.inputs, sent)).r2.mean() > 0.98


def test_a_gauge_that_changes_sign_with_the_charge_keeps_the_size_of_messages():
    """The field, g = 1/q: its mean over receivers nearly cancels, its mean size does not."""
    edges, sent, returned = both_ways(lambda m, q: 1 / q, "charge", 0.01)
    found = reaction_gauge(edges.inputs, sent, returned)
    inverse, charge = found.inverse(edges.inputs), edges.inputs[:, -2]
    assert np.abs(inverse).mean() == pytest.approx(1.0)
    np.testing.assert_allclose(inverse, charge, atol=0.1)
    assert linear_fit(edges.force, found.undo(edges.inputs, sent)).slope == pytest.approx(A, rel=0.02)


@pytest.mark.parametrize("factor", [-7.0, 1e-6])
def test_size_and_sign_of_messages_do_not_change_the_gauge(factor):
    edges, sent, returned = both_ways(GAUGES["acceleration"], "spring", 0.0)
    once, again = (reaction_gauge(edges.inputs, k * sent, k * returned).inverse(edges.inputs) for k in (1.0, factor))
    assert (once > 0).mean() > 0.99
    np.testing.assert_allclose(again, once, rtol=1e-3, atol=1e-3)


def test_what_is_not_reciprocal_has_no_gauge_to_find():
    edges, sent, returned = both_ways(GAUGES["force"], "spring", 0.0)
    drag = edges.messages @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # the same in both directions, as friction's share may be
    found = reaction_gauge(edges.inputs, sent + 2 * drag, returned + 2 * drag)
    assert linear_fit(edges.force, found.undo(edges.inputs, sent + 2 * drag)).r2.mean() < 0.9


@pytest.mark.parametrize("law", ["string", "string_ball"])
def test_where_masses_do_not_vary_the_gauge_is_a_constant(law):
    edges = planted(GAUGES["force"], law, noise=0.01)
    assert scores(edges, BOTH)["r2_gauge_trimmed"] > 0.99
    back = -edges.messages
    found = reaction_gauge(edges.inputs, edges.messages, back)
    assert np.ptp(found.inverse(edges.inputs)) < 1e-6
    assert np.isnan(found.exponent(edges.inputs))
