"""Problems of receivers and neighbours: their networks, trained once and then loaded like any other run's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from lib import paths
from lib.errors import InputError
from lib.files import write_text
from lib.many_body.neighbourhoods import Draw, NeighbourNetwork, Reverse, learn
from lib.network import weights
from lib.network.device import describe, pick_device
from lib.network.recipe import Recipe
from lib.network.variants import get_variant, keep_all
from lib.profiles import get_profile
from lib.runs import Run, System

WATCHED = 1_000
"""Receivers of the validation split on which the loss is watched."""
BATCH = 64
"""Receivers in a step of training."""
KINDS = ("standard", "bottleneck", "l1", "kl", "reciprocal")
"""Variants that neighbourhoods can have, with the switch `reciprocal` or without."""


@dataclass(frozen=True)
class Problem:
    """What is predicted of which receivers, from which neighbours."""

    system: System
    """By which its files go; no law of the registry, since its graphs are no few bodies."""
    features: int
    """Columns that a receiver brings."""
    edge_features: int
    """Columns that an edge brings."""
    outputs: int
    """Columns to be predicted."""
    channels: int
    """Message channels that the law needs."""
    budget_fraction: float
    """Receivers seen in training, as a share of the graphs that a profile allows."""
    reverse: Reverse
    """Turns edges [edges, edge features] about."""
    draws: Callable[[str, str], Draw]
    """draws(split, profile): what draws receivers of a split."""

    def run(self, variant: str, seed: int, profile: str) -> Run:
        """The run by which a network of it goes; `InputError` for what is unknown or what neighbourhoods cannot have."""
        get_profile(profile)
        asked = get_variant(variant)
        if seed < 0:
            raise InputError(f"seed = {seed}: choose 0 or more")
        if asked.network != "messages" or asked.schedule is not keep_all or asked.inverse_features:
            raise InputError(f"variant {variant!r} is not for neighbourhoods: choose one of {', '.join(KINDS)}")
        return Run(self.system, variant, seed, profile)

    def network(self, run: Run) -> NeighbourNetwork:
        """The run's untrained network, initialised from its seed."""
        torch.manual_seed(run.seed)
        sizes = (self.features, self.edge_features, self.outputs, self.channels)
        return NeighbourNetwork(*sizes, get_variant(run.variant), self.reverse)

    def recipe(self, run: Run) -> Recipe:
        """The recipe that a run's profile and variant ask for."""
        graphs = round(self.budget_fraction * get_profile(run.profile).graphs)
        return Recipe(graphs=graphs, batch=BATCH, initialization="uniform", translation=0.0, **get_variant(run.variant).recipe)

    def learned(self, run: Run) -> tuple[NeighbourNetwork, dict[str, Any]]:
        """The run's trained network and its card; trained first if it has no weights yet."""
        if paths.weights(run).exists():
            return weights.load(run, self.network)
        model, recipe = self.network(run), self.recipe(run)
        watched = self.draws("validation", run.profile)(np.random.default_rng(run.seed), WATCHED)
        started = time.monotonic()
        history = learn(model, self.draws("train", run.profile), recipe, watched, run.seed)
        card = {
            "system": str(self.system),
            "variant": run.variant,
            "seed": run.seed,
            "profile": run.profile,
            "recipe": asdict(recipe),
            "receivers_seen": history[-1]["receivers"],
            "train_seconds": round(time.monotonic() - started, 1),
            "device": describe(pick_device()),
            "history": history,
        }
        card = weights.save(model, run, card)
        write_text(paths.trained_mark(run), card["sha256"] + "\n")
        return model, card
