"""Workers of a training: no more threads than asked for, and weights that do not depend on chance."""

import copy
import json
import threading
import time

import pytest
import torch

from lib.network import snapshots, training, workers
from lib.network.catalogue import parse_run
from lib.network.losses import mae
from lib.network.networks import build
from lib.network.optimizer import Optimizer
from lib.network.problem import cut
from lib.network.recipe import recipe_of
from lib.network.workers import Workers
from lib.processors import SHARE


@pytest.mark.parametrize("most", [1, 2, 4])
@pytest.mark.parametrize("cores", [1, 2, 3, 4, 6, 16, 64])
def test_no_choice_has_more_threads_than_cores(cores, most):
    possible = workers.choices(cores, most)
    assert possible[0] == Workers(1, 1) and all(choice.count * choice.threads <= cores for choice in possible)
    assert min(cores, most) / 2 < max(choice.count for choice in possible) <= most


@pytest.fixture
def asked(monkeypatch):
    """asked(n): the job's share is n of the machine's eight processors."""
    monkeypatch.setattr("lib.processors.allowed", lambda: 8)
    return lambda share: monkeypatch.setenv(SHARE, str(share))


class Seen:
    """Threads at work at a time, those within PyTorch's operations counted."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, part):
        mine = torch.get_num_threads()
        with self.lock:
            self.now += mine
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= mine
        return part


@pytest.mark.parametrize("share", [1, 2, 3, 5])
def test_threads_of_measurement_and_of_work_never_exceed_the_share(share, asked, tmp_path):
    asked(share)
    seen = Seen()
    found = workers.fastest(lambda choice: choice.map(seen, [1, 2]), 2, "sleeps", tmp_path / "workers.json")
    with found.at_work():
        assert found.map(seen, [1, 2]) == [1, 2]
    assert seen.most <= share and (share == 1 or found.count == 2)


def test_a_training_measures_within_its_share(asked, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    run = parse_run("spring-2d", "bottleneck", profile="smoke")
    task = snapshots.SNAPSHOTS.task(run, recipe_of(run), build(run), torch.device("cpu"))
    taken = []
    monkeypatch.setattr(training, "step", lambda *given: taken.append(torch.get_num_threads() * given[2].workers.count))
    for share in (1, 3):
        asked(share)
        taken.clear()
        found = training._fastest_workers(run, recipe_of(run), build(run), task)
        assert found.count * found.threads <= share and max(taken, default=1) == (1 if share == 1 else 2)


def test_what_was_measured_is_kept_and_damage_measured_again(asked, tmp_path):
    asked(2)
    record, taken = tmp_path / "workers.json", []

    def take(choice):
        taken.append(choice)
        time.sleep(0.0 if choice == Workers(1, 2) else 0.01)

    for content in (None, "{", "[]"):
        taken.clear()
        if content:
            record.write_text(content)
        assert workers.fastest(take, 2, "steps", record) == Workers(1, 2) and len(taken) == 3 * workers.TURNS
    assert workers.fastest(take, 2, "steps", record) == Workers(1, 2) and len(taken) == 3 * workers.TURNS
    assert workers.fastest(take, 2, "other steps", record) == Workers(1, 2) and len(taken) == 6 * workers.TURNS
    assert list(json.loads(record.read_text()).values()) == [[1, 2], [1, 2]]


def steps(variant, by):
    """A network's weights after four steps, and the loss in each."""
    torch.manual_seed(0)
    run = parse_run("spring-2d", variant)
    bodies = torch.randn(500, 4, 6)
    bodies[..., -1] = bodies[..., -1].abs() + 0.5
    recipe, model = recipe_of(run), build(run)
    optimizer = Optimizer(model, recipe, by)
    optimizer.at(0.5)
    with by.at_work():
        batches = snapshots.batches(run, recipe, model, (bodies, bodies[..., :2] / 2), 0, 4)
        losses = [training.step(model.penalized, mae, optimizer, True, *batch) for batch in batches]
    return [*model.state_dict().values(), *losses]


@pytest.mark.parametrize("variant", ["standard", "kl", "l1", "reciprocal", "hamiltonian"])
def test_two_workers_end_with_the_same_weights_each_time_and_nearly_those_of_one(variant):
    first, again, alone = (steps(variant, Workers(count)) for count in (2, 2, 1))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert sum(map(float, first[-4:])) == pytest.approx(sum(map(float, alone[-4:])), rel=1e-2)


@pytest.mark.parametrize("graphs", [1, 7, 8])
def test_slopes_of_parts_add_to_those_of_the_batch(graphs):
    run = parse_run("spring-2d", "l1")
    recipe, model = recipe_of(run), build(run)
    bodies = torch.randn(graphs, 4, 6)
    batch = bodies, bodies[..., :2] / 2, None
    assert len(cut(*batch, 2)) == min(graphs, 2)
    optimizer = Optimizer(model, recipe, Workers(2))
    optimizer.at(1.0)
    whole = copy.deepcopy(model)
    predicted, regularizer = whole.penalized(bodies, None)
    (mae(predicted, batch[1]) + 3.0 * regularizer).backward()
    optimizer.step = lambda: None
    assert float(training.step(model.penalized, mae, optimizer, False, *batch, 3.0)) == pytest.approx(
        float(mae(predicted.detach(), batch[1])), rel=1e-5
    )
    for one, other in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)
