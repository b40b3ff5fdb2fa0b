"""Weights on disk: each a safetensors file with a JSON card that says how it was trained."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lib import paths
from lib.cache import as_json, differing
from lib.errors import InputError
from lib.files import atomic_write, read_json, sha256, write_json
from lib.network.models import GraphNetwork, MessageNetwork
from lib.network.networks import N_BODIES, build
from lib.network.problem import Problem
from lib.network.recipe import Recipe
from lib.network.snapshots import SNAPSHOTS
from lib.runs import Run


def save(model: nn.Module, run: Run, card: dict[str, Any]) -> dict[str, Any]:
    """Write a run's weights (safetensors) and its card (JSON) with their SHA-256."""
    path = paths.weights(run)
    with atomic_write(path) as scratch:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, scratch)
    card = {**card, "sha256": sha256(path)}
    write_json(path.with_suffix(".json"), card)
    return card


def load(run: Run, problem: Problem = SNAPSHOTS) -> tuple[MessageNetwork, dict[str, Any]]:
    """A run's trained model in float32 and its card.

    Raises `InputError` if they are missing, damaged, another run's, or trained otherwise than the run asks for today.
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
        if changes := changed(card, problem.recipe(run), problem.data(run)):
            raise InputError(f"{name} was trained with other {changes}: train it anew with --retrain, or remove the file")
        model = problem.network(run)
        model.load_state_dict(load_file(path))
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{name} or its card cannot be read: {str(error).splitlines()[0]}") from None
    return model.eval(), card


def changed(card: dict[str, Any], recipe: Recipe, data: dict[str, dict[str, Any]]) -> str:
    """How a card's recipe, and the way its data were made, differ from those given, in words; empty if they do not.

    A card without data is of a released run, or of one from before cards had them: its recipe alone is compared.
    """
    # a parameter that is younger than the card was at its default
    trained = {part.name: part.default for part in fields(Recipe) if part.default is not MISSING} | card["recipe"]
    words = [f"{name} ({trained.get(name)}, now {asdict(recipe)[name]})" for name in differing(trained, asdict(recipe))]
    made = card.get("data", as_json(data))
    words += [f"{split} data ({', '.join(names)})" for split in data if (names := differing(made.get(split, {}), data[split]))]
    return ", ".join(words)


def resized(model: GraphNetwork, run: Run, n: int) -> GraphNetwork:
    """The run's trained network for n bodies: itself where it was trained on as many."""
    if n == N_BODIES:
        return model
    other = build(run, n)
    other.load_state_dict(model.state_dict())
    return other.eval()
