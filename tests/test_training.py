"""Training: what it ends with is decided by its seed alone, however often it was broken off."""

import json
import math
import platform
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lib import paths
from lib.errors import InputError
from lib.memory import keep_freed_memory
from lib.network import inference, training, weights
from lib.network.catalogue import parse_folder, parse_run
from lib.network.losses import LOSSES
from lib.network.optimizer import SCHEDULES
from lib.network.recipe import LONGER, Recipe, recipe_of
from lib.network.variants import FURTHER, VARIANTS, get_variant
from lib.physics import datasets
from lib.physics.laws import LAWS, get_law
from lib.profiles import get_profile

RECIPE = Recipe(graphs=64 * 75, batch=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Trajectories that all trainings of this file read, simulated by the first."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def workspace(data, tmp_path, monkeypatch):
    """A place of its own, where training is looked at often, so that a short one is looked at several times."""
    (tmp_path / "data").symlink_to(data)
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(training, "ROUND", 30)
    return tmp_path


def smoke(variant="reciprocal", seed=0):
    return parse_run("spring-2d", variant, seed, "smoke")


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("variant", FURTHER)
def test_variants_of_other_work_learn(variant):
    model, card = training.train(smoke(variant), replace(RECIPE, graphs=64 * 60))
    first, last = (look["train_loss_per_node"] for look in card["history"])
    assert last < 0.8 * first
    assert same(model, weights.load(smoke(variant))[0])


class Killed(Exception):
    pass


@pytest.mark.parametrize("variant", ["reciprocal", "kl", "pruning"])
def test_a_broken_off_training_ends_with_the_same_weights(variant, monkeypatch):
    run = smoke(variant)
    unbroken, card = training.train(run, RECIPE)
    watched = paths.encoding(run).read_bytes()
    paths.checkpoint(run).unlink()

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    save = training._save_checkpoint

    def die_after_saving(*args):
        save(*args)
        raise Killed

    monkeypatch.setattr(training, "_save_checkpoint", die_after_saving)
    for _ in range(2):
        with pytest.raises(Killed):
            training.train(run, RECIPE)
    monkeypatch.setattr(training, "_save_checkpoint", save)
    resumed, resumed_card = training.train(run, RECIPE)
    assert same(unbroken, resumed)
    assert card["history"] == resumed_card["history"]
    assert paths.encoding(run).read_bytes() == watched


def test_seeds_decide_weights():
    first, _ = training.train(smoke(), RECIPE)
    paths.checkpoint(smoke()).unlink()
    again, _ = training.train(smoke(), RECIPE)
    other, _ = training.train(smoke(seed=1), RECIPE)
    assert same(first, again) and not same(first, other)


def test_training_learns():
    _, card = training.train(smoke(), RECIPE)
    _, accelerations = datasets.load(smoke().system, "test", "smoke").graphs()
    assert card["test_loss_per_node"] < 0.8 * abs(accelerations).sum(-1).mean()


def test_saved_weights_reproduce_the_cards_loss():
    run = smoke("pruning")
    _, card = training.train(run, RECIPE)
    model, loaded = weights.load(run)
    assert loaded == json.loads(json.dumps(card))
    data = inference.tensors(datasets.load(run.system, "test", "smoke"))
    assert inference.evaluate(model, *data) == pytest.approx(card["test_loss_per_node"], rel=1e-5)
    assert load_file(paths.weights(run))["kept"].sum() == 2


def test_a_diverging_training_stops_and_says_where():
    wild = replace(RECIPE, hidden_rate=1e12, other_rate=1e12)
    with pytest.raises(FloatingPointError, match=r"spring-2d/reciprocal diverged: the loss is (nan|inf) by step \d+"):
        training.train(smoke(), wild)
    assert not paths.weights(smoke()).exists()


def test_the_best_weights_on_validation_are_kept():
    _, card = training.train(smoke("pruning"), Recipe(graphs=64 * 150, batch=64, hidden_rate=0.05, other_rate=0.05))
    assert card["history"][-1]["graphs"] == 64 * 150
    pruned = [entry for entry in card["history"] if entry["channels"] == 2]
    assert card["graphs_of_best"] == min(pruned, key=lambda entry: entry["objective"])["graphs"]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains(loss):
    _, card = training.train(smoke(), replace(RECIPE, loss=loss))
    assert card["recipe"]["loss"] == loss
    assert card["history"][-1]["objective"] < card["history"][0]["objective"]


def test_losses_are_those_of_the_formulae():
    predicted, true = torch.tensor([[[1.0, 3.0], [0.5, 0.0]]]), torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])
    assert {name: loss(predicted, true).item() for name, loss in LOSSES.items()} == pytest.approx(
        {"mae": 4.5 / 2, "mse": 10.25 / 2, "huber": (0.5 + 2.5 + 0.125) / 2, "relative": 4.5 / 2, "root_relative": 4.5 / 2}
    )
    collision = torch.tensor([[[30.0, 40.0]]])
    assert LOSSES["relative"](collision + 1, collision).item() == pytest.approx(2 / 51)
    assert LOSSES["root_relative"](collision + 1, collision).item() == pytest.approx(2 / 51**0.5)


