"""Argon: the liquid, the forces in it, and a network that sees neighbourhoods instead of whole graphs."""

import builtins
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sympy
import torch

from lib import paths
from lib.distillation.expressions import parse
from lib.errors import InputError
from lib.many_body import argon, argon_force, argon_law, halos
from lib.network import checkpoints, training, weights
from lib.network.models import drawn
from lib.network.neighbourhoods import Neighbourhoods
from lib.network.recipe import Recipe
from lib.profiles import get_profile
from lib.selection.fitting import fit
from lib.selection.law import Law, read_law

STATE = argon.State(200.0)
SETTLING = get_profile("full").settling


@pytest.fixture(scope="module")
def liquid():
    return argon.make((STATE, argon.State(150.0, 26.0)), 2, SETTLING, seed=0)


def test_forces_are_slopes_of_the_energy_under_the_nearest_image(liquid):
    x, box = liquid.positions[0, 0].astype(float), STATE.box
    one, other = np.triu_indices(argon.ATOMS, 1)

    def energy(positions):
        r = np.linalg.norm(argon.separations(positions[one], positions[other], box), axis=-1)
        return argon.energy(r[r < argon.CUTOFF]).sum()

    forces = argon.net_forces(x[None], box)[0]
    for atom, axis in ((0, 0), (7, 1), (200, 2)):
        step = np.zeros_like(x)
        step[atom, axis] = 1e-5
        assert -(energy(x + step) - energy(x - step)) / 2e-5 == pytest.approx(forces[atom, axis], rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(forces.sum(axis=0), 0, atol=1e-9)


def test_a_box_has_no_walls(liquid):
    x, box = liquid.positions[:1, 0].astype(float), STATE.box
    shifted = (x + np.array([3.0, -11.0, 20.0])) % box
    np.testing.assert_allclose(argon.net_forces(shifted, box), argon.net_forces(x, box), atol=1e-9)
    assert (liquid.positions >= 0).all() and (liquid.positions[0] <= box).all()


def test_the_liquid_is_argon_and_a_seed_decides_it(liquid):
    r, density = argon.radial_distribution(liquid.positions[0], STATE.box)
    assert density[r < 0.85 * argon.SIGMA].max() == 0
    assert 3.5 < r[density.argmax()] < 4.1 and 1.5 < density.max() < 4
    assert density[(r > 9) & (r < 13)].mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(argon.simulate(STATE, 1, SETTLING, seed=0), liquid.positions[0, :1])
    assert not np.array_equal(argon.simulate(STATE, 1, SETTLING, seed=1), liquid.positions[0, :1])


def test_neighbourhoods_hold_all_that_acts_on_an_atom(liquid):
    seen = argon.sample(liquid, np.random.default_rng(0), 50)
    total = np.zeros((50, 3))
    np.add.at(total, seen.index.numpy(), argon.pair_force(seen.edges.numpy().astype(float)))
    np.testing.assert_allclose(total, seen.targets, rtol=1e-3, atol=1e-3)
    assert seen.edges.norm(dim=1).max() < argon.CUTOFF and seen.edges.norm(dim=1).min() > 0


def test_without_openmm_one_line_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name == "openmm":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match="pip install openmm"):
        argon.simulate(STATE, 1, SETTLING)


@pytest.mark.parametrize("name", ["bottleneck", "l1", "kl", "reciprocal", "kl-reciprocal"])
def test_the_network_agrees_with_explicit_loops(liquid, name):
    seen = argon.sample(liquid, np.random.default_rng(1), 5)
    model = argon.PROBLEM.network(argon.PROBLEM.run(name, 0, "smoke"))
    found = model(seen)
    for k in range(5):
        edges = seen.edges[seen.index == k]
        width = model.variant.width(3)
        sent = model.edge(edges)[:, :width]
        if model.variant.antisymmetric:
            sent = sent - model.edge(-edges)[:, :width]
        torch.testing.assert_close(found[k], model.node(sent.sum(dim=0)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "recovered"),
    [
        ("1.0e8/r**13 - 3.0e4/r**7", True),
        ("1.1e8/r**12.9 - 3.5e4/r**7.05 + 0.001", True),
        ("1.2e8/r**12 - 3.7e4/r**7", False),
        ("-0.13 + 2.4e9/r**16", False),
        ("0.063*r + 45.2*(r - 4.29)**2/(r - 1.94)**4 - 0.98", False),
    ],
)
def test_the_verdict_takes_the_6_12_force_refitted_and_no_impostors(liquid, text, recovered):
    seen = argon.sample(liquid, np.random.default_rng(3), 300)
    evidence = argon_law.evidence_of(seen, np.arange(300))
    fitted = fit(Law(3, parse(text, argon_force.NAMES)), evidence, np.full(300, 0.1)).law.radial
    found = argon_force.judge(fitted, seen)
    assert found.recovered == recovered
    if recovered:
        assert found.epsilon == pytest.approx(argon.EPSILON, rel=0.01) and found.sigma == pytest.approx(argon.SIGMA, rel=0.01)
        np.testing.assert_allclose(argon_force.net_forces(fitted, seen), seen.targets, atol=0.05)


