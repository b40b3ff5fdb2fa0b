"""Rollouts: with the true accelerations they are the simulator's trajectories; how long others stay near them."""

import numpy as np
import pytest

from lib.physics.rollout import rollout, valid_prediction_time
from lib.physics.simulate import accelerations, initial_bodies, simulate, snapshot_times


@pytest.mark.parametrize("dim", [2, 3])
def test_true_accelerations_give_the_true_path(dim):
    initial, times = initial_bodies("damped", 5, 3, dim, seed=1), snapshot_times("damped")[:20]
    true, _ = simulate("damped", initial, times)
    learned = rollout(lambda bodies: accelerations("damped", bodies), initial, times)
    assert learned.shape == true.shape
    np.testing.assert_allclose(learned, true, atol=1e-3)


def test_halving_the_step_divides_the_error_by_sixteen():
    circle = lambda bodies: -bodies[..., :2].astype(float)  # noqa: E731
    initial = np.array([[[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]]])
    times = np.array([0.0, 2 * np.pi])
    errors = [
        np.abs(rollout(circle, initial, times, substeps)[0, -1, 0, :4] - initial[0, 0, :4]).max() for substeps in (16, 32)
    ]
    assert 10 < errors[0] / errors[1] < 24


def test_a_prediction_is_valid_until_bodies_are_apart():
    times, true = np.linspace(0, 2, 5), np.zeros((4, 5, 2, 6))
    learned = true.copy()
    learned[0, :, 0, 0] = times * 0.15  # the mean over two bodies passes 0.1 between times 1 and 1.5
    learned[1, 1, 0, 1] = 3.0  # apart once, and near again: valid until then
    learned[2, 2:] = np.nan
    learned[3, ..., 2:] = 9.0  # velocities, charges and masses do not count
    assert valid_prediction_time(times, true, learned).tolist() == [1.5, 0.5, 1.0, 2.0]
    assert valid_prediction_time(times, true, learned, apart=10.0).tolist() == [2.0, 2.0, 1.0, 2.0]
