"""Averages over windows, and what exact laws leave of them on planted motion."""

from dataclasses import replace

import numpy as np
import pytest

from lib.distillation.expressions import parse
from lib.observed.recording import Experiment, Recording
from lib.observed.weak_form import LONGEST_GAP, weak_rows
from lib.selection.law import Law
from tests.planted_motion import motion, recording

FORMULAS = {"soft": "-r/(r**2 + 0.3)**1.5", "r1": "-1/r", "repulsion": "0.5/(r + 0.1)", "yukawa": "-1.8*exp(-r/1.4)/r"}


def law_of(force, order=2):
    return Law(2, parse(FORMULAS[force], ["r"]), order=order)


@pytest.fixture(scope="module")
def planted():
    return {
        (force, order, irregular): motion(force, count=12, dt=0.03, order=order, irregular=irregular, seed=3)
        for force, order, irregular in [
            ("soft", 2, False),
            ("soft", 2, True),
            ("repulsion", 1, False),
            ("repulsion", 1, True),
            ("r1", 2, False),
        ]
    }


def residuals(rows, law):
    return rows.target - rows.average @ law.rates(rows.motion)


def scaled_square(rows, law):
    return ((residuals(rows, law) / rows.deviation(law)[:, None]) ** 2).mean()


@pytest.mark.parametrize("order", [1, 2])
def test_constant_rates_are_given_exactly(order):
    rng = np.random.default_rng(0)
    time = np.cumsum(rng.uniform(0.01, 0.1, 60))
    rate = np.array([0.3, -2.0])
    path = rate * (time if order == 1 else time**2 / 2)[:, None] + [1.0, 4.0]
    position = np.repeat(path[:, None], 3, axis=1)
    position[rng.random((60, 3)) < 0.15] = np.nan
    rows = weak_rows(Recording((Experiment(time, position, None, None, {}, ("a", "b", "c")),), None, ()), order, 0.25)
    assert len(rows.target) > 10
    assert np.allclose(rows.target, rate, rtol=1e-9)
    assert np.allclose(rows.average.sum(1), 1) and np.allclose(rows.coarse.sum(1), 1)


@pytest.mark.parametrize(("force", "order", "irregular"), [("soft", 2, False), ("soft", 2, True), ("repulsion", 1, True)])
def test_exact_data_leave_next_to_nothing(planted, force, order, irregular):
    for missing in (0.0, 0.1):
        rows = weak_rows(recording(planted[force, order, irregular], missing=missing), order)
        law = law_of(force, order)
        left = np.sqrt((residuals(rows, law) ** 2).mean(1))
        size = (rows.average @ law.rates(rows.motion)).std()
        assert np.median(left) < 1e-6 * size
        assert np.quantile(left, 0.99) < 2e-3 * size


@pytest.mark.parametrize("level", [1e-5, 1e-3, 1e-2, 3e-2])
@pytest.mark.parametrize(("force", "order", "irregular"), [("soft", 2, False), ("soft", 2, True), ("repulsion", 1, False)])
def test_an_exact_law_leaves_the_noise(planted, force, order, irregular, level):
    exact = planted[force, order, irregular]
    rows = weak_rows(recording(exact, level * exact[1].std(), 0.1 if irregular else 0.0), order)
    assert 0.7 < scaled_square(rows, law_of(force, order)) < 1.3


@pytest.mark.parametrize("level", [1e-3, 3e-2])
def test_measured_velocities_serve(planted, level):
    exact = planted["soft", 2, False]
    measured = recording(exact, level * exact[1].std(), with_velocity=True)
    rows = weak_rows(measured)
    assert rows.quantity == "velocity"
    assert 0.8 < scaled_square(rows, law_of("soft")) < 1.2
    without = weak_rows(recording(exact, level * exact[1].std()), half_width=rows.half_width)
    assert np.median(rows.standard_deviation) < np.median(without.standard_deviation)


