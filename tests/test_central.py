"""Central messages: the basis in which a force was sent is found from the pairs' directions alone."""

import numpy as np
import pytest
from planted import GAUGES, A, planted

from lib.messages.unmixing import turn
from lib.physics.forces import edge_inputs, pair_force
from lib.physics.laws import get_law


def off_diagonal(matrix):
    """The largest element off the diagonal, in parts of the least on it."""
    diagonal = np.abs(np.diag(matrix))
    return np.abs(matrix - np.diag(np.diag(matrix))).max() / diagonal.min(), diagonal.max() / diagonal.min() - 1


@pytest.mark.parametrize("gauge", GAUGES)
@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge"])
def test_components_are_found_of_any_law_in_any_gauge(law, gauge):
    edges = planted(GAUGES[gauge], law).without_outliers()
    found = turn(edges.messages + np.array([3.0, -20.0]), edges.inputs)
    assert max(off_diagonal(A @ found.matrix)) < 1e-6 and found.across < 1e-6
    turned = edges.messages @ found.matrix
    assert turned.var(axis=0).sum() == pytest.approx(edges.messages.var(axis=0).sum())


@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge"])
def test_they_are_found_through_noise(law):
    edges = planted(GAUGES["acceleration"], law).without_outliers()
    noise = 0.05 * edges.messages.std(axis=0) * np.random.default_rng(0).standard_normal(edges.messages.shape)
    found = turn(edges.messages + noise, edges.inputs)
    assert max(off_diagonal(A @ found.matrix)) < 0.02 and found.across < 0.01


def test_they_are_found_in_three_dimensions():
    rng = np.random.default_rng(0)
    inputs = edge_inputs(*(get_law("charge").initial(12_000, 3, rng.standard_normal) for _ in range(2)))
    mix = rng.standard_normal((3, 3))
    sent = pair_force("charge", inputs) @ mix
    typical = np.linalg.norm(sent, axis=1) < np.quantile(np.linalg.norm(sent, axis=1), 0.95)
    assert max(off_diagonal(mix @ turn(sent[typical], inputs[typical]).matrix)) < 1e-6


def test_messages_along_no_line_are_left_as_they_are():
    edges = planted(GAUGES["force"])
    one_way = edges.force[:, [0]] @ np.array([[1.0, 0.5]]) + 1e-3 * np.random.default_rng(0).standard_normal((12_000, 2))
    noise = np.random.default_rng(1).standard_normal((12_000, 2))
    for sent in (one_way, one_way * [1, 0], np.column_stack([edges.force[:, 0], edges.inputs[:, 2]]), noise):
        found = turn(sent, edges.inputs)
        np.testing.assert_array_equal(found.matrix, np.eye(2))
        assert found.across > 0.2
