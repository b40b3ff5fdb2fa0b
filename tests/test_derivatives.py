"""Smoothing of planted motion."""

import numpy as np
import pytest

from lib.observed.derivatives import BLOCK, OVERLAP, smooth
from lib.observed.recording import Experiment
from tests.planted_motion import motion, pull, recording


@pytest.fixture(scope="module")
def planted():
    return {irregular: motion("soft", count=8, dt=0.03, irregular=irregular, seed=3) for irregular in (False, True)}


def typical(differences):
    return np.sqrt(np.median(differences**2)) / 0.6745


def gathered(smoothed, name):
    return np.stack([getattr(one, name) for one in smoothed])


@pytest.mark.parametrize("irregular", [False, True])
@pytest.mark.parametrize(("level", "position", "velocity", "acceleration"), [(1e-4, 0.7, 0.003, 0.05), (1e-2, 0.5, 0.07, 0.5)])
def test_noise_is_taken_away(planted, irregular, level, position, velocity, acceleration):
    _, x, v = planted[irregular]
    sigma = level * x.std()
    smoothed = smooth(recording(planted[irregular], sigma).experiments, sigma)
    a = np.stack([pull("soft", one) for one in x])
    assert typical(gathered(smoothed, "value") - x) < position * sigma
    assert typical(gathered(smoothed, "first") - v) < velocity * v.std()
    assert typical(gathered(smoothed, "second") - a) < acceleration * typical(a)


@pytest.mark.parametrize("level", [1e-4, 1e-3, 1e-2])
def test_standard_errors_are_those_of_the_errors(planted, level):
    _, x, v = planted[True]
    sigma = level * x.std()
    smoothed = smooth(recording(planted[True], sigma, 0.1).experiments, sigma)
    errors = np.stack([one.errors for one in smoothed], axis=1)[..., None]
    known = np.isfinite(gathered(smoothed, "value"))
    of_value = ((gathered(smoothed, "value") - x) / errors[0])[known]
    of_first = ((gathered(smoothed, "first") - v) / errors[1])[known]
    assert 0.8 < typical(of_value) < 1.2
    assert 0.8 < typical(of_first) < 1.5


def test_exact_data_are_kept(planted):
    _, x, v = planted[False]
    smoothed = smooth(recording(planted[False]).experiments, 0.0)
    assert np.allclose(gathered(smoothed, "value"), x, rtol=0, atol=1e-12)
    assert typical(gathered(smoothed, "first") - v) < 1e-6 * v.std()


def test_rows_are_filled_between_measured_ones_only(planted):
    clock, x, _ = (one[0] for one in planted[False])
    lost = x.copy()
    lost[:3, 0] = lost[60, 0] = lost[-2:, 0] = np.nan
    (one,) = smooth([Experiment(clock, lost, None, None, {}, tuple("abcd"))], 0.0)
    assert np.isnan(one.value[:3, 0]).all() and np.isnan(one.value[-2:, 0]).all()
    assert np.isfinite(one.value[3:-2]).all()
    off = np.abs(one.value[60, 0] - x[60, 0]).max()
    assert off < 1e-4
    assert off < 5 * one.errors[0, 60, 0], "what is not known is told"


def test_long_trajectories_are_smoothed_in_blocks_without_seams():
    time = np.arange(5 * BLOCK) * 0.05
    path = np.stack([np.sin(time), np.cos(time)], axis=1)[:, None]
    noisy = path + 1e-3 * np.random.default_rng(0).standard_normal(path.shape)
    (one,) = smooth([Experiment(time, noisy, None, None, {}, ("a",))], 1e-3)
    assert np.abs(one.value - path).max() < 3e-3
    inner = slice(OVERLAP, -OVERLAP)
    assert np.abs(one.first - np.gradient(path, time, axis=0))[inner].max() < 0.02


@pytest.mark.parametrize("times", [1, 2, 3, 5, 7])
def test_few_rows(times):
    time = np.arange(times) * 0.1
    position = np.repeat((1.0 + 2 * time)[:, None, None], 2, axis=2)
    (one,) = smooth([Experiment(time, position, None, None, {}, ("a",))], 1e-6)
    if times == 1:
        assert np.isnan(one.value).all()
    else:
        assert np.allclose(one.value, position) and np.allclose(one.first, 2)
