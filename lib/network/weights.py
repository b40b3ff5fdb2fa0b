"""Weights on disk: each a safetensors file with a JSON card that says how it was trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lib import paths
from lib.errors import InputError
from lib.files import atomic_write, read_json, sha256, write_json
from lib.network.models import GraphNetwork
from lib.network.networks import NETWORKS
from lib.network.variants import get_variant
from lib.physics.laws import get_law
from lib.runs import Run

Network = TypeVar("Network", bound=nn.Module)

N_BODIES = 4


def build(run: Run, n: int = N_BODIES) -> GraphNetwork:
    """The run's untrained network for n bodies, initialised from its seed."""
    torch.manual_seed(run.seed)
    pairs = get_law(run.system.law).pairs(n)
    variant = get_variant(run.variant)
    return NETWORKS[variant.network](pairs, run.system.dim, variant)


def save(model: nn.Module, run: Run, card: dict[str, Any]) -> dict[str, Any]:
    """Write a run's weights (safetensors) and its card (JSON) with their SHA-256."""
    path = paths.weights(run)
    with atomic_write(path) as scratch:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, scratch)
    card = {**card, "sha256": sha256(path)}
    write_json(path.with_suffix(".json"), card)
    return card


def load(run: Run, make: Callable[[Run], Network] = build) -> tuple[Network, dict[str, Any]]:
    """A run's trained model in float32 and its card; `InputError` if they are missing, damaged or another run's.

    `make` builds the network that the weights are for.
    """
    path = paths.weights(run)
    name = f"{path.parent.name}/{path.name}"
    if not path.exists():
        raise InputError(f"no weights for {run} under profile {run.profile}: train it first")
    try:
        card = read_json(path.with_suffix(".json"))
        found = [card[key] for key in ("system", "variant", "seed", "profile")]
        if found != [str(run.system), run.variant, run.seed, run.profile]:
            raise InputError("the card of {} describes {}/{}, seed {}, of profile {}".format(name, *found))
        if card["sha256"] != sha256(path):
            raise InputError(f"{name} is damaged: it is not the file that its card describes")
        model = make(run)
        model.load_state_dict(load_file(path))
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{name} or its card cannot be read: {str(error).splitlines()[0]}") from None
    return model.eval(), card


def resized(model: GraphNetwork, run: Run, n: int) -> GraphNetwork:
    """The run's trained network at work on n bodies: itself where it was trained on as many."""
    if n == N_BODIES:
        return model
    other = build(run, n)
    other.load_state_dict(model.state_dict())
    return other.eval()
