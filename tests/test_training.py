"""Training: what it ends with is decided by its seed alone, however often it was interrupted."""

import json
import logging
import math
import platform
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib import paths
from lib.errors import InputError
from lib.files import read_json, write_json
from lib.memory import keep_freed_memory
from lib.messages.formation import Formation
from lib.network import checkpoints, inference, snapshots, tracking, training, weights
from lib.network.catalogue import parse_folder, parse_run
from lib.network.losses import LOSSES
from lib.network.networks import build
from lib.network.optimizer import SCHEDULES
from lib.network.recipe import LONGER, Recipe, recipe_of
from lib.network.variants import FURTHER, VARIANTS, Variant
from lib.physics import datasets
from lib.physics.laws import LAWS

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


@pytest.fixture
def asked(monkeypatch):
    """Every run asks for `RECIPE`."""
    monkeypatch.setattr(snapshots, "recipe_of", lambda run: RECIPE)


def smoke(variant="reciprocal", seed=0):
    return parse_run("spring-2d", variant, seed, "smoke")


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


@pytest.mark.parametrize("variant", FURTHER)
def test_variants_of_other_work_learn(variant):
    _, card = training.train(smoke(variant), replace(RECIPE, graphs=64 * 60))
    first, last = (look["train_loss_per_node"] for look in card["history"])
    assert last < 0.8 * first


class Killed(Exception):
    pass


@pytest.fixture
def killed(monkeypatch):
    """killed(train): how often trainings are killed as soon as they have saved a checkpoint, then one that is not."""

    def interrupted(train, times=2):
        save = checkpoints.save

        def save_and_die(*given):
            save(*given)
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(training, "CHECKPOINT_SECONDS", 0.0)
            patched.setattr(checkpoints, "save", save_and_die)
            for _ in range(times):
                with pytest.raises(Killed):
                    train()
        return train()

    return interrupted


@pytest.mark.parametrize("variant", ["reciprocal", "kl", "pruning"])
def test_an_interrupted_training_ends_with_the_same_weights_and_its_monitor_saw_the_same(variant, killed):
    run = smoke(variant)
    uninterrupted, card = training.train(run, RECIPE, Formation(run))
    watched = paths.encoding(run).read_bytes()
    paths.checkpoint(run).unlink()
    resumed, resumed_card = killed(lambda: training.train(run, RECIPE, Formation(run)))
    assert same(uninterrupted, resumed)
    assert card["history"] == resumed_card["history"]
    assert paths.encoding(run).read_bytes() == watched


def test_a_resumed_training_is_tracked_as_the_same(killed, monkeypatch):
    tracked, names = tracking.tracked, []
    monkeypatch.setattr(tracking, "tracked", lambda *given: names.append(given[2]) or tracked(*given))
    killed(lambda: training.train(smoke(), RECIPE))
    training.train(smoke("l1"), RECIPE)
    assert len(names) == 4 and len(set(names[:3])) == 1 and names[3] != names[0]


def changed_validation(monkeypatch):
    load = datasets.load

    def other(system, split, profile):
        found = load(system, split, profile)
        return replace(found, record=found.record | {"sha256": "0"}) if split == "validation" else found

    monkeypatch.setattr(datasets, "load", other)


def changed_friction(monkeypatch):
    monkeypatch.setattr(snapshots.Snapshots, "data", lambda self, run: {"train": {"friction": [0.5]}})


def changed_code(monkeypatch):
    monkeypatch.setattr(checkpoints, "code_of", lambda *modules: "0")


@pytest.mark.parametrize("change", [changed_validation, changed_friction, changed_code])
def test_a_checkpoint_of_another_training_is_left_alone_and_a_line_says_so(change, caplog, monkeypatch):
    training.train(smoke(), RECIPE)
    change(monkeypatch)
    _, card = training.train(smoke(), RECIPE)
    assert "checkpoint spring-2d/reciprocal.safetensors is of another training: training from the start" in caplog.text
    assert card["history"][0]["graphs"] == 64 * 30


def test_the_checkpoint_of_the_same_training_is_taken_up(caplog, monkeypatch):
    _, card = training.train(smoke(), RECIPE)
    monkeypatch.setattr(snapshots, "batches", None)  # nothing is left to be learned
    assert training.train(smoke(), RECIPE)[1]["history"] == card["history"] and not caplog.text


def no_metadata(path):
    save_file(load_file(path), path)


def no_checkpoint(path):
    path.write_bytes(b"")


