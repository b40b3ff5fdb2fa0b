"""Alignment of channels with force components: planted rotations are found, stretches are told from them."""

import numpy as np
import pytest

from lib.alignment import alignment


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
