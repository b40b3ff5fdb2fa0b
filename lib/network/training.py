"""Training: accelerations learned from snapshots, with checkpoints that lose nothing.

    objective = loss(a, a_true) + penalty * regulariser,    loss = mean over nodes of |a - a_true|_1, or another

The penalty may change as training goes on; the best weights are those of the least objective under its last value.

Random numbers come in rounds of `ROUND` steps, each from its own seed, so that a training resumed
at a round's end draws what an unbroken one would have drawn, and ends, on processors, with the same weights.
"""

from __future__ import annotations

import json
import logging
import math
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from lib import paths
from lib.dependencies import closure
from lib.files import atomic_write, sha256, write_text
from lib.memory import keep_freed_memory
from lib.messages.formation import Encoding, moments
from lib.network import tracking
from lib.network.device import describe, has_bfloat16, pick_device
from lib.network.inference import evaluate, tensors
from lib.network.initialization import get_initialization
from lib.network.losses import Loss, get_loss, mae, relative
from lib.network.models import GraphNetwork
from lib.network.optimizer import Optimizer
from lib.network.recipe import Recipe, recipe_of
from lib.network.replay import replayed
from lib.network.weights import build, load, save
from lib.physics import datasets
from lib.runs import Run

log = logging.getLogger(__name__)

ROUND = 100
"""Steps between two validations; also where a training can be resumed."""

CHECKPOINT_SECONDS = 20.0

VALIDATION_GRAPHS = 1_000


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_objective: float = math.inf
    best_graphs: int = 0
    encoding: Encoding = field(default_factory=Encoding)

    def to_json(self) -> str:
        """All of it but what was watched as arrays."""
        told = {name: value for name, value in vars(self).items() if name != "encoding"}
        return json.dumps(told | {"watched": self.encoding.table})

    @classmethod
    def from_json(cls, text: str, messages: list[np.ndarray], force: np.ndarray) -> Progress:
        """What `to_json` wrote, with the arrays that were watched."""
        told = json.loads(text)
        table = told.pop("watched")
        return cls(**told, encoding=Encoding(table, messages, force))


def _save_checkpoint(
    path: Path, model: GraphNetwork, optimizer: Optimizer, progress: Progress, best: dict[str, Tensor], identity: str
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"optimiser.{k}": v for k, v in optimizer.state().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    tensors |= {f"watched.{k}": torch.as_tensor(v) for k, v in enumerate(progress.encoding.messages)}
    tensors["force"] = torch.as_tensor(progress.encoding.force)
    tensors = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    with atomic_write(path) as scratch:
        save_file(tensors, scratch, {"progress": progress.to_json(), "identity": identity})


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}


def _resume(path: Path, model: GraphNetwork, optimizer: Optimizer, identity: str) -> tuple[Progress, dict[str, Tensor]]:
    """Take up the checkpoint of the same training, if there is one that can be read; its progress and best weights."""
    fresh: tuple[Progress, dict[str, Tensor]] = (Progress(), {})
    if not path.exists():
        return fresh
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        if metadata["identity"] != identity:
            return fresh
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError) as damage:
        log.warning("checkpoint %s cannot be read (%s): training from the start", path.name, damage)
        return fresh
    model.load_state_dict(_part(tensors, "model."))
    optimizer.restore(_part(tensors, "optimiser."))
    watched = _part(tensors, "watched.")
    messages = [watched[str(k)].numpy() for k in range(len(watched))]
    progress = Progress.from_json(metadata["progress"], messages, tensors["force"].numpy())
    return progress, _part(tensors, "best.")


