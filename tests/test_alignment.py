"""Alignment of channels with force components: planted rotations are found, stretches and sparse codes told from them."""

import numpy as np
import pytest
from planted import BOTH, GAUGES, planted

from lib.messages.alignment import alignment, tuning
from lib.messages.extraction import Edges, linear_fit


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, 2.0])
def test_a_rotation_is_undone(angle):
    found = alignment(2.5 * turn(angle))
    assert found.aligned == pytest.approx(max(np.cos(angle) ** 2, np.sin(angle) ** 2))
    assert found.rotated == pytest.approx(1.0) and found.stretch == pytest.approx(1.0)
    np.testing.assert_allclose(found.rotation, turn(angle), atol=1e-12)


def test_swapped_and_mirrored_channels_are_aligned():
    assert alignment(np.array([[0.0, 3.0], [-1.0, 0.0]])).aligned == pytest.approx(1.0)
    assert alignment(np.eye(3)[[2, 0, 1]]).aligned == pytest.approx(1.0)


def test_a_shear_is_told_from_a_rotation():
    found = alignment(np.array([[1.0, 1.0], [0.0, 0.2]]))
    assert found.stretch > 5 and found.rotated < 0.95


def test_two_channels_of_one_component_do_not_both_count():
    assert alignment(np.array([[1.0, 1.0], [1e-9, 0.0]])).aligned == pytest.approx(0.5)


def sparse_code(force, lines=3):
    """Forces [edges, 2] in channels [edges, lines] along lines evenly turned, of which the two nearest carry each force."""
    axes = np.stack([[np.cos(k * np.pi / lines), np.sin(k * np.pi / lines)] for k in range(lines)])
    code = np.zeros((len(force), lines))
    for edge, f in enumerate(force):
        one, two = sorted(np.argsort(-np.abs(axes @ f))[:2])
        code[edge, [one, two]] = np.linalg.solve(axes[[one, two]].T, f)
    return code


def test_linear_channels_answer_as_cosines_and_sparse_ones_are_silent_aside():
    edges = planted(GAUGES["gauge"])
    direction, answer = tuning(edges, BOTH)
    for channel in answer.T:
        waves = np.stack([np.cos(np.radians(direction)), np.sin(np.radians(direction))], axis=1)
        assert linear_fit(waves, channel[:, None]).r2[0] > 0.99
    code = sparse_code(edges.force)
    sparse = Edges(GAUGES["gauge"](edges.inputs[:, -4], 0)[:, None] * code, None, edges.inputs, edges.force, edges.trajectory)
    direction, answer = tuning(sparse, np.arange(3))
    # line k lies along 60 k degrees: none beyond 60 degrees of it
    for k, channel in enumerate(np.abs(answer).T):
        aside = np.abs((direction - 60 * k + 90) % 180 - 90) > 63
        assert channel[aside].max() < 0.05 * channel.max()


def test_a_sparse_code_costs_what_the_formula_of_the_extensions_says():
    turned = np.radians(np.linspace(0, 360, 3_600, endpoint=False))
    force = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    for lines in (2, 3, 4):
        half = np.pi / (2 * lines)
        assert np.abs(sparse_code(force, lines)).sum(axis=1).mean() == pytest.approx(np.tan(half) / half, rel=1e-3)
