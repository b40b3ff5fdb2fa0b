"""Unmixing: components along the axes are found from the directions of the pairs alone."""

import numpy as np
import pytest
from planted import GAUGES, A, planted

from lib.messages.unmixing import unmix
from lib.physics.forces import edge_inputs, pair_force
from lib.physics.laws import get_law


def off_diagonal(matrix):
    """The largest element off the diagonal, relative to the least on it, and how far the diagonal is from a multiple of 1."""
    diagonal = np.abs(np.diag(matrix))
    return np.abs(matrix - np.diag(np.diag(matrix))).max() / diagonal.min(), diagonal.max() / diagonal.min() - 1


@pytest.mark.parametrize("gauge", GAUGES)
@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge"])
def test_components_are_found_of_any_law_in_any_gauge(law, gauge):
    edges = planted(GAUGES[gauge], law).without_outliers()
    found = unmix(edges.messages + np.array([3.0, -20.0]), edges.inputs)
    assert max(off_diagonal(A @ found.matrix)) < 1e-6 and found.perpendicular < 1e-6
    components = edges.messages @ found.matrix
    assert components.var(axis=0).sum() == pytest.approx(edges.messages.var(axis=0).sum())


@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge"])
def test_they_are_found_through_noise(law):
    edges = planted(GAUGES["acceleration"], law).without_outliers()
    noise = 0.05 * edges.messages.std(axis=0) * np.random.default_rng(0).standard_normal(edges.messages.shape)
    found = unmix(edges.messages + noise, edges.inputs)
    assert max(off_diagonal(A @ found.matrix)) < 0.02 and found.perpendicular < 0.01


def test_they_are_found_in_three_dimensions():
    rng = np.random.default_rng(0)
    inputs = edge_inputs(*(get_law("charge").initial(12_000, 3, rng.standard_normal) for _ in range(2)))
    mix = rng.standard_normal((3, 3))
    sent = pair_force("charge", inputs) @ mix
    typical = np.linalg.norm(sent, axis=1) < np.quantile(np.linalg.norm(sent, axis=1), 0.95)
    assert max(off_diagonal(mix @ unmix(sent[typical], inputs[typical]).matrix)) < 1e-6


def test_messages_that_are_not_central_are_left_as_they_are():
    edges = planted(GAUGES["force"])
    one_way = edges.force[:, [0]] @ np.array([[1.0, 0.5]]) + 1e-3 * np.random.default_rng(0).standard_normal((12_000, 2))
    noise = np.random.default_rng(1).standard_normal((12_000, 2))
    for sent in (one_way, one_way * [1, 0], np.column_stack([edges.force[:, 0], edges.pairs.r]), noise):
        found = unmix(sent, edges.inputs)
        np.testing.assert_array_equal(found.matrix, np.eye(2))
        assert found.perpendicular > 0.2
