"""Steps captured on a GPU: what they compute is what plain ones do."""

import copy

import pytest
import torch

from lib.network import snapshots, training
from lib.network.catalogue import parse_run
from lib.network.losses import mae
from lib.network.networks import build
from lib.network.optimizer import Optimizer
from lib.network.recipe import recipe_of
from lib.network.replay import PLAIN, replayed

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_processors_take_plain_steps():
    assert replayed(mae, torch.device("cpu")) is mae


@ON_GPU
def test_numbers_and_tensors_are_read_anew():
    times = replayed(lambda x, factor: (x * factor).sum(), torch.device("cuda"))
    found = [float(times(torch.full((3,), float(k), device="cuda"), k / 2)) for k in range(PLAIN + 3)]
    assert found == [3 * k * k / 2 for k in range(PLAIN + 3)]


@ON_GPU
@pytest.mark.parametrize("variant", ["standard", "kl", "hamiltonian"])
def test_replayed_steps_are_plain_steps(variant):
    device, run = torch.device("cuda"), parse_run("spring-2d", variant, profile="smoke")
    torch.manual_seed(0)
    bodies = torch.randn(500, 4, 6, device=device)
    bodies[..., -1] = bodies[..., -1].abs() + 0.5
    accelerations = bodies[..., :2] - bodies[..., :2].mean(1, keepdim=True)
    recipe, model = recipe_of(run), build(run).to(device)
    losses = []
    for wrap in (lambda function, device: function, replayed):
        copied = copy.deepcopy(model)
        optimizer = Optimizer(copied, recipe)
        take = wrap(lambda *batch: training.step(copied.penalized, mae, optimizer, False, *batch), device)  # noqa: B023
        losses.append([])
        for k, batch in enumerate(snapshots.batches(run, recipe, copied, (bodies, accelerations), 0, 12)):
            optimizer.at(recipe.warmup)
            losses[-1].append(float(take(*batch, 1.0 + k)))
    before = [weight.clone() for weight in copied.parameters()]
    optimizer.at(1.0)
    take(*batch, 1.0)
    assert all(torch.equal(*pair) for pair in zip(before, copied.parameters(), strict=True)), "the rate is read anew"
    assert max(losses[0]) > 1.02 * min(losses[0])
    torch.testing.assert_close(losses[0], losses[1], rtol=2e-2, atol=0.0)
