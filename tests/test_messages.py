"""Planted messages: each gauge is told from the others, and a bad fit cannot pass for a good one."""

import numpy as np
import pytest
from planted import GAUGES, A, planted

from lib.messages.extraction import Edges, bootstrap, choose_channels, linear_fit, principal_components, r_squared, sparsity


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
    typical = residual <= np.quantile(residual, 0.9)
    assert linear_fit(force[typical], sent[typical]).r2.min() > 0.999


def test_r_squared_of_a_constant_channel_is_zero():
    assert r_squared(np.ones((5, 1)), np.ones((5, 1))).tolist() == [0.0]


def test_principal_components_gather_what_is_spread_over_channels():
    edges = planted(GAUGES["force"])
    rng = np.random.default_rng(0)
    spread = edges.messages @ rng.standard_normal((2, 50)) + 0.01 * rng.standard_normal((len(edges.messages), 50))
    wide = Edges(spread, None, edges.inputs, edges.force, edges.trajectory)
    gathered = wide.seen(principal_components(wide, 2))
    assert gathered.messages.shape == (len(spread), 2)
    assert linear_fit(edges.force, gathered.messages).r2.min() > 0.999
    variance = gathered.messages.var(axis=0)
    assert variance[0] > variance[1] and variance.sum() / spread.var(axis=0).sum() > 0.999


def test_the_loudest_edges_are_left_out_without_the_truth():
    edges = planted(GAUGES["force"])
    quiet = edges.without_outliers()
    assert 0.935 < len(quiet.messages) / len(edges.messages) < 0.951
    assert np.abs(quiet.messages).max() < np.abs(edges.messages).max()


def test_bootstrap_errors_are_those_of_fresh_samples():
    rng = np.random.default_rng(0)

    def sample():
        """200 trajectories of 20 edges, each with a shift of its own, so that edges are not independent."""
        group = np.repeat(np.arange(200), 20)
        x = rng.standard_normal((4_000, 2)) + rng.standard_normal((200, 2))[group]
        return x, x @ A + rng.standard_normal((4_000, 2)) + 2 * rng.standard_normal((200, 2))[group], group

    fresh = np.std([linear_fit(x, y).r2.mean() for x, y, _ in (sample() for _ in range(200))])
    assert bootstrap(*sample()) == pytest.approx(fresh, rel=0.3)
