"""The halos' formula: composed, fitted once more, and judged."""

import numpy as np
import pytest

from lib.distillation.expressions import parse
from lib.many_body import halo_formula, halos
from lib.many_body.halo_formula import EDGE_NAMES, NODE_NAMES, HaloFormula


@pytest.fixture(scope="module")
def seen():
    return halos.draws("validation", "smoke")(np.random.default_rng(0), 400)


def test_the_planted_form_is_the_overdensity_itself(seen):
    np.testing.assert_allclose(halo_formula.planted_form()(seen), seen.targets[:, 0], rtol=1e-4, atol=1e-5)


def test_training_never_sees_the_densest_fifth():
    rng = np.random.default_rng(1)
    usual, dense = (halos.draws(split, "smoke")(rng, 300).targets for split in ("test", "dense"))
    assert usual.max() < dense.min()


def test_constants_are_found_again_from_others(seen):
    edge = parse("(1.1 + 0.4*m2)/(0.9 + (0.25*r)**1.8)", EDGE_NAMES)
    node = parse("0.1 + s1/(1.0 + 0.02*s1 + 0.2*m1)", NODE_NAMES)
    rough = HaloFormula(edge, node)
    found = rough.fitted_to(seen)
    error, before = (np.abs(formula(seen) - seen.targets[:, 0].numpy()).mean() for formula in (found, rough))
    assert before > 0.1 and error < 1e-4
    assert halo_formula.judge(found.edge, seen)[0]
    dense = halos.draws("dense", "smoke")(np.random.default_rng(2), 300)
    np.testing.assert_allclose(found(dense), dense.targets[:, 0], rtol=1e-2)


def test_constants_are_told_in_the_planted_forms_own_units(seen):
    found = halo_formula.constants_of(seen.targets[:, 0].numpy().astype(float), seen)
    planted = {f"C{k}": value for k, value in enumerate(halos.CONSTANTS, 1) if k not in (5, 7)}
    assert found == pytest.approx(planted, rel=1e-2)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("3.1*(1 + 0.5*m2)/(1 + 0.04*r**2)", True),
        ("(m1 + 0.1)*(1 + 0.5*m2)/(1 + 0.04*r**2)", True),
        ("3.1*(1 + 0.5*m2)/(1 + 0.04*r**2) - 2", False),
        ("(1 + 0.5*m2)/(1 + 0.2*r)", False),
        ("1/(1 + 0.04*r**2)", False),
        ("m2/(1 + 0.04*r**2)", False),
        ("(1 + 0.5*m1)/(1 + 0.04*r**2)", False),
        ("1.2 - 0.05*r", False),
    ],
)
def test_the_verdict_takes_the_planted_edge_and_no_impostors(seen, text, held):
    assert halo_formula.judge(parse(text, EDGE_NAMES), seen)[0] == held