def batches(
    run: Run, recipe: Recipe, model: GraphNetwork, data: tuple[Tensor, Tensor], number: int, steps: int
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """The batches of a round of steps: shifted bodies, accelerations, noise for Gaussian messages."""
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


def step(
    forward: Callable[..., tuple[Tensor, Tensor | float]],
    loss: Loss,
    optimizer: Optimizer,
    bfloat16: bool,
    x: Tensor,
    a: Tensor,
    noise: Tensor | None,
    penalty: float | Tensor = 1.0,
) -> Tensor:
    """One step on a batch, with `forward` the model's `penalised`; the batch's loss per node before it."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
        predicted, regularizer = forward(x, noise)
    (loss(predicted, a) + penalty * regularizer).backward()
    optimizer.step()
    return mae(predicted.detach(), a)


@torch.no_grad()
def _validate(model: GraphNetwork, bodies: Tensor, accelerations: Tensor, loss: Loss, penalty: float) -> tuple[float, float]:
    """Loss per node and objective, with mean messages, in float32."""
    predicted, regularizer = model.penalized(bodies, torch.zeros((), device=bodies.device))
    return float(mae(predicted, accelerations)), float(loss(predicted, accelerations) + penalty * regularizer)


def compiled(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The function compiled on a GPU, or as it is where the compiler fails.

    On processors it stays as it is: there the compiler's own kernels measured two to three times slower.
    """
    if device.type != "cuda":
        return function
    chosen = torch.compile(function)

    def attempt(*args: Any) -> Any:
        nonlocal chosen
        try:
            return chosen(*args)
        except torch._dynamo.exc.TorchDynamoException as failure:
            log.info("not compiled (%s): training goes on without", str(failure).splitlines()[0])
            chosen = function
            return function(*args)

    return attempt


def train(run: Run, recipe: Recipe | None = None) -> tuple[GraphNetwork, dict[str, Any]]:
    """Train a run, or go on with a training that was broken off; write its weights and card.

    Returns the model in float32 on the CPU, and the card. Raises `FloatingPointError` with the
    step at which a training diverged.
    """
    recipe = recipe or recipe_of(run)
    loss = get_loss(recipe.loss)
    keep_freed_memory()
    device = pick_device()
    train_set = datasets.load(run.system, "train", run.profile)
    commit = _commit()
    code = [sha256(file) for file in sorted(closure(__name__))]
    identity = json.dumps([str(run), asdict(recipe), train_set.record["sha256"], device.type, code])
    data = tensors(train_set, device)
    validation_set = datasets.load(run.system, "validation", run.profile)
    watched = validation_set.sample(VALIDATION_GRAPHS)
    x_validation, a_validation = tensors(watched, device)

    model = build(run)
    get_initialization(recipe.initialization)(model)
    model = model.to(device)
    schedule = model.variant.schedule
    forward = compiled(model.penalized, device) if model.compiles else model.penalized
    low_precision = recipe.bfloat16 and has_bfloat16(device)
    optimizer = Optimizer(model, recipe)
    take = replayed(partial(step, forward, loss, optimizer, low_precision), device)
    checkpoint = paths.checkpoint(run)
    progress, best = _resume(checkpoint, model, optimizer, identity)
    steps = math.ceil(recipe.graphs / recipe.batch)
    looks = moments(math.ceil(steps / ROUND))
    if not progress.step:
        progress.encoding.look(0, model, run, watched)
    started = saved = time.monotonic()
    before = progress.seconds
    bar = tqdm(total=steps * recipe.batch, initial=progress.step * recipe.batch, desc=str(run), unit="graph", unit_scale=True)
    with bar, tracking.tracked(run, recipe) as track:
        while progress.step < steps:
            count = min(ROUND, steps - progress.step)
            total = torch.zeros((), device=device)
            for batch in batches(run, recipe, model, data, progress.step // ROUND, count):
                share = progress.step / steps
                optimizer.at(share)
                total += take(*batch, recipe.penalty_at(share))
                progress.step += 1
            bar.update(count * recipe.batch)
            if not math.isfinite(float(total)):
                raise FloatingPointError(f"{run} diverged: the loss is {float(total)} by step {progress.step}")
            channels = schedule(progress.step / steps, model.width, model.dim)
            if channels < int(model.kept.sum()):
                model.prune(x_validation, channels)
            validation_loss, objective = _validate(model, x_validation, a_validation, loss, recipe.penalty)
            progress.seconds = before + time.monotonic() - started
            graphs = progress.step * recipe.batch
            progress.history.append(
                {
                    "graphs": graphs,
                    "train_loss_per_node": float(total) / count,
                    "validation_loss_per_node": validation_loss,
                    "objective": objective,
                    "channels": int(model.kept.sum()),
                }
            )
            # weights with channels that are still to be pruned are none to keep
            if channels == schedule(1.0, model.width, model.dim) and objective < progress.best_objective:
                progress.best_objective, progress.best_graphs = objective, graphs
                best = {key: value.detach().clone() for key, value in model.state_dict().items()}
            if math.ceil(progress.step / ROUND) in looks:
                progress.encoding.look(graphs, model, run, watched)
            track(progress.history[-1])
            bar.set_postfix_str(f"validation loss {validation_loss:.4f}")
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                _save_checkpoint(checkpoint, model, optimizer, progress, best, identity)
                saved = time.monotonic()
    _save_checkpoint(checkpoint, model, optimizer, progress, best, identity)
    model.load_state_dict(best)

    test = tensors(datasets.load(run.system, "test", run.profile), device)
    losses = {"test_loss_per_node": evaluate(model, *test), "test_relative_error": evaluate(model, *test, relative)}
    model = model.cpu().eval()
    card = {
        "system": str(run.system),
        "variant": run.variant,
        "seed": run.seed,
        "profile": run.profile,
        "recipe": asdict(recipe),
        "data_sha256": train_set.record["sha256"],
        "commit": commit,
        "graphs_seen": steps * recipe.batch,
        "graphs_of_best": progress.best_graphs,
        "train_seconds": round(progress.seconds, 1),
        "device": describe(device),
        **losses,
        "history": thin(progress.history),
    }
    progress.encoding.save(paths.encoding(run))
    card = save(model, run, card)
    write_text(paths.trained_mark(run), card["sha256"] + "\n")
    return model, card


def thin(history: list[dict[str, float]], points: int = 60) -> list[dict[str, float]]:
    """At most about `points` entries of a history, evenly spread, the last among them, rounded."""
    every = max(1, math.ceil(len(history) / points))
    kept = history[::-1][::every][::-1]
    return [{key: float(f"{value:.5g}") for key, value in entry.items()} for entry in kept]


def _commit() -> str | None:
    """The commit that the code stands at, if it is a checkout."""
    call = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    asked = subprocess.run(call, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def load_or_train(run: Run) -> tuple[GraphNetwork, dict[str, Any]]:
    """A run's trained model and card; trained first if it has no weights yet."""
    return load(run) if paths.weights(run).exists() else train(run)
