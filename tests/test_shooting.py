"""Constants fitted to planted positions through the integrator."""

from dataclasses import replace

import numpy as np
import pytest

from lib.distillation.expressions import parse
from lib.errors import InputError
from lib.observed.compared import Compared
from lib.observed.multiple_shooting import eliminated_states
from lib.observed.recording import Experiment, Recording
from lib.observed.shooting import shoot
from lib.observed.tracks import Tracks
from lib.selection.law import Law
from tests.planted_motion import motion, recording

START = "-1.05*r**(-0.97)"
"""Of -1/r."""


@pytest.fixture(scope="module")
def planted():
    return motion("r1", count=24, times=32, n=2, dt=0.03, seed=3)


def law_of(text, names=("r",), **more):
    return Law(2, parse(text, list(names)), **more)


def scores(fit, truth):
    return [(c.value - value) / c.standard_error for c, value in zip(fit.constants, truth, strict=True)]


def test_constants_come_back_within_their_errors(planted):
    sigma = 1e-3 * planted[1].std()
    found = [shoot(law_of(START), recording(planted, sigma, seed=seed)) for seed in range(5)]
    z = np.array([scores(fit, (-1, -1)) for fit in found])
    assert np.abs(z).max() < 3.5
    assert 0.4 < np.sqrt((z**2).mean()) < 1.7
    assert all(fit.converged for fit in found)
    assert np.mean([fit.noise for fit in found]) == pytest.approx(sigma, rel=0.1)
    assert all(c.standard_error < 0.05 for fit in found for c in fit.constants)


def test_missing_rows_and_outliers_do_no_harm(planted):
    sigma = 1e-3 * planted[1].std()
    measured = recording(planted, sigma, 0.1)
    rng = np.random.default_rng(0)
    for one in measured.experiments:
        wrong = rng.random(one.position.shape) < 0.003
        one.position[wrong] += 0.1 * rng.standard_normal(wrong.sum())
    fit = shoot(law_of(START), measured)
    assert np.abs(scores(fit, (-1, -1))).max() < 3.5
    assert fit.noise == pytest.approx(sigma, rel=0.15)


def test_trajectories_of_another_kind_do_no_harm(planted):
    measured = recording(planted, 1e-3)
    clock, x, v = motion("spring", count=3, times=32, n=2, dt=0.03, seed=4)
    other = recording((clock, x, v), 1e-3)
    fit = shoot(law_of(START), replace(measured, experiments=(*other.experiments, *measured.experiments[3:])))
    assert [c.value for c in fit.constants] == pytest.approx([-1, -1], abs=0.01)


def test_exact_data_give_the_constants_themselves(planted):
    clock, x, v = planted
    fit = shoot(law_of(START), recording((clock[:6], x[:6], v[:6])))
    assert [c.value for c in fit.constants] == pytest.approx([-1, -1], abs=1e-5)


def test_held_constants_stay(planted):
    fit = shoot(law_of("-1.05*r**(-1.0)"), recording(planted, 1e-3), held=frozenset([1]))
    assert fit.constants[1].value == -1 and fit.constants[1].standard_error is None
    assert abs(fit.constants[0].value + 1) < 3.5 * fit.constants[0].standard_error


def test_first_order_motion_in_a_box():
    box = np.array([3.0, 3.0])
    exact = motion("soft", count=24, times=24, n=2, dt=0.03, order=1, box=box, seed=5)
    measured = recording(exact, 1e-3, box=box)
    fit = shoot(law_of("-1.1*r/(r**2 + 0.28)**1.5", order=1), measured)
    assert np.abs(scores(fit, (-1, 0.3, 1.5))[:2]).max() < 3.5


