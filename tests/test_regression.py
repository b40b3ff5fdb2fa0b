"""Symbolic regression: fronts that only improve, the same for the same seed, whatever the units, and stopped in order."""

import itertools
import os
import signal
import threading
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from lib.distillation import engines, regression
from lib.distillation.engines import Found
from lib.distillation.expressions import evaluate, parse
from lib.distillation.regression import choose, pareto, provenance, readable, regress, stream
from lib.distillation.simplification import SLACK
from lib.errors import InputError
from lib.messages.discontinuities import Discontinuity

NAMES = ["dx", "dy", "r", "m1", "m2", "q1", "q2"]
SCALES = [1e-9, 1e-7, 3e-4, 1.0, 1e9]


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    separation = rng.standard_normal((500, 2))
    rest = np.exp(0.5 * rng.standard_normal((500, 2)))
    return np.column_stack([separation, np.linalg.norm(separation, axis=1), rest, rng.standard_normal((500, 2))])


def front_of(texts, x, y):
    return pareto([parse(text, NAMES) for text in texts], x, y, NAMES)


def test_operon_finds_a_planted_formula_and_a_seed_decides_all(inputs):
    y = 1.5 * inputs[:, 0] * inputs[:, 4] / inputs[:, 3] + 0.25
    first, again = (regress(inputs, y[:, None], NAMES, evaluations=30_000, seed=1)[0] for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.table["loss"].min() < 1e-8
    best = parse(first.table["expression"].iloc[-1], NAMES)
    np.testing.assert_allclose(evaluate(best, inputs, NAMES), y, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("of_target", SCALES)
@pytest.mark.parametrize("of_inputs", [1e-9, 1.0, 1e9])
def test_the_law_is_found_whatever_the_units(inputs, of_target, of_inputs):
    x = inputs[:, [0, 3, 4]] * of_inputs
    y = of_target * (1.5 * inputs[:, 0] * inputs[:, 4] / inputs[:, 3] + 0.25)
    (front,) = regress(x, y[:, None], ["dx", "m1", "m2"], evaluations=20_000, seed=1)
    best = parse(front.table["expression"].iloc[-1], ["dx", "m1", "m2"])
    assert front.table["loss"].min() < 1e-8
    np.testing.assert_allclose(evaluate(best, x, ["dx", "m1", "m2"]), y, rtol=1e-3, atol=1e-3 * of_target)


@pytest.mark.parametrize("scale", SCALES)
def test_a_front_is_the_same_in_any_units(inputs, scale):
    y = 0.3 * inputs[:, 0] / inputs[:, 2] + 0.1 * inputs[:, 3] + 0.01 * inputs[:, 5]
    texts = ["0.7*{0}*dx", "0.3037*{0}*dx/r", "0.3*{0}*dx/r + 0.1001*{0}*m1", "{0}*(0.3*dx/r + 0.1*m1 + 0.01*q1 + 1e-15*dy)"]
    one, other = (front_of([t.format(k) for t in texts], inputs, k * y) for k in (1.0, scale))
    assert one["complexity"].tolist() == other["complexity"].tolist() and len(one) == 4
    # which digits are the first depends on the unit
    np.testing.assert_allclose(other["loss"], one["loss"], rtol=2 * SLACK, atol=1e-25)
    np.testing.assert_allclose(evaluate(parse(other["expression"].iloc[-1], NAMES), inputs, NAMES), scale * y, rtol=1e-9)


def test_a_function_may_stand_in_expressions_where_it_is_named(inputs):
    x, names = inputs[:, 2:4], NAMES[2:4]
    y = 0.7 * x[:, 1] * np.log(x[:, 0])
    with_log, without = (
        regress(x, y[:, None], names, evaluations=20_000, functions=functions)[0].table for functions in (["log"], [])
    )
    assert with_log["loss"].min() < 1e-5 and "log" in with_log["expression"].iloc[-1]
    assert without["loss"].min() > 1e-4 and not without["expression"].str.contains("log").any()


def test_fronts_only_improve(inputs):
    y = inputs[:, 0] * inputs[:, 4] / inputs[:, 3]
    table = front_of(["dx", "2.0*dx", "dx + 0.0*m1", "1.0*dx*m2/m1", "dx*m2/m1 + 1e-12*q1", "1/(r - r)"], inputs, y)
    assert table["complexity"].is_monotonic_increasing and table["complexity"].is_unique
    assert table["loss"].is_monotonic_decreasing and table["loss"].is_unique
    assert parse(table["expression"].iloc[-1], NAMES).equals(parse("dx*m2/m1", NAMES))
    assert table["chosen"].sum() == 1


def test_terms_that_explain_nothing_are_dropped(inputs):
    y = inputs[:, 0] / inputs[:, 2]
    table = front_of(["1.3e-9 + 1.0000001*dx/(r + 2.0e-9*m1) - 4e-8*q2"], inputs, y)
    assert table["expression"].tolist() == ["dx/r"]


def test_candidates_without_a_value_are_left_out(inputs):
    y = 2.0 * inputs[:, 0]

    def find(task):
        return Found(["inf", "nan*dx", "(-inf) * dx", "inf*dx + (-nan)", "1/(dx - dx)", "dx"], task.evaluations)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.ENGINES, "broken", (find, "numpy"))
        (front,) = regress(inputs, y[:, None], NAMES, evaluations=1, engine="broken")
        assert len(front.table) == 1 and front.table["expression"].iloc[0].endswith("*dx")
    with pytest.raises(InputError, match="no expression that has a value"):
        pareto(readable(["inf", "nan"], NAMES), inputs, y, NAMES)


def test_a_charge_and_its_inverse_are_one_where_charges_are_signs(inputs):
    units = inputs.copy()
    units[:, 5:] = np.sign(units[:, 5:])
    y = units[:, 0] * units[:, 5] * units[:, 6]
    for text in ("2.0*dx*q2/q1", "2.0*dx*q1**3*q2", "2.0*dx/(q1*q2)"):
        table = front_of([text], units, y)
        assert parse(table["expression"].iloc[-1], NAMES).equals(parse("2.0*dx*q1*q2", NAMES))
    # where they are other numbers too, the power is the data's to tell
    table = front_of(["2.0*dx*q2/q1"], inputs, inputs[:, 0] * inputs[:, 6] / inputs[:, 5])
    assert parse(table["expression"].iloc[-1], NAMES).equals(parse("2.0*dx*q2/q1", NAMES))


def test_the_choice_is_the_steepest_fall_among_the_accurate():
    table = pd.DataFrame({"complexity": [1, 5, 9, 15], "loss": [1.0, 0.5, 1e-4, 0.9e-4]})
    assert choose(table) == 2


def test_unknown_engine_names_the_valid_ones(inputs):
    with pytest.raises(InputError, match="unknown engine 'gplearn': choose one of operon, pysr"):
        regress(inputs, inputs[:, :1], NAMES, evaluations=1, engine="gplearn")


@pytest.mark.parametrize("value", [0.25, 0.0, 3e-9])
def test_a_target_that_does_not_vary_is_a_constant(inputs, value):
    table = regress(inputs, np.full((len(inputs), 1), value), NAMES, evaluations=2_000)[0].table
    said = [evaluate(parse(text, NAMES), inputs[:1], NAMES).item() for text in table["expression"]]
    assert said == [pytest.approx(value, rel=1e-6)]


def test_no_two_searches_share_a_stream(monkeypatch, inputs):
    places = list(itertools.product(range(20), ("messages 0", "node", "potential"), range(3)))
    assert len({stream(*place) for place in places}) == len(places)
    assert stream(3, "node", 1) == stream(3, "node", 1)
    seeds = []

    def find(task):
        seeds.append(task.seed)
        return Found(["dx", "r"], task.evaluations)

    monkeypatch.setitem(engines.ENGINES, "listening", (find, "numpy"))
    for seed in (0, 1):
        for purpose in ("messages 0", "node"):
            fronts = regress(
                inputs,
                inputs[:, :3],
                NAMES,
                evaluations=2,
                seed=seed,
                purpose=purpose,
                engine="listening",
                discontinuity=Discontinuity(1.0, (1.0, 1.0)),
            )
            assert [front.seed for front in fronts] == [seed] * 3
    assert len(set(seeds)) == len(seeds) == 2 * 2 * 3 * 2


@contextmanager
def interrupt(after):
    """Interrupts this process, which heeds it, so many seconds later."""
    # whoever started the tests may have had interrupts ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(after, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def patient(monkeypatch):
    """An engine that searches until it is stopped, when it has spent 3 evaluations."""

    def find(task):
        assert task.stop.wait(60)
        return Found(["r", "r**2"], 3)

    monkeypatch.setitem(engines.ENGINES, "patient", (find, "numpy"))


X = np.linspace(1, 2, 20)[:, None]


def test_an_interrupted_regression_keeps_what_its_engine_has_found(patient):
    with interrupt(0.5):
        fronts = regress(X, np.hstack([X**2, X]), ["r"], evaluations=100, engine="patient")
    assert ["r**2" in front.table["expression"].iloc[-1] for front in fronts] == [True, True]
    assert provenance(fronts) | {"engine": ""} == {
        "engine": "",
        "regression_seed": 0,
        "evaluations": 3,
        "interrupted": True,
    }


def test_one_of_two_searches_side_by_side_is_stopped(patient):
    stops = [threading.Event(), threading.Event()]
    found = {}

    def search(k):
        found[k] = regress(X, X, ["r"], evaluations=100, engine="patient", stop=stops[k])

    searches = [threading.Thread(target=search, args=[k]) for k in range(2)]
    for thread in searches:
        thread.start()
    stops[0].set()
    searches[0].join(30)
    assert list(found) == [0] and found[0][0].interrupted
    # the end of the first has not restarted or ended the second
    searches[1].join(0.5)
    assert searches[1].is_alive() and not stops[1].is_set()
    stops[1].set()
    searches[1].join(30)
    assert sorted(found) == [0, 1]


def test_a_search_that_fails_ends_the_others_at_once(monkeypatch):
    def find(task):
        if task.y[0] == task.y[-1]:
            raise InputError("no luck")
        assert task.stop.wait(60)
        return Found(["r"], 1)

    monkeypatch.setitem(engines.ENGINES, "unlucky", (find, "numpy"))
    with pytest.raises(InputError, match="no luck"):
        regress(X, np.hstack([X, np.ones_like(X)]), ["r"], evaluations=10, engine="unlucky", workers=2)


def test_operon_is_stopped_within_a_search():
    x = np.random.default_rng(0).uniform(1, 3, (200, 2))
    with interrupt(2.0):
        (front,) = regress(x, x[:, :1] ** 2 / x[:, 1:], ["r", "m1"], evaluations=10**9)
    assert front.seconds < 60 and front.interrupted
    assert 0 < front.evaluations < 10**9 and front.evaluations % engines.STEP == 0
    assert front.table["loss"].min() < 1e-6


def test_workers_stay_within_the_share_of_the_job(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    running, most = [], []

    def find(task):
        running.append(task)
        most.append(len(running))
        threading.Event().wait(0.05)
        running.remove(task)
        return Found(["r"], task.evaluations)

    monkeypatch.setitem(engines.ENGINES, "counting", (find, "numpy"))
    fronts = regress(X, np.hstack([X] * 4), ["r"], evaluations=1, engine="counting")
    assert max(most) == 1 and not provenance(fronts)["interrupted"]
    monkeypatch.setattr(regression, "processors", lambda: 3)
    regression.regress(X, np.hstack([X] * 6), ["r"], evaluations=1, engine="counting")
    assert max(most) == 3