def test_the_law_says_its_loss():
    assert recipe_of(parse_run("r2-3d", "bottleneck")).loss == "relative"
    kl = recipe_of(parse_run("r2-3d", "kl"))
    assert (kl.loss, kl.penalty) == ("root_relative", 0.005)
    assert recipe_of(parse_run("discontinuous-2d", "kl")).first_penalty is None
    assert recipe_of(parse_run("spring-3d", "l1")).loss == "mae"
    hardships = {law.difficulty for law in LAWS.values()}
    assert all(variant.under.keys() <= hardships for variant in (VARIANTS | FURTHER).values())


def test_a_penalty_goes_from_its_first_value_to_its_last():
    falling = Recipe(graphs=1, batch=1, penalty=0.1, first_penalty=10.0)
    assert [falling.penalty_at(share) for share in (0.0, 0.5, 1.0)] == pytest.approx([10.0, 1.0, 0.1])
    steady = Recipe(graphs=1, batch=1, penalty=0.0)
    assert steady.penalty_at(0.0) == steady.penalty_at(1.0) == 0.0


def test_a_compiler_that_fails_is_passed_over(monkeypatch, caplog):
    def broken(function):
        def fail(*args):
            raise torch._dynamo.exc.Unsupported("no compiler here")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    with caplog.at_level("INFO"):
        double = training.compiled(lambda x: 2 * x, torch.device("cuda"))
        assert double(3) == double(3) == 6
    assert [record.message for record in caplog.records] == ["not compiled (no compiler here): training goes on without"]


def test_freed_memory_is_kept():
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def edited(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def anothers(path):
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"variant": "l1"}))


def other_profile(path):
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | {"profile": "full"}))


def no_card(path):
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize("damage", [truncated, edited, anothers, other_profile, no_card])
def test_damaged_or_mismatched_weights_are_refused_in_one_line(damage):
    run = smoke()
    model = weights.build(run)
    weights.save(model, run, {"system": str(run.system), "variant": run.variant, "seed": run.seed, "profile": run.profile})
    weights.load(run)
    damage(paths.weights(run))
    with pytest.raises(InputError) as refused:
        weights.load(run)
    assert "reciprocal-seed0.safetensors" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", LONGER)
def test_those_that_train_longer_are_runs(name):
    system, folder = name.split("/")
    run = parse_folder(system, folder)
    usual = round(
        min(get_law(run.system.law).budget_fraction, get_variant(run.variant).budget_fraction) * get_profile("full").graphs
    )
    assert str(run) == name and recipe_of(run).graphs == LONGER[name] * usual
    assert recipe_of(replace(run, seed=1)).graphs == usual


def test_missing_weights_say_so():
    with pytest.raises(InputError, match="no weights for spring-2d/l1 under profile smoke: train it first"):
        weights.load(smoke("l1"))


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_rise_then_fall_to_zero(name):
    rates = [SCHEDULES[name](step / 100, 0.1) for step in range(101)]
    assert rates[0] <= 0.04 and math.isclose(rates[10], 1) and math.isclose(rates[100], 0, abs_tol=1e-12)
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("changed", [{"optimizer": "adam", "other_rate": 1e-3}, {"schedule": "one-cycle"}, {"bfloat16": False}])
def test_other_recipes_train(changed):
    _, card = training.train(smoke(), replace(RECIPE, **changed))
    assert card["history"][-1]["objective"] < card["history"][0]["objective"]


def test_an_unknown_optimiser_ends_in_one_line():
    with pytest.raises(InputError, match="unknown optimizer 'sgd': choose one of muon, adam"):
        training.train(smoke(), replace(RECIPE, optimizer="sgd"))
