"""Channels, linear fits and their errors, on planted messages: a bad fit cannot pass for a good one."""

import numpy as np
import pytest
from planted import GAUGES, A, planted

from lib.messages.extraction import (
    CLOSE_PAIR_QUANTILE,
    Edges,
    bootstrap,
    choose_channels,
    cross_validated,
    linear_fit,
    principal_components,
    r_squared,
    sparsity,
)


def test_a_useless_channel_is_not_chosen():
    edges = planted(GAUGES["force"])
    noise = 0.1 * np.random.default_rng(1).standard_normal((len(edges.messages), 3))
    wide = Edges(np.hstack([noise, edges.messages]), None, edges.inputs, edges.force, edges.trajectory)
    assert set(choose_channels(wide, 2)) == {3, 4}
    assert sparsity(wide.messages, np.array([3, 4])) > 0.85


def test_gaussian_channels_are_chosen_by_their_divergence():
    edges = planted(GAUGES["force"])
    # the wide channel is all noise: its variance equals its prior's, and its mean never moves
    means = np.column_stack([1e-3 * np.random.default_rng(0).standard_normal(len(edges.messages)), edges.messages])
    log_variance = np.column_stack([np.zeros(len(means)), np.full((len(means), 2), -5.0)])
    gaussian = Edges(means, log_variance, edges.inputs, edges.force, edges.trajectory)
    assert set(choose_channels(gaussian, 2)) == {1, 2}


def test_r_squared_is_over_all_edges():
    """A fit that is right but for 3% of the edges, which hold all variance: trimmed by residuals it would score 1."""
    rng = np.random.default_rng(0)
    force = rng.standard_normal((10_000, 2))
    sent = force @ A
    wild = rng.choice(10_000, 300, replace=False)
    sent[wild] = 1e3 * rng.standard_normal((300, 2))
    assert linear_fit(force, sent).r2.max() < 0.1
    assert r_squared(sent, force @ A).max() < 0.1
    assert r_squared(np.delete(sent, wild, 0), np.delete(force, wild, 0) @ A).min() == 1


def test_r_squared_of_a_constant_channel_is_zero():
    assert r_squared(np.ones((5, 1)), np.ones((5, 1))).tolist() == [0.0]


def test_principal_components_gather_what_is_spread_over_channels():
    edges = planted(GAUGES["force"])
    rng = np.random.default_rng(0)
    spread = edges.messages @ rng.standard_normal((2, 50)) + 0.01 * rng.standard_normal((len(edges.messages), 50))
    wide = Edges(spread, None, edges.inputs, edges.force, edges.trajectory)
    gathered = wide.combined(principal_components(wide, 2))
    assert gathered.messages.shape == (len(spread), 2)
    assert linear_fit(edges.force, gathered.messages).r2.min() > 0.999
    variance = gathered.messages.var(axis=0)
    assert variance[0] > variance[1] and variance.sum() / spread.var(axis=0).sum() > 0.999


def test_outliers_are_large_messages_and_close_pairs():
    edges = planted(GAUGES["force"])
    size = np.linalg.norm(edges.messages - np.median(edges.messages, axis=0), axis=1)
    rest = edges.without_outliers()
    left_out = ~np.isin(edges.pairs.r, rest.pairs.r)
    close = edges.pairs.r <= np.quantile(edges.pairs.r, CLOSE_PAIR_QUANTILE)
    large = size > size[~left_out].max()
    np.testing.assert_array_equal(left_out, close | large)
    assert close.mean() == pytest.approx(0.01, abs=1e-3) and large.mean() == pytest.approx(0.05, abs=1e-3)


def test_each_trajectory_is_predicted_by_the_others():
    """Every trajectory has a slope of its own, which its own edges alone could tell."""
    rng = np.random.default_rng(0)
    trajectory = np.repeat(np.arange(5), 200)
    x = rng.standard_normal((1_000, 1))
    y = x * np.array([1.0, 2.0, 3.0, 4.0, 5.0])[trajectory, None]
    predicted = cross_validated(x, y, trajectory)
    for k in range(5):
        slope = linear_fit(x[trajectory == k], predicted[trajectory == k]).slope[0, 0]
        assert slope == pytest.approx((15 - (k + 1)) / 4, abs=0.2)


def test_bootstrap_errors_are_those_of_fresh_samples():
    rng = np.random.default_rng(0)

    def sample():
        """200 trajectories of 20 edges, each with a shift of its own, so that edges are not independent."""
        group = np.repeat(np.arange(200), 20)
        x = rng.standard_normal((4_000, 2)) + rng.standard_normal((200, 2))[group]
        return x, x @ A + rng.standard_normal((4_000, 2)) + 2 * rng.standard_normal((200, 2))[group], group

    def score(x, y, group):
        return r_squared(y, cross_validated(x, y, group)).mean()

    fresh = np.std([score(*sample()) for _ in range(200)])
    x, y, group = sample()
    assert bootstrap(y, cross_validated(x, y, group), group) == pytest.approx(fresh, rel=0.3)
