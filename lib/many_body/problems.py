"""Problems of receivers and neighbours: what their networks are made of, and what they are trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lib.cache import Record
from lib.errors import InputError
from lib.network import training
from lib.network.checkpoints import code_of
from lib.network.neighbourhoods import Draw, Neighbourhoods, NeighbourNetwork, Reverse
from lib.network.problem import Batch, Task
from lib.network.recipe import Recipe
from lib.network.variants import get_variant, keep_all
from lib.profiles import get_profile
from lib.runs import Run, System

VALIDATION_RECEIVERS = 1_000
BATCH = 64
"""Receivers in a step of training."""
KINDS = ("standard", "bottleneck", "l1", "kl", "reciprocal")
"""Variants that neighbourhoods can have, with the switch `reciprocal` or without."""


@dataclass(frozen=True)
class NeighbourhoodProblem:
    """What is predicted of which receivers, from which neighbours; recipes and cards count receivers as graphs."""

    system: System
    """By which its files go; no law of the registry, since its graphs are larger than a few bodies."""
    features: int
    """Columns of a receiver."""
    edge_features: int
    """Columns of an edge."""
    outputs: int
    """Columns to be predicted."""
    channels: int
    """Message channels that the law needs."""
    budget_fraction: float
    """Receivers seen in training, as a fraction of the graphs that a profile allows."""
    reverse: Reverse
    """Swaps the ends of edges [edges, edge features]."""
    draws: Callable[[str, str], Draw]
    """draws(split, profile): what draws receivers of a split."""
    wanted: Callable[[str, str], Record]
    """wanted(split, profile): how the data of a split are made."""

    def run(self, variant: str, seed: int, profile: str) -> Run:
        """The run of a variant, seed and profile; `InputError` for unknown ones and for variants that neighbourhoods lack."""
        get_profile(profile)
        asked = get_variant(variant)
        if seed < 0:
            raise InputError(f"seed = {seed}: choose 0 or more")
        if asked.network != "messages" or asked.schedule is not keep_all or asked.inverse_features:
            raise InputError(f"variant {variant!r} is not for neighbourhoods: choose one of {', '.join(KINDS)}")
        return Run(self.system, variant, seed, profile)

    def network(self, run: Run) -> NeighbourNetwork:
        """The run's untrained network, initialized from its seed."""
        torch.manual_seed(run.seed)
        sizes = (self.features, self.edge_features, self.outputs, self.channels)
        return NeighbourNetwork(*sizes, get_variant(run.variant), self.reverse)

    def recipe(self, run: Run) -> Recipe:
        """The recipe that the run's profile and variant ask for."""
        graphs = round(self.budget_fraction * get_profile(run.profile).graphs)
        return Recipe(graphs=graphs, batch=BATCH, initialization="uniform", translation=0.0, **get_variant(run.variant).recipe)

    def data(self, run: Run) -> dict[str, Record]:
        """How the data of training and validation are made."""
        return {split: self.wanted(split, run.profile) for split in ("train", "validation")}

    def task(self, run: Run, recipe: Recipe, model: NeighbourNetwork, device: torch.device) -> Task:
        """The run's receivers, their data made first if need be."""
        draw = self.draws("train", run.profile)
        validation = self.draws("validation", run.profile)(np.random.default_rng(run.seed), VALIDATION_RECEIVERS)
        # the data themselves are told by a draw from each split
        identity = [fingerprint(draw(np.random.default_rng(0), VALIDATION_RECEIVERS)), fingerprint(validation)]

        def batches(number: int, steps: int) -> Iterator[Batch]:
            rng = np.random.default_rng((run.seed, number))
            generator = torch.Generator(device).manual_seed(run.seed * 1_000_003 + number)
            for _ in range(steps):
                batch = draw(rng, recipe.batch).to(device)
                yield batch, batch.targets, model.noise(batch, generator)

        validation = validation.to(device)
        return Task(batches, (validation, validation.targets), [*identity, code_of(self.draws.__module__)])

    def test(self, run: Run, model: NeighbourNetwork, device: torch.device) -> dict[str, float]:
        """Nothing: the notebooks compare losses inside and outside training."""
        return {}

    def load_or_train(self, run: Run) -> tuple[NeighbourNetwork, dict[str, Any]]:
        """The run's trained network and its card; trained first if it has no weights yet."""
        return training.load_or_train(run, problem=self)


def fingerprint(batch: Neighbourhoods) -> str:
    """SHA-256 of a batch's numbers, in hexadecimal."""
    parts = (batch.receivers, batch.edges, batch.index, batch.targets)
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()
