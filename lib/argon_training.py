"""The network of the liquid: trained once on net forces, then loaded from its weights like any other run's."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from lib import argon, paths, training
from lib.files import write_text
from lib.neighbourhoods import NeighbourNetwork, learn
from lib.profiles import get_profile
from lib.recipe import Recipe
from lib.runs import Run, System
from lib.variants import get_variant

SYSTEM = System("argon", 3)
"""By which its files go; it is no law of the registry, since its graphs are no few bodies."""
SHARE = 1 / 6
"""Receivers seen in training, a share of the graphs that a profile allows: each has fifty neighbours."""
WATCHED = 1_000
"""Receivers of validation frames on which the loss is watched."""


def network(run: Run) -> NeighbourNetwork:
    """The run's untrained network, initialised from its seed."""
    torch.manual_seed(run.seed)
    dim = SYSTEM.dim
    return NeighbourNetwork(0, dim, dim, dim, get_variant(run.variant), torch.neg)


def recipe_of(run: Run) -> Recipe:
    """The recipe that a run's profile and variant ask for."""
    return Recipe(graphs=round(SHARE * get_profile(run.profile).graphs), batch=64, **get_variant(run.variant).recipe)


def learned(variant: str, seed: int = 0, profile: str = "full") -> tuple[NeighbourNetwork, dict[str, Any]]:
    """The trained network of a variant and its card; trained first if it has no weights yet."""
    run = Run(SYSTEM, variant, seed, profile)
    if paths.weights(run).exists():
        return training.load(run, network)
    model, recipe = network(run), recipe_of(run)
    liquid = argon.load("train", profile)
    watched = argon.some(argon.load("validation", profile), np.random.default_rng(seed), WATCHED)
    started = time.monotonic()
    history = learn(model, lambda rng, count: argon.some(liquid, rng, count), recipe, watched, seed)
    card = {
        "system": str(SYSTEM),
        "variant": variant,
        "seed": seed,
        "profile": profile,
        "recipe": asdict(recipe),
        "receivers_seen": history[-1]["receivers"],
        "train_seconds": round(time.monotonic() - started, 1),
        "device": training.describe(training.pick_device()),
        "history": history,
    }
    card = training.save(model, run, card)
    write_text(paths.trained_mark(run), card["sha256"] + "\n")
    return model, card
