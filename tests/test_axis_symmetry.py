"""What is found along one axis is tried along the others."""

import numpy as np
import pytest
import sympy

from lib.distillation.axis_symmetry import along_all_axes, fitted, swap_axes, with_swapped_axes
from lib.distillation.expressions import evaluate, parse
from lib.distillation.regression import Front, pareto

NAMES = ["dx", "dy", "r", "m1"]
RNG = np.random.default_rng(0)
SEPARATION = RNG.uniform(-3, 3, (2_000, 2))
X = np.column_stack([SEPARATION, np.linalg.norm(SEPARATION, axis=1), RNG.uniform(0.5, 3, 2_000)])


def fronts(*found: list[str], targets: np.ndarray) -> list[Front]:
    tables = [pareto([parse(text, NAMES) for text in texts], X, y, NAMES) for texts, y in zip(found, targets.T, strict=True)]
    return [Front(table, "none", 0, 0.0, 0, False) for table in tables]


def test_axes_are_swapped_and_nothing_else():
    assert swap_axes(parse("dx*m1/r + dy", NAMES), "dx", "dy") == parse("dy*m1/r + dx", NAMES)
    expected = [parse(f"{axis}*m1/r", NAMES) for axis in ("dx", "dy")]
    assert along_all_axes(parse("dy*m1/r", NAMES), 1, [["dx", "dy"]]) == expected


def test_all_vectors_are_swapped_together():
    names = ["vx", "vy", "s1", "s2"]
    assert along_all_axes(parse("s2 - vy", names), 1, [["vx", "vy"], ["s1", "s2"]]) == [
        parse(e, names) for e in ("s1 - vx", "s2 - vy")
    ]


@pytest.mark.parametrize(
    ("law", "form"),
    [
        (lambda d, r: 1.7 * d - 1.6 * d / r, "1.7*{0} - 1.6*{0}/r"),
        (
            lambda d, r: np.where(r > 1.5, 1.7 * d - 1.6 * d / r, 0.0),
            "Piecewise((1.7*{0} - 1.6*{0}/r, r > 1.5), (0.0, True))",
        ),
    ],
    ids=["smooth", "discontinuous"],
)
def test_a_component_gets_the_form_of_another_with_constants_of_its_own(law, form):
    r = X[:, 2]
    targets = np.column_stack([law(X[:, 0], r), -0.3 * law(X[:, 1], r)]) + 1e-3 * RNG.standard_normal((len(X), 2))
    before = fronts([form.format("dx")], ["-0.2*dy", "0.03*dy*r - 0.2*dy"], targets=targets)
    own, given = with_swapped_axes(before, X, targets, NAMES)
    assert given.table["loss"].min() < 1e-4 < before[1].table["loss"].min()
    best = parse(given.table["expression"].iloc[-1], NAMES)
    np.testing.assert_allclose(evaluate(best, X, NAMES), -0.3 * law(X[:, 1], r), atol=5e-3)
    # the first has nothing better to learn from the second, and keeps what it had
    assert own.table["loss"].min() == pytest.approx(before[0].table["loss"].min())
    assert sympy.Symbol("dx", real=True) not in best.free_symbols


def test_equal_constants_are_fitted_each_for_itself():
    y = 0.5 * X[:, 0] + 0.8 * X[:, 3]
    assert fitted(parse("0.5*dx + 0.5*m1", NAMES), X, y, NAMES).coeff(sympy.Symbol("m1", real=True)) == pytest.approx(0.8)
