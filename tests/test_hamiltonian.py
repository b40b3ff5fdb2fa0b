"""The Hamiltonian network: Hamilton's equations, the potential that its energies hold, and the verdict on it."""

import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from planted import GAUGES
from planted import planted as planted_edges
from torch import nn

from lib.distillation import potential, probes, regression
from lib.errors import InputError
from lib.messages import discontinuities, extraction
from lib.network import inference
from lib.network.catalogue import parse_run
from lib.network.hamiltonian import HamiltonianNetwork
from lib.network.variants import get_variant
from lib.physics import datasets
from lib.physics.forces import input_names, pair_force
from lib.physics.laws import SOFTENING, get_law
from lib.runs import System

DIM = 2
CORE = ("spring", "r1", "r2", "charge")
TORN = System("discontinuous", DIM)


class Planted(nn.Module):
    """Half a law's potential, and a function of charges and masses besides, of the features of two bodies."""

    def __init__(self, law: str) -> None:
        super().__init__()
        self.law = law

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        one, other = both.double().chunk(2, dim=-1)
        s = (one[..., :DIM] - other[..., :DIM]).norm(dim=-1) + SOFTENING
        (q1, m1), (q2, m2) = one[..., -2:].unbind(-1), other[..., -2:].unbind(-1)
        value = {"spring": (s - 1) ** 2, "r1": m1 * m2 * s.log(), "r2": -m1 * m2 / s, "charge": q1 * q2 / s}[self.law]
        return (value / 2 + q1 * m2**2 - 3 * m1)[..., None]


class NoEnergy(nn.Module):
    def forward(self, body: torch.Tensor) -> torch.Tensor:
        return 0.0 * body.sum(-1, keepdim=True)


def planted(law: str, bodies: int = 4) -> HamiltonianNetwork:
    model = HamiltonianNetwork(get_law(law).pairs(bodies), DIM, get_variant("hamiltonian"))
    model.edge, model.node = Planted(law), NoEnergy()
    return model


