"""Rollouts: with the true accelerations they are the simulator's trajectories."""

import numpy as np
import pytest

from lib.physics.rollout import rollout
from lib.physics.simulate import accelerations, initial_bodies, simulate, snapshot_times


@pytest.mark.parametrize("dim", [2, 3])
def test_true_accelerations_give_the_true_path(dim):
    initial, times = initial_bodies("damped", 5, 3, dim, seed=1), snapshot_times("damped")[:20]
    true, _ = simulate("damped", initial, times)
    learned = rollout(lambda bodies: accelerations("damped", bodies), initial, times)
    assert learned.shape == true.shape
    np.testing.assert_allclose(learned, true, atol=1e-3)


def test_halving_the_step_divides_the_error_by_sixteen():
    turn = lambda bodies: -bodies[..., :2].astype(float)  # noqa: E731  circles about the origin
    initial = np.array([[[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]]])
    times = np.array([0.0, 2 * np.pi])
    errors = [np.abs(rollout(turn, initial, times, substeps)[0, -1, 0, :4] - initial[0, 0, :4]).max() for substeps in (16, 32)]
    assert 10 < errors[0] / errors[1] < 24