def test_a_wrong_law_is_told(planted):
    exact = planted["soft", 2, False]
    rows = weak_rows(recording(exact, 1e-2 * exact[1].std()))
    wrong = Law(2, parse("-r/(r**2 + 0.3)**1.35", ["r"]))
    deviation = rows.deviation(law_of("soft"))[:, None]
    assert ((residuals(rows, wrong) / deviation) ** 2).mean() > 1.1 * (
        (residuals(rows, law_of("soft")) / deviation) ** 2
    ).mean()


@pytest.mark.parametrize("level", [1e-2, 3e-2])
def test_close_encounters_are_given_their_errors(planted, level):
    """Where 1/r is steep, errors of positions weigh more than those of the targets."""
    exact = planted["r1", 2, False]
    rows = weak_rows(recording(exact, level * exact[1].std()))
    law = law_of("r1")
    assert 0.6 < scaled_square(rows, law) < 1.5
    assert ((residuals(rows, law) / rows.standard_deviation[:, None]) ** 2).mean() > 2


def test_nothing_reaches_over_gaps(planted):
    clock, x, _ = (one[0] for one in planted["soft", 2, False])
    lost = x.copy()
    lost[50:60, 1] = np.nan
    lost[80:82, 2] = np.nan
    rows = weak_rows(Recording((Experiment(clock, lost, None, None, {}, tuple("abcd")),), None, ()), half_width=0.12)
    gap = (clock[49], clock[60])
    assert gap[1] - gap[0] > LONGEST_GAP * 0.03
    inside = (rows.time + rows.half_width > gap[0] + 1e-9) & (rows.time - rows.half_width < gap[1] - 1e-9)
    assert not inside.any()
    assert (rows.time < gap[0]).any() and (rows.time > gap[1]).any()
    over = (np.abs(rows.time - clock[81]) < rows.half_width) & (rows.index == 2)
    assert over.any(), "a short gap is filled"
    left = np.abs(residuals(rows, law_of("soft"))).max(1)
    assert np.quantile(left[over], 0.9) < 1e-3


def test_a_body_that_is_never_there_is_left_out(planted):
    exact = planted["soft", 2, False]
    full = recording(exact)
    empty = np.full((len(full.experiments[0].time), 1, 2), np.nan)
    more = [
        replace(one, position=np.concatenate([one.position, empty], axis=1), bodies=(*one.bodies, "none"))
        for one in full.experiments
    ]
    one, other = weak_rows(full, half_width=0.12), weak_rows(replace(full, experiments=tuple(more)), half_width=0.12)
    assert np.array_equal(one.target, other.target)
    assert np.array_equal(one.motion.position, other.motion.position)


def test_a_periodic_box():
    box = np.array([4.0, 4.0])
    exact = motion("soft", count=6, dt=0.03, box=box, seed=5)
    sigma = 1e-3
    inside, outside = recording(exact, sigma, box=box), recording(exact, sigma)
    assert any((np.abs(np.diff(one.position, axis=0)) > 2).any() for one in inside.experiments), "some body crosses"
    rows, same = weak_rows(inside), weak_rows(replace(outside, box=box))
    assert np.allclose(rows.target, same.target)


def test_rows_chosen_keep_their_averages(planted):
    exact = planted["soft", 2, False]
    rows = weak_rows(recording(exact, 1e-3))
    law = law_of("soft")
    chosen = rows.trajectory < 4
    assert np.array_equal(residuals(rows.take(chosen), law), residuals(rows, law)[chosen])


def test_too_short_for_any_window():
    time = np.arange(2.0)
    one = Experiment(time, np.zeros((2, 3, 2)) + np.arange(3)[:, None], None, None, {"mass": np.ones(3)}, tuple("abc"))
    rows = weak_rows(Recording((one,), None, ()))
    assert rows.target.shape == (0, 2) and list(rows.motion.properties) == ["mass"]
