"""Snapshots of a few bodies as a training's data: accelerations learned from simulated trajectories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from lib.network.inference import evaluate, tensors
from lib.network.losses import relative
from lib.network.models import GraphNetwork
from lib.network.networks import build
from lib.network.problem import Batch, Task
from lib.network.recipe import Recipe, recipe_of
from lib.physics import datasets
from lib.runs import Run

VALIDATION_GRAPHS = 1_000


class Snapshots:
    """The problem of all laws of the registry."""

    def network(self, run: Run) -> GraphNetwork:
        """The run's untrained network, initialized from its seed."""
        return build(run)

    def recipe(self, run: Run) -> Recipe:
        """The recipe that the run's profile, law and variant ask for."""
        return recipe_of(run)

    def data(self, run: Run) -> dict[str, dict[str, Any]]:
        """How the trajectories are made."""
        return {split: datasets.wanted(run.system, split, run.profile) for split in ("train", "validation")}

    def task(self, run: Run, recipe: Recipe, model: GraphNetwork, device: torch.device) -> Task:
        """The run's trajectories, simulated first if need be."""
        train, validation = (datasets.load(run.system, split, run.profile) for split in ("train", "validation"))
        data = tensors(train, device)
        return Task(
            lambda number, steps: batches(run, recipe, model, data, number, steps),
            tensors(validation.sample(VALIDATION_GRAPHS), device),
            [train.record["sha256"], validation.record["sha256"]],
        )

    def test(self, run: Run, model: GraphNetwork, device: torch.device) -> dict[str, float]:
        """The losses on test trajectories."""
        test = tensors(datasets.load(run.system, "test", run.profile), device)
        return {"test_loss_per_node": evaluate(model, *test), "test_relative_error": evaluate(model, *test, relative)}


SNAPSHOTS = Snapshots()


def batches(
    run: Run, recipe: Recipe, model: GraphNetwork, data: tuple[Tensor, Tensor], number: int, steps: int
) -> Iterator[Batch]:
    """The batches of a round of steps, of bodies [graphs, n, 2*dim+2] and accelerations [graphs, n, dim]: shifted bodies."""
    bodies, accelerations = data
    dim, device = run.system.dim, bodies.device
    generator = torch.Generator(device).manual_seed(run.seed * 1_000_003 + number)
    drawn = {"generator": generator, "device": device}
    chosen = torch.randint(len(bodies), (steps, recipe.batch), **drawn)
    shifts = recipe.translation * torch.randn(steps, recipe.batch, 1, dim, **drawn)
    for index, shift in zip(chosen, shifts, strict=True):
        x = bodies[index]
        x[..., :dim] += shift
        yield x, accelerations[index], model.noise(x, generator)
