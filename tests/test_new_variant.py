"""Adding a variant is one entry: one registered here is built, trained a step, drawn, and asked for by its system's name."""

import matplotlib.pyplot as plt
import torch

from lib.network import inference
from lib.network.catalogue import parse_run, select
from lib.network.networks import build
from lib.network.recipe import recipe_of
from lib.network.variants import VARIANTS, Variant
from lib.physics import datasets
from lib.report import plots


def test_a_variant_registered_at_run_time_learns(monkeypatch):
    quiet = Variant(
        "seven channels under an L2 penalty",
        width=lambda dim: 7,
        regularizer=lambda mean, log_variance, dim: 1e-2 * mean.square().sum(-1).mean(),
        recipe={"penalty": 2.0},
    )
    monkeypatch.setitem(VARIANTS, "l2", quiet)
    assert "l2" in {run.variant for run in select(["spring-3d"])}
    run = parse_run("spring-2d", "l2-reciprocal", profile="smoke")
    assert recipe_of(run).penalty == 2.0

    torch.manual_seed(0)
    model = build(run)
    bodies, accelerations = inference.tensors(datasets.frozen(run.system))

    def objective():
        messages, log_variance = model.messages(bodies[:64])
        error = (model(bodies[:64]) - accelerations[:64]).abs().sum(-1).mean()
        return error + 2.0 * quiet.regularizer(messages, log_variance, run.system.dim)

    assert model.messages(bodies[:2])[0].shape[-1] == 7
    before = objective()
    before.backward()
    torch.optim.SGD(model.parameters(), 1e-3).step()
    assert objective() < before
    plt.close(plots.network(quiet, run.system.dim))
