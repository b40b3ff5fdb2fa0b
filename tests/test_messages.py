"""Planted messages: each gauge is told from the others, and a bad fit cannot pass for a good one."""

import numpy as np
import pytest

from lib.forces import edge_inputs, pair_force
from lib.laws import get_law
from lib.messages import Edges, choose_channels, gauge_exponent, gauge_fit, gauge_score, linear_fit, r_squared, scores, sparsity

A = np.array([[1.2, -0.7], [0.4, 0.9]])
GAUGES = {
    "force": lambda m, q: np.ones_like(m),
    "acceleration": lambda m, q: 1 / m,
    "gauge": lambda m, q: 1 + 0.8 / m,
}


def planted(gauge, law="spring", offset=0.0, noise=0.0, count=12_000, seed=0) -> Edges:
    rng = np.random.default_rng(seed)
    draw = get_law(law).initial
    one, two = (draw(count, 2, rng.standard_normal) for _ in range(2))
    inputs = edge_inputs(one, two)
    force = pair_force(law, inputs)
    mass, charge = inputs[:, -4], inputs[:, -2]
    sent = gauge(mass, charge)[:, None] * (force @ A) + offset * np.sin(np.log(mass))[:, None]
    sent = sent + noise * sent.std(0) * rng.standard_normal(sent.shape)
    return Edges(sent, None, inputs, force, np.arange(count) // 60)


BOTH = np.array([0, 1])


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
    fit = gauge_fit(edges.inputs, edges.force, edges.messages)
    mass = edges.inputs[:, -4]
    middle = (mass > np.quantile(mass, 0.1)) & (mass < np.quantile(mass, 0.9))
    slope = np.polyfit(np.log(mass[middle]), np.log(np.abs(fit.gauge(edges.inputs[middle]))), 1)[0]
    assert slope == pytest.approx(-1, abs=0.05)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_gauge_that_is_a_power_of_the_mass_has_that_exponent(exponent):
    found, score = gauge_exponent(planted(lambda m, q: m**-exponent, noise=0.05), BOTH)
    assert found == pytest.approx(exponent, abs=0.051) and score > 0.99


def test_a_useless_channel_is_not_chosen():
    edges = planted(GAUGES["force"])
    noise = 0.1 * np.random.default_rng(1).standard_normal((len(edges.messages), 3))
    wide = Edges(np.hstack([noise, edges.messages]), None, edges.inputs, edges.force, edges.trajectory)
    assert set(choose_channels(wide, 2)) == {3, 4}
    assert sparsity(wide.messages, np.array([3, 4])) > 0.85


def test_gaussian_channels_are_chosen_by_what_they_tell():
    edges = planted(GAUGES["force"])
    # the wide channel is all noise: its variance equals its prior's, and its mean never moves
    means = np.column_stack([1e-3 * np.random.default_rng(0).standard_normal(len(edges.messages)), edges.messages])
    log_variance = np.column_stack([np.zeros(len(means)), np.full((len(means), 2), -5.0)])
    gaussian = Edges(means, log_variance, edges.inputs, edges.force, edges.trajectory)
    assert set(choose_channels(gaussian, 2)) == {1, 2}


def test_heavy_tails_do_not_pass_for_a_fit():
    """Trimming residuals would score 1 here; the honest score must not."""
    rng = np.random.default_rng(0)
    force = rng.standard_normal((10_000, 2))
    sent = force @ A
    wild = rng.choice(10_000, 300, replace=False)
    sent[wild] = 1e3 * rng.standard_normal((300, 2))
    fit = linear_fit(force, sent)
    assert fit.r2.max() < 0.1
    residual = np.abs(sent - force @ A).max(1)
    calm = residual <= np.quantile(residual, 0.9)
    assert linear_fit(force[calm], sent[calm]).r2.min() > 0.999


def test_a_missing_charge_is_rejected():
    edges = planted(GAUGES["force"], "charge")
    blind = edges.force * (edges.inputs[:, [-2]] * edges.inputs[:, [-1]])
    edges = Edges(blind @ A, None, edges.inputs, edges.force, edges.trajectory)
    found = scores(edges, BOTH)
    assert max(found["r2_force_trimmed"], found["r2_acceleration_trimmed"], found["r2_gauge_trimmed"]) < 0.1


def test_the_general_gauge_is_scored_on_trajectories_it_was_not_fitted_to():
    edges = planted(GAUGES["force"], count=600)
    noise = np.random.default_rng(3).standard_normal(edges.messages.shape)
    _, score = gauge_score(Edges(noise, None, edges.inputs, edges.force, edges.trajectory), BOTH)
    assert score < 0.05


def test_r_squared_of_a_constant_channel_is_zero():
    assert r_squared(np.ones((5, 1)), np.ones((5, 1))).tolist() == [0.0]