def half_a_checkpoint(path):
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize("damage", [no_metadata, no_checkpoint, half_a_checkpoint])
def test_a_damaged_checkpoint_is_said_and_training_starts_anew(damage, caplog):
    first, _ = training.train(smoke(), RECIPE)
    damage(paths.checkpoint(smoke()))
    again, _ = training.train(smoke(), RECIPE)
    (line,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert line.message.startswith("checkpoint spring-2d/reciprocal.safetensors cannot be read")
    assert line.message.endswith("training from the start") and same(first, again)


def test_without_git_no_commit_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert training.train(smoke(), RECIPE)[1]["commit"] is None


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


def test_saved_weights_reproduce_the_cards_loss(asked):
    run = smoke("pruning")
    _, card = training.train(run)
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


def test_a_recipe_takes_the_law_s_over_the_difficulty_s_over_the_variant_s(monkeypatch):
    variant = Variant(
        "planted", recipe={"loss": "mse", "penalty": 5.0, "warmup": 0.1}, under={"noise": {"penalty": 2.0, "warmup": 0.2}}
    )
    monkeypatch.setitem(VARIANTS, "planted", variant)
    for law in ("spring", "r1"):
        difficulty = "noise" if law == "spring" else None
        monkeypatch.setitem(LAWS, law, replace(LAWS[law], difficulty=difficulty, recipe={"warmup": 0.3}))
    hard, easy = (recipe_of(parse_run(system, "planted")) for system in ("spring-2d", "r1-2d"))
    assert (hard.loss, hard.penalty, hard.warmup) == ("mse", 2.0, 0.3)
    assert (easy.loss, easy.penalty, easy.warmup) == ("mse", 5.0, 0.3)


def test_variants_name_difficulties_that_laws_have():
    difficulties = {law.difficulty for law in LAWS.values()}
    assert all(variant.under.keys() <= difficulties for variant in (VARIANTS | FURTHER).values())


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


def edit_card(path, **changes):
    card = read_json(path.with_suffix(".json"))
    write_json(path.with_suffix(".json"), card | changes)


def other_variant(path):
    edit_card(path, variant="l1")


def other_profile(path):
    edit_card(path, profile="full")


def no_recipe(path):
    edit_card(path, recipe=None)


def no_card(path):
    path.with_suffix(".json").unlink()


@pytest.fixture
def saved():
    """Weights of a run, with their card, as if trained today."""
    run = smoke()
    card = {"system": str(run.system), "variant": run.variant, "seed": run.seed, "profile": run.profile}
    weights.save(build(run), run, card | {"recipe": asdict(recipe_of(run)), "data": snapshots.SNAPSHOTS.data(run)})
    return paths.weights(run)


def test_weights_of_another_recipe_are_refused_with_what_differs(saved, monkeypatch):
    weights.load(smoke())
    today = recipe_of(smoke())
    monkeypatch.setattr(snapshots, "recipe_of", lambda run: replace(today, graphs=7, loss="mse"))
    with pytest.raises(InputError) as refused:
        weights.load(smoke())
    assert str(refused.value) == (
        f"spring-2d/reciprocal-seed0.safetensors was trained with other graphs ({today.graphs}, now 7), "
        "loss (mae, now mse): train it anew with --retrain, or remove the file"
    )


def test_weights_of_other_data_are_refused_with_what_differs(saved, monkeypatch):
    monkeypatch.setattr(datasets, "TOLERANCE", 1e-3)
    with pytest.raises(InputError, match=r"was trained with other train data \(tolerance\), validation data \(tolerance\): tr"):
        weights.load(smoke())


def test_released_cards_which_tell_less_are_taken(saved):
    card = read_json(saved.with_suffix(".json"))
    del card["data"], card["recipe"]["first_penalty"], card["recipe"]["penalty"]
    write_json(saved.with_suffix(".json"), card)
    weights.load(smoke())


@pytest.mark.parametrize("law", ["spring", "string"])
def test_a_network_resized_acts_on_as_many_bodies_as_asked(law):
    run = parse_run(f"{law}-2d", "reciprocal", 0, "smoke")
    model = build(run).eval()
    assert weights.resized(model, run, 4) is model
    bodies = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0))
    found, pairs = weights.resized(model, run, 6)(bodies), LAWS[law].pairs(6).tolist()
    for i in range(6):
        others = [j for pair in pairs for j in pair if i in pair and j != i]
        sent = sum(
            model.edge(torch.cat([bodies[:, i], bodies[:, j]], -1)) - model.edge(torch.cat([bodies[:, j], bodies[:, i]], -1))
            for j in others
        )
        torch.testing.assert_close(found[:, i], model.node(torch.cat([bodies[:, i], sent], -1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("damage", [truncated, edited, other_variant, other_profile, no_recipe, no_card])
def test_damaged_or_mismatched_weights_are_refused_in_one_line(damage, saved):
    run = smoke()
    weights.load(run)
    damage(paths.weights(run))
    with pytest.raises(InputError) as refused:
        weights.load(run)
    assert "reciprocal-seed0.safetensors" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", LONGER)
def test_those_that_train_longer_are_runs_and_see_more_graphs(name):
    run = parse_folder(*name.split("/"))
    assert str(run) == name and recipe_of(run).graphs > recipe_of(replace(run, seed=1)).graphs


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


def test_an_unknown_optimizer_ends_in_one_line():
    with pytest.raises(InputError, match="unknown optimizer 'sgd': choose one of muon, adam"):
        training.train(smoke(), replace(RECIPE, optimizer="sgd"))