def test_accelerations_are_hamiltons():
    torch.manual_seed(0)
    model = HamiltonianNetwork(get_law("spring").pairs(4), DIM, get_variant("hamiltonian"))
    bodies = torch.randn(3, 4, 2 * DIM + 2).abs() + 0.1
    v = model.canonical(bodies).requires_grad_()
    sender, receiver = model.edges
    hamiltonian = model.node(v).sum() + model.edge(torch.cat([v[:, receiver], v[:, sender]], dim=-1)).sum()
    (slope,) = torch.autograd.grad(hamiltonian, v)
    expected = -slope[..., :DIM] / bodies[..., -1:]
    torch.testing.assert_close(model(bodies), expected, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        found = model(bodies)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("law", CORE)
def test_a_planted_potential_gives_the_true_forces_and_accelerations(law):
    system = System(law, DIM)
    frozen = datasets.frozen(system)
    run, model = parse_run(str(system), "hamiltonian"), planted(law)
    edges = extraction.extract(model, run, frozen).trimmed()
    np.testing.assert_allclose(edges.messages, edges.force, rtol=1e-3, atol=1e-3)
    bodies, accelerations = frozen.graphs()
    size = np.linalg.norm(accelerations, axis=-1)
    usual = size < np.quantile(size, 0.9)
    np.testing.assert_allclose(inference.predict(model, bodies)[usual], accelerations[usual], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("law", CORE)
def test_energies_relative_to_distance_one_are_the_potential(law):
    system = System(law, DIM)
    inputs, energy = potential.energies(planted(law), system, datasets.frozen(system))
    kept = potential.typical(inputs, energy)
    assert 0.9 < kept.mean() < 0.96
    true = potential.of_pairs(law, inputs)
    np.testing.assert_allclose(energy[kept], true[kept], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("law", CORE)
def test_the_laws_potential_is_that_of_its_force(law):
    s = sympy.Symbol("s", real=True)
    value = potential.of_law(law, softening=0.0)
    assert sympy.simplify(-sympy.diff(value, s) - get_law(law).force) == 0
    inputs = np.array([[1.0, 0.0, 1.0, 2.0, 0.5, 1.0, -1.0], [0.6, 0.8, 1.0, 1.0, 3.0, -1.0, -1.0]])
    np.testing.assert_allclose(potential.of_pairs(law, inputs), 0, atol=1e-12)
    step = np.array([1.0, 0, 1, 0, 0, 0, 0]) * 1e-5
    slope = (potential.of_pairs(law, inputs[:1] + step) - potential.of_pairs(law, inputs[:1] - step)) / 2e-5
    np.testing.assert_allclose(-slope, pair_force(law, inputs[:1])[:, 0], rtol=1e-6)


def test_a_law_whose_pairs_do_not_act_alike_has_no_potential():
    with pytest.raises(InputError, match="own_length has no potential"):
        potential.of_law("own_length")


@pytest.mark.parametrize(
    ("law", "text", "scale"),
    [
        ("spring", "r*(r - 2.0) + 3*m1*m2", 1.0),
        ("spring", "0.5*(r - 1)**2", None),
        ("spring", "0.97*(r - 1)**2", 0.97),
        ("spring", "r**2", None),
        ("r1", "m1*m2*log(r) + q1", 1.0),
        ("r1", "m1*log(r)", None),
        ("r2", "7 - m1*m2/(r + 0.01)", 1.0),
        ("r2", "-m1*m2/r**2", None),
        ("charge", "q1*q2/r - m2", 1.0),
        ("charge", "1/r", None),
    ],
)
def test_the_verdict_takes_potentials_and_no_impostors(law, text, scale):
    system = System(law, DIM)
    front = pd.DataFrame([[1, 0.5, "r", False], [9, 0.01, text, True]], columns=["complexity", "loss", "expression", "chosen"])
    found = potential.judge(front, system, probes.of_system(system))
    assert found.recovered == (scale is not None)
    if scale:
        assert (found.expression, found.rank) == (text, 1)
        assert found.scale == pytest.approx(scale, rel=0.02)


def test_products_of_logarithms_that_follow_the_potential_where_pairs_are_do_not_pass():
    text = "m1*m2*(0.19264*(-0.15144*r + log(0.46103*r))*(0.0032829*m2 - 0.54047*r + log(0.14025*r)) + 0.53711)*log(1.0001*r)"
    front = pd.DataFrame([[35, 3e-6, text, True]], columns=["complexity", "loss", "expression", "chosen"])
    found = potential.judge(front, system := System("r2", 3), probes.of_system(system))
    assert found.inside < 1e-4 and not found.recovered


@pytest.mark.parametrize(
    ("text", "recovered"),
    [
        ("Piecewise((r*(r - 2.0), r > 1.99), (0, True))", True),
        ("Piecewise((r**2 - 2*r + 0.5*m1, r > 2.0), (0.5*m1, True))", True),
        ("Piecewise((r*(r - 2.0), r > 2.5), (0, True))", False),
        ("r*(r - 2.0)", False),
    ],
)
def test_a_potential_that_sets_in_at_a_distance_is_told_from_one_that_does_not(text, recovered):
    front = pd.DataFrame([[9, 0.01, text, True]], columns=["complexity", "loss", "expression", "chosen"])
    assert potential.judge(front, TORN, probes.of_system(TORN)).recovered == recovered


def test_a_potential_that_sets_in_at_a_distance_is_distilled():
    forces = planted_edges(GAUGES["force"], TORN.law, count=40_000).without_outliers()
    discontinuity = discontinuities.find(forces.inputs, forces.force)
    drawn = forces.inputs[discontinuity.outside_transition(forces.inputs)][:2000]
    energy = potential.of_pairs(TORN.law, drawn) + 0.3 * drawn[:, 3]
    names = input_names(DIM)
    (front,) = regression.regress(
        drawn, energy[:, None], names, evaluations=150_000, functions=["log"], discontinuity=discontinuity
    )
    judged = potential.judge(front.table, TORN, probes.of_system(TORN))
    assert judged.recovered and judged.scale == pytest.approx(1, abs=1e-2)