def test_scalars_of_bodies_are_found_in_units_of_the_largest(planted):
    """1/r between bodies whose senders' strengths are unknown; their charges do nothing and so are not determined."""
    measured = recording(planted, 1e-3)
    guess = {"mass": np.array([0.9, 1.1]), "charge": np.array([1.0, -1.0])}
    fit = shoot(law_of("-1.0*m2/r", ("r", "m1", "m2")), measured, guess)
    constant, mass, error = fit.constants[0], fit.scalars["mass"], fit.scalar_errors["mass"]
    assert mass[1] == 1.1 and error[1] == 0
    assert abs(mass[0] - 1.1) < 4 * error[0] < 0.2
    assert abs(constant.value * 1.1 + 1) < 4 * constant.standard_error * 1.1 < 0.2
    assert np.isnan(fit.scalar_errors["charge"][1])


def test_too_short_for_any_fit():
    one = Experiment(np.arange(3.0), np.random.default_rng(0).random((3, 2, 2)), None, None, {}, ("a", "b"))
    with pytest.raises(InputError, match="too short"):
        shoot(law_of(START), Recording((one,), None, ()))


def test_a_law_without_finite_slopes_is_not_compared(planted):
    tracks = Tracks.of(recording(planted, 1e-3), 2)
    compared = Compared.of(law_of(START), tracks, None, tracks.lengths[0])
    assert compared.fit(law_of("-1.0/r + sqrt(1e-310 + 1e-310*r)")) is None
    assert compared.fit(law_of(START)) is not None


def test_segments_that_go_astray_take_the_states_of_other_laws(planted):
    tracks, law = Tracks.of(recording(planted, 1e-3), 2), law_of("-1.1/r")
    compared = Compared.of(law, tracks, None, tracks.lengths[0])
    due = compared.fit(law_of(START)).misfit.sum()
    wrong = compared.kept.start.copy()
    wrong[:5, 1] += 30 * np.random.default_rng(0).standard_normal(wrong[:5, 1].shape)
    compared = replace(compared, kept=replace(compared.kept, start=wrong))
    assert compared.fit(law).misfit.sum() > 10 * due
    assert compared.again(law).misfit.sum() == pytest.approx(due, rel=0.05)


def test_segments_in_which_a_law_goes_astray_are_halved(planted):
    tracks, law = Tracks.of(recording(planted, 1e-3), 2), law_of(START)
    compared = Compared.of(law, tracks, None, tracks.lengths[0])
    found = compared.fit(law)
    due = found.misfit.mean()
    assert not compared.astray([found]).any()
    (formula, told), number = next(iter(compared.known.items())), np.arange(len(compared.kept.time))
    compared.known[formula] = replace(told, spread=np.where(number < 5, 9.0, 1.0))
    halved = compared.astray([found])
    assert halved.tolist() == (number < 5).tolist()
    closer = compared.closer(found, halved)
    assert len(closer.kept.time) == len(number) + 5
    assert closer.kept.measured == compared.kept.measured
    assert closer.fit(law).misfit.mean() == pytest.approx(due, rel=0.1)


def test_halves_hold_what_the_whole_held(planted):
    tracks = Tracks.of(recording(planted, 1e-3, missing=0.1), 2)
    whole = tracks.segments(16, 8, 0)
    halves = whole.halves()
    assert halves.measured == whole.measured
    assert (halves.time[:, 0] == 0).all() and (np.diff(halves.time) >= 0).all()
    first, second = (halves.take(rows) for rows in np.split(np.arange(len(halves.time)), 2))
    for k in range(3):
        both = np.concatenate([one.values[k, : one.counts[k]] for one in (first, second)])
        np.testing.assert_array_equal(both, whole.values[k, : whole.counts[k]])
        np.testing.assert_array_equal(second.start[k], whole.guess[k, first.counts[k]])


def test_a_state_of_which_a_segment_tells_nothing_stays():
    states = np.array([[[2.0, 2.0], [2.0, 2.0]]])
    information = np.zeros((1, 3, 3))
    information[:, 0, 0], information[:, 1:, 1:] = 5.0, states
    information[:, 0, 1:] = information[:, 1:, 0] = 1.0
    own, slope, solved = eliminated_states(information, np.array([[1.0, 4.0, 4.0]]), 1, np.zeros(1))
    np.testing.assert_allclose(solved[0, :, 0], 0.25)  # the shortest of all that solve it
    np.testing.assert_allclose([own.item(), slope.item()], [4.5, -1.0])
