"""Symbolic regression: honest fronts, the same for the same seed."""

import numpy as np
import pandas as pd
import pytest
import sympy

from lib.distillation.expressions import complexity, evaluate, factor_leading_constants, parse, simplest
from lib.distillation.regression import choose, pareto, regress, round_constants
from lib.errors import InputError

NAMES = ["dx", "dy", "r", "m1", "m2", "q1", "q2"]


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    separation = rng.standard_normal((500, 2))
    rest = np.exp(0.5 * rng.standard_normal((500, 2)))
    return np.column_stack([separation, np.linalg.norm(separation, axis=1), rest, rng.standard_normal((500, 2))])


def test_operon_finds_a_planted_formula_and_a_seed_decides_all(inputs):
    y = 1.5 * inputs[:, 0] * inputs[:, 4] / inputs[:, 3] + 0.25
    first, again = (regress(inputs, y[:, None], NAMES, evaluations=30_000, seed=1)[0] for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.table["loss"].min() < 1e-8
    best = parse(first.table["expression"].iloc[-1], NAMES)
    np.testing.assert_allclose(evaluate(best, inputs, NAMES), y, rtol=1e-3, atol=1e-3)


def test_a_function_may_stand_in_expressions_where_it_is_named(inputs):
    x, names = inputs[:, 2:4], NAMES[2:4]
    y = 0.7 * x[:, 1] * np.log(x[:, 0])
    with_log, without = (
        regress(x, y[:, None], names, evaluations=20_000, functions=functions)[0].table for functions in (["log"], [])
    )
    assert with_log["loss"].min() < 1e-5 and "log" in with_log["expression"].iloc[-1]
    assert without["loss"].min() > 1e-4 and not without["expression"].str.contains("log").any()


def test_fronts_only_improve(inputs):
    candidates = ["dx", "2.0*dx", "dx + 0.0*m1", "1.0*dx*m2/m1", "dx*m2/m1 + 1e-12*q1", "zoo", "1/(r - r)"]
    y = inputs[:, 0] * inputs[:, 4] / inputs[:, 3]
    table = pareto(candidates, inputs, y, NAMES)
    assert table["complexity"].is_monotonic_increasing and table["complexity"].is_unique
    assert table["loss"].is_monotonic_decreasing and table["loss"].is_unique
    assert parse(table["expression"].iloc[-1], NAMES).equals(parse("dx*m2/m1", NAMES))
    assert table["chosen"].sum() == 1


def test_a_charge_and_its_inverse_are_one_where_charges_are_signs(inputs):
    units = inputs.copy()
    units[:, 5:] = np.sign(units[:, 5:])
    y = units[:, 0] * units[:, 5] * units[:, 6]
    for text in ("2.0*dx*q2/q1", "2.0*dx*q1**3*q2", "2.0*dx/(q1*q2)"):
        table = pareto([text], units, y, NAMES)
        assert parse(table["expression"].iloc[-1], NAMES).equals(parse("2.0*dx*q1*q2", NAMES))
    # where they are other numbers too, the power is the data's to tell
    table = pareto(["2.0*dx*q2/q1"], inputs, inputs[:, 0] * inputs[:, 6] / inputs[:, 5], NAMES)
    assert parse(table["expression"].iloc[-1], NAMES).equals(parse("2.0*dx*q2/q1", NAMES))


def test_the_choice_is_the_steepest_fall_among_the_accurate():
    table = pd.DataFrame({"complexity": [1, 5, 9, 15], "loss": [1.0, 0.5, 1e-4, 0.9e-4]})
    assert choose(table) == 2


@pytest.mark.parametrize(
    "text", ["(2*r - 1.98)*(3*dx + 6*dy)/(m1*r)", "0.5*dx + 0.5*dx*(2*m1 - 1)", "1/(2*m1 + 4)**2", "dx - dx + dy", "3.0"]
)
def test_simplification_keeps_the_value_and_never_grows(text, inputs):
    expression = parse(text, NAMES)
    for form in (simplest(expression), factor_leading_constants(expression)):
        np.testing.assert_allclose(evaluate(form, inputs, NAMES), evaluate(expression, inputs, NAMES), rtol=1e-9, atol=1e-9)
    assert complexity(simplest(expression)) <= complexity(expression)


def test_constants_keep_the_digits_they_need():
    x = sympy.Symbol("x", real=True)
    expression = 1.23456789 * x
    short = round_constants(expression, lambda e: 1 + abs(float(e.subs(x, 1)) - 1.23456789), slack=1e-3)
    assert short == sympy.Float("1.235") * x or short == sympy.Float("1.23") * x or short == sympy.Float("1.2346") * x
    assert abs(float(short.subs(x, 1)) - 1.23456789) < 1e-3


def test_unknown_engine_names_the_valid_ones(inputs):
    with pytest.raises(InputError, match="unknown engine 'gplearn': choose one of operon, pysr"):
        regress(inputs, inputs[:, :1], NAMES, evaluations=1, engine="gplearn")


def test_a_target_that_does_not_vary_is_a_constant(inputs):
    table = regress(inputs, np.full((len(inputs), 1), 0.25), NAMES, evaluations=2_000)[0].table
    assert [evaluate(parse(text, NAMES), inputs[:1], NAMES).item() for text in table["expression"]] == [0.25]