def test_a_law_predicts_net_forces_of_neighbourhoods(liquid):
    seen = argon.sample(liquid, np.random.default_rng(6), 50)
    evidence = argon_law.evidence_of(seen, np.arange(50))
    law = Law(3, argon.radial_force(sympy.Symbol("r", real=True)))
    np.testing.assert_allclose(evidence.average @ law.rates(evidence.motion), evidence.target, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(evidence.target, seen.targets)
    assert (evidence.group == np.arange(50)).all()


FRONT = pd.DataFrame({"expression": ["0.01*dx", "0.3 - 0.05*r", "1.2e8/r**12.9 - 3.7e4/r**7.05 + 0.001 + 1e-4*dy"]})


def announced(liquid):
    model = argon.PROBLEM.network(argon.PROBLEM.run("bottleneck", 0, "smoke"))
    return argon_law.announced(FRONT, model, liquid, np.random.default_rng(7), 150)


def test_the_announced_law_is_the_6_12_force_which_nothing_was_told(liquid, monkeypatch):
    def asked(*_):
        raise AssertionError("the law was asked for")

    for name in ("radial_force", "energy", "pair_force", "net_forces"):
        monkeypatch.setattr(argon, name, asked)
    found = announced(liquid)
    monkeypatch.undo()
    assert found.announced, found.reason
    assert found.held_out_error["law"] < 1e-4 < found.held_out_error["network"]
    law = read_law(found.record()).radial
    assert {abs(power.exp) for power in law.atoms(sympy.Pow)} == {7, 13}
    assert all(one.standard_error < 1e-4 * abs(one.value) for one in found.constants)
    judged = argon_force.judge(law, argon.sample(liquid, np.random.default_rng(3), 300))
    assert judged.recovered and judged.epsilon == pytest.approx(argon.EPSILON, rel=1e-3)


def test_no_law_is_announced_of_forces_that_belong_to_other_atoms(liquid):
    mixed = np.random.default_rng(0).permutation(liquid.forces.reshape(-1, 3)).reshape(liquid.forces.shape)
    found = announced(replace(liquid, forces=mixed))
    assert not found.announced and found.reason


def test_a_force_that_is_not_the_same_in_all_directions_is_none(liquid):
    seen = argon.sample(liquid, np.random.default_rng(3), 300)
    true = "1.161e8/r**13 - 3.726e4/r**7"
    assert argon_force.judge(parse(true, argon_force.NAMES), seen).recovered
    assert not argon_force.judge(parse(f"{true} + 0.2*dy*dz/r**2", argon_force.NAMES), seen).recovered
    assert not argon_force.judge(parse(f"{true} + 0.2*dx/r", argon_force.NAMES), seen).recovered


def test_what_an_edge_adds_is_read_without_the_truth(liquid):
    mixing = torch.tensor([[1.0, 2, 0], [0, 1, 1], [3, 0, 1]], dtype=torch.float64)

    class Mixed(torch.nn.Module):
        def forward(self, apart):
            return (torch.as_tensor(argon.pair_force(apart.numpy().astype(float))) @ mixing).float()

    class Unmixed(torch.nn.Module):
        def forward(self, received):
            return (received.double() @ torch.linalg.inv(mixing)).float() + 0.5

    seen = argon.sample(liquid, np.random.default_rng(4), 300)
    model = argon.PROBLEM.network(argon.PROBLEM.run("bottleneck", 0, "smoke"))
    model.edge, model.node = Mixed(), Unmixed()
    x = argon_force.inputs(seen)
    true = argon_force.radial(argon.pair_force(argon_force.Separations(x).separation), x)
    np.testing.assert_allclose(argon_force.radial(argon_force.contributions(model, seen), x), true, atol=1e-3)


def test_reciprocal_messages_are_opposite_and_equally_sure(liquid):
    seen = argon.sample(liquid, np.random.default_rng(5), 5)
    model = argon.PROBLEM.network(argon.PROBLEM.run("kl-reciprocal", 0, "smoke"))
    (mean, log_variance), (back, its_log_variance) = model.messages(seen), model.messages(replace(seen, edges=-seen.edges))
    torch.testing.assert_close(mean, -back)
    torch.testing.assert_close(log_variance, its_log_variance)


@pytest.mark.parametrize("problem", [argon.PROBLEM, halos.PROBLEM], ids=["argon", "halos"])
def test_drawn_messages_of_a_pair_are_opposite(problem):
    edges = torch.randn(50, problem.edge_features, generator=torch.Generator().manual_seed(0))
    # in any order, some directions without the other
    edges = torch.cat([edges, problem.reverse(edges[:30]).flip(0)])
    model = problem.network(problem.run("kl-reciprocal", 0, "smoke"))
    batch = Neighbourhoods(torch.zeros(1, problem.features), edges, torch.zeros(80, dtype=int), torch.zeros(1, problem.outputs))
    (mean, log_variance), noise = model.messages(batch), model.noise(batch, torch.Generator().manual_seed(1))
    sent = drawn(mean, log_variance, noise)
    assert torch.equal(noise[:30], -noise[50:].flip(0))
    torch.testing.assert_close(sent[:30], -sent[50:].flip(0))
    assert not torch.allclose(sent, mean) and noise.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (("pruning", 0), "variant 'pruning' is not for neighbourhoods: choose one of standard, bottleneck, l1, kl, reciprocal"),
        (("hamiltonian", 0), "variant 'hamiltonian' is not for neighbourhoods"),
        (("l2", 0), "unknown variant 'l2'"),
        (("l1", -1), "seed = -1: choose 0 or more"),
    ],
)
def test_what_neighbourhoods_cannot_have_ends_in_one_line(asked, line):
    with pytest.raises(InputError) as raised:
        argon.PROBLEM.run(*asked, "smoke")
    assert str(raised.value).startswith(line) and len(str(raised.value).splitlines()) == 1


