"""The halos' formula: composed, chosen, and judged."""

import numpy as np
import pandas as pd
import pytest

from lib.distillation.expressions import parse
from lib.many_body import halo_choice, halo_formula, halos
from lib.many_body.halo_formula import EDGE_NAMES, NODE_NAMES, HaloFormula
from lib.selection.fitting import fit


@pytest.fixture(scope="module")
def seen():
    return halos.draws("validation", "smoke")(np.random.default_rng(0), 400)


def test_the_planted_form_is_the_overdensity_itself(seen):
    np.testing.assert_allclose(halo_formula.planted_form()(seen), seen.targets[:, 0], rtol=1e-4, atol=1e-5)


def test_training_never_sees_the_densest_fifth():
    rng = np.random.default_rng(1)
    usual, dense = (halos.draws(split, "smoke")(rng, 300).targets for split in ("test", "dense"))
    assert usual.max() < dense.min()


EDGES = ["0.3 - 0.01*r", "(1.1 + 0.4*m2)/(0.9 + (0.25*r)**1.8)", "(1.1 + 0.4*m2 + 0.001*v)/(0.9 + 0.06*r**2 + 0.001*m1)"]
NODES = ["0.1*m1", "1.2*s1 + 0.1", "0.1 + 2*s1/(2.2 + 0.04*s1 + 0.4*m1)"]


@pytest.fixture(scope="module")
def evidence():
    return halo_choice.densities("train", "smoke", 0, 400)[0]


@pytest.fixture(scope="module")
def chosen(evidence):
    fronts = [pd.DataFrame({"expression": rows}) for rows in (EDGES, NODES)]
    return halo_choice.choose(halo_choice.candidates(*fronts), evidence)


def test_the_formula_is_chosen_and_a_network_that_predicts_better_is_told(evidence, chosen):
    unseen, _ = halo_choice.densities("validation", "smoke", 0, 300)
    true, rng = unseen.target[:, 0], np.random.default_rng(0)
    found = halo_choice.verdict(*chosen[:1], evidence, chosen[1], unseen, true + 0.01 * rng.standard_normal(len(true)))
    assert found.reason is None and found.held_out_error["formula"] < 1e-4
    dense = halos.draws("dense", "smoke")(np.random.default_rng(2), 300)
    assert halo_formula.judge(found.formula.edge, dense)[0]
    np.testing.assert_allclose(found.formula(dense), dense.targets[:, 0], rtol=1e-2)
    assert all(one.standard_error < 1e-2 * abs(one.value) for one in found.constants)
    assert found.record()["announced"] and found.record()["kind"] == "empirical formula"
    withheld = halo_choice.verdict(chosen[0][-1:], evidence, chosen[1], unseen, true)
    assert not withheld.record()["announced"] and withheld.reason


def test_a_factor_that_edge_and_node_undo_is_taken_out(evidence):
    redundant = HaloFormula(parse("(3.0 + 1.5*m2)/(2.0 + 0.08*r**2)", EDGE_NAMES), parse("0.4*s1 + 0.1", NODE_NAMES))
    fitted = fit(halo_choice.HaloFamily(redundant), evidence, np.full(len(evidence.target), 0.1))
    found = halo_choice.scaled(fitted, evidence, np.full(len(evidence.target), 0.1))
    assert len(fitted.constants) - len(found.constants) == 2
    predicted = [one.family.value(evidence, one.constants) for one in (fitted, found)]
    np.testing.assert_allclose(*predicted, rtol=1e-4)


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
