"""Simplification: equal forms, and no more digits than a loss needs."""

import numpy as np
import pytest
import sympy

from lib.distillation.expressions import complexity, evaluate, parse
from lib.distillation.simplification import factor_leading_constants, round_constants, shortened, simplest

NAMES = ["dx", "dy", "r", "m1", "m2"]
X = np.exp(0.5 * np.random.default_rng(0).standard_normal((500, 5)))


@pytest.mark.parametrize(
    "text", ["(2*r - 1.98)*(3*dx + 6*dy)/(m1*r)", "0.5*dx + 0.5*dx*(2*m1 - 1)", "1/(2*m1 + 4)**2", "dx - dx + dy", "3.0"]
)
def test_simplification_keeps_the_value_and_never_grows(text):
    expression = parse(text, NAMES)
    for form in (simplest(expression), factor_leading_constants(expression)):
        np.testing.assert_allclose(evaluate(form, X, NAMES), evaluate(expression, X, NAMES), rtol=1e-9, atol=1e-9)
    assert complexity(simplest(expression)) <= complexity(expression)


def test_a_leading_constant_leaves_no_one_behind():
    assert str(factor_leading_constants(parse("dx*(2.5*r - 5.0)", NAMES))) == "2.5*dx*(r - 2.0)"


def test_constants_keep_the_digits_they_need():
    x = sympy.Symbol("x", real=True)

    def loss(expression):
        return abs(float(expression.subs(x, 1)) - 1.23456789)

    for limit, text in ((1e-1, "1.2"), (2e-4, "1.2346"), (1e-20, "1.23456789")):
        assert round_constants(1.23456789 * x, loss, limit) == sympy.Float(text) * x


def test_short_forms_keep_short_constants():
    y = -0.65 * X[:, 0] * (X[:, 2] - 2.71) + 0.01 * np.sin(50 * X[:, 1])

    def loss(expression):
        return float(np.mean((evaluate(expression, X, NAMES) - y) ** 2) / y.var())

    assert str(shortened(parse("dx*(1.76150001 - 0.65000003*r) + 1e-7*m1", NAMES), loss)) in (
        "dx*(1.76 - 0.65*r)",
        "-0.65*dx*(r - 2.71)",
    )