@pytest.fixture
def small(liquid, tmp_path, monkeypatch):
    """small(problem, run): a short training of it, in a workspace of its own; argon's on the liquid above."""
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(training, "ROUND", 20)
    draw = lambda rng, count: argon.sample(liquid, rng, count)  # noqa: E731
    on_liquid = replace(argon.PROBLEM, draws=lambda split, profile: draw, wanted=lambda split, profile: {"split": split})
    recipe = Recipe(graphs=32 * 60, batch=32, initialization="uniform")

    def train(problem, variant, seed=0):
        run = problem.run(variant, seed, "smoke")
        return training.train(run, recipe, problem=on_liquid if problem is argon.PROBLEM else problem)

    return train


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_it_learns_and_its_seed_decides_all(small):
    run = argon.PROBLEM.run("reciprocal", 0, "smoke")
    model, card = small(argon.PROBLEM, "reciprocal")
    paths.checkpoint(run).unlink()
    again, same_card = small(argon.PROBLEM, "reciprocal")
    history = card["history"]
    assert history == same_card["history"] and [entry["graphs"] for entry in history] == [640, 1280, 1920]
    assert same(model, again) and not same(model, small(argon.PROBLEM, "reciprocal", 1)[0])
    assert history[-1]["validation_loss_per_node"] < history[0]["validation_loss_per_node"]


@pytest.mark.parametrize(
    ("problem", "variant"), [(argon.PROBLEM, "kl-reciprocal"), (halos.PROBLEM, "l1")], ids=["argon", "halos"]
)
def test_an_interrupted_training_ends_with_the_same_weights(problem, variant, small, monkeypatch):
    run = problem.run(variant, 0, "smoke")
    uninterrupted, card = small(problem, variant)
    paths.checkpoint(run).unlink()
    save = checkpoints.save

    def save_and_die(*given):
        save(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "CHECKPOINT_SECONDS", 0.0)
        patched.setattr(checkpoints, "save", save_and_die)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                small(problem, variant)
    resumed, resumed_card = small(problem, variant)
    assert same(uninterrupted, resumed) and card["history"] == resumed_card["history"]


def test_weights_of_another_liquid_are_refused_with_what_differs(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    run = argon.PROBLEM.run("reciprocal", 0, "smoke")
    card = {"system": str(run.system), "variant": run.variant, "seed": run.seed, "profile": run.profile}
    card |= {"recipe": vars(argon.PROBLEM.recipe(run)), "data": argon.PROBLEM.data(run)}
    weights.save(argon.PROBLEM.network(run), run, card)
    weights.load(run, argon.PROBLEM)
    monkeypatch.setattr(argon, "FRICTION", 2.0)
    with pytest.raises(InputError, match=r"other train data \(friction\), validation data \(friction\): train it anew"):
        weights.load(run, argon.PROBLEM)
