"""Alignment of channels with force components: planted rotations are found, shears and sparse codes are not taken for them."""

import numpy as np
import pytest
from planted import BOTH, GAUGES, planted

from lib.messages.alignment import alignment, tuning
from lib.messages.extraction import Edges, linear_fit


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, 2.0])
def test_a_rotation_is_found(angle):
    found = alignment(2.5 * rotation(angle))
    assert found.aligned == pytest.approx(max(np.cos(angle) ** 2, np.sin(angle) ** 2))
    assert found.rotated == pytest.approx(1.0) and found.stretch == pytest.approx(1.0)
    np.testing.assert_allclose(found.rotation, rotation(angle), atol=1e-12)


def test_swapped_and_mirrored_channels_are_aligned():
    assert alignment(np.array([[0.0, 3.0], [-1.0, 0.0]])).aligned == pytest.approx(1.0)
    assert alignment(np.eye(3)[[2, 0, 1]]).aligned == pytest.approx(1.0)


def test_a_shear_is_told_from_a_rotation():
    found = alignment(np.array([[1.0, 1.0], [0.0, 0.2]]))
    assert found.stretch > 5 and found.rotated < 0.95


def test_two_channels_of_one_component_do_not_both_count():
    assert alignment(np.array([[1.0, 1.0], [1e-9, 0.0]])).aligned == pytest.approx(0.5)


def sparse_code(force, lines=3):
    """Forces [edges, 2] in channels [edges, lines] along evenly spaced lines, of which the two nearest carry each force."""
    axes = np.stack([[np.cos(k * np.pi / lines), np.sin(k * np.pi / lines)] for k in range(lines)])
    code = np.zeros((len(force), lines))
    for edge, f in enumerate(force):
        one, two = sorted(np.argsort(-np.abs(axes @ f))[:2])
        code[edge, [one, two]] = np.linalg.solve(axes[[one, two]].T, f)
    return code


def test_tuning_curves_of_linear_channels_are_cosines_and_those_of_a_sparse_code_have_gaps():
    edges = planted(GAUGES["gauge"])
    direction, curves = tuning(edges, BOTH)
    for channel in curves.T:
        waves = np.stack([np.cos(np.radians(direction)), np.sin(np.radians(direction))], axis=1)
        assert linear_fit(waves, channel[:, None]).r2[0] > 0.99
    code = sparse_code(edges.force)
    sparse = Edges(GAUGES["gauge"](edges.pairs.m1, 0)[:, None] * code, None, edges.inputs, edges.force, edges.trajectory)
    direction, curves = tuning(sparse, np.arange(3))
    # line k lies along 60 k degrees: none beyond 60 degrees of it
    for k, channel in enumerate(np.abs(curves).T):
        aside = np.abs((direction - 60 * k + 90) % 180 - 90) > 63
        assert channel[aside].max() < 0.05 * channel.max()
