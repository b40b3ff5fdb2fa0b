"""Noise read from planted motion."""

import numpy as np
import pytest

from lib.observed.noise import noise_of
from tests.planted_motion import motion, recording

LEVELS = [1e-5, 1e-4, 1e-3, 1e-2, 3e-2]
"""In parts of the spread of positions."""


@pytest.fixture(scope="module")
def planted():
    return {
        (force, dt, irregular): motion(force, dt=dt, irregular=irregular, count=12, seed=3)
        for force, dt, irregular in [("r1", 0.02, False), ("soft", 0.05, False), ("spring", 0.05, True), ("soft", 0.03, True)]
    }


@pytest.mark.parametrize("level", LEVELS)
def test_noise_is_found_at_every_level(planted, level):
    for (force, dt, irregular), exact in planted.items():
        for missing in (0.0, 0.1):
            sigma = level * exact[1].std()
            found = noise_of(recording(exact, sigma, missing).experiments).standard_deviation
            assert found == pytest.approx(sigma, rel=0.15), (force, dt, irregular, missing)


def test_noise_of_few_rows(planted):
    exact = tuple(one[:1, :60] for one in planted["soft", 0.05, False])
    found = [noise_of(recording(exact, 0.01, seed=seed).experiments).standard_deviation for seed in range(10)]
    assert np.median(found) == pytest.approx(0.01, rel=0.15)
    assert np.ptp(found) < 0.006


def test_exact_data_have_the_noise_of_their_rounding(planted):
    for key, (clock, x, v) in planted.items():
        rounded = (clock, x.astype(np.float32).astype(float), v)
        rounding = np.abs(rounded[1] - x).std()
        assert noise_of(recording(rounded).experiments).standard_deviation < 4 * rounding, key


def test_experiments_with_noise_of_their_own_are_told_apart(planted):
    quiet, loud = (recording(planted["soft", 0.05, False], sigma).experiments for sigma in (0.001, 0.01))
    found = noise_of((*quiet[:5], *loud[:5])).by_experiment
    assert found[:5] == pytest.approx(0.001, rel=0.3)
    assert found[5:] == pytest.approx(0.01, rel=0.3)


def test_a_body_at_rest_tells_nothing(planted):
    clock, x, v = planted["soft", 0.05, False]
    relative = (clock, x - x[:, :, :1], v)
    measured = recording(relative, 0.01).experiments
    for one in measured:
        one.position[:, 0] = 0.0
    assert noise_of(measured).standard_deviation == pytest.approx(0.01, rel=0.15)


def test_velocities_and_a_box():
    box = np.array([3.0, 3.0])
    exact = motion("soft", count=8, dt=0.05, box=box, seed=5)
    measured = recording(exact, 0.01, with_velocity=True, box=box)
    assert noise_of(measured.experiments, "velocity").standard_deviation == pytest.approx(0.01, rel=0.15)
    assert noise_of(measured.experiments, box=box).standard_deviation == pytest.approx(0.01, rel=0.15)
    assert np.isnan(noise_of(measured.experiments, "acceleration").standard_deviation)
