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
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from lib import datasets, paths, tracking
from lib.device import describe, has_bfloat16, pick_device
from lib.encoding import Encoding, moments
from lib.errors import InputError
from lib.files import read_json, sha256, whole, write_json, write_text
from lib.laws import get_law
from lib.losses import Loss, get_loss, mae, relative
from lib.memory import keep_freed_memory
from lib.models import PART, GraphNetwork
from lib.networks import NETWORKS
from lib.optimiser import Optimiser
from lib.recipe import LEARNS, Recipe, recipe_of
from lib.replay import replayed
from lib.runs import Run
from lib.start import get_start
from lib.variants import get_variant

log = logging.getLogger(__name__)
Network = TypeVar("Network", bound=nn.Module)

ROUND = 100
"""Steps between two validations; also where a training can be resumed."""
CHECKPOINT_SECONDS = 20.0
VALIDATION_GRAPHS = 1_000
N_BODIES = 4


def build(run: Run, n: int = N_BODIES) -> GraphNetwork:
    """The run's untrained network for n bodies, initialised from its seed."""
    torch.manual_seed(run.seed)
    pairs = get_law(run.system.law).pairs(n)
    variant = get_variant(run.variant)
    return NETWORKS[variant.network](pairs, run.system.dim, variant)


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
    path: Path, model: GraphNetwork, optimiser: Optimiser, progress: Progress, best: dict[str, Tensor], identity: str
) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"optimiser.{k}": v for k, v in optimiser.state().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    tensors |= {f"watched.{k}": torch.as_tensor(v) for k, v in enumerate(progress.encoding.messages)}
    tensors["force"] = torch.as_tensor(progress.encoding.force)
    tensors = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    with whole(path) as scratch:
        save_file(tensors, scratch, {"progress": progress.to_json(), "identity": identity})


def _part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}


def _resume(path: Path, model: GraphNetwork, optimiser: Optimiser, identity: str) -> tuple[Progress, dict[str, Tensor]]:
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
    optimiser.restore(_part(tensors, "optimiser."))
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
        noise = None
        if model.variant.gaussian:
            size = (recipe.batch, model.edges.shape[1], model.width)
            noise = torch.randn(size, **drawn)
        yield x, accelerations[index], noise


def step(
    forward: Callable[..., tuple[Tensor, Tensor | float]],
    loss: Loss,
    optimiser: Optimiser,
    bfloat16: bool,
    x: Tensor,
    a: Tensor,
    noise: Tensor | None,
    penalty: float | Tensor = 1.0,
) -> Tensor:
    """One step on a batch, with `forward` the model's `penalised`; the batch's loss per node before it."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
        predicted, regulariser = forward(x, noise)
    (loss(predicted, a) + penalty * regulariser).backward()
    optimiser.step()
    return mae(predicted.detach(), a)


@torch.no_grad()
def evaluate(model: GraphNetwork, bodies: Tensor, accelerations: Tensor, loss: Loss = mae) -> float:
    """A loss, in float32, of a model on bodies [graphs, n, 2*dim+2]; the paper's loss per node by default."""
    parts = zip(bodies.split(PART), accelerations.split(PART), strict=True)
    return sum(float(loss(model(x), a)) * len(x) for x, a in parts) / len(bodies)


@torch.no_grad()
def _validate(model: GraphNetwork, bodies: Tensor, accelerations: Tensor, loss: Loss, penalty: float) -> tuple[float, float]:
    """Loss per node and objective, with mean messages, in float32."""
    predicted, regulariser = model.penalised(bodies, torch.zeros((), device=bodies.device))
    return float(mae(predicted, accelerations)), float(loss(predicted, accelerations) + penalty * regulariser)


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


def tensors(trajectories: datasets.Trajectories, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Features [graphs, n, 2*dim+2] and accelerations [graphs, n, dim] of all snapshots."""
    features, accelerations = trajectories.graphs()
    device = device or torch.device("cpu")
    return torch.as_tensor(features).to(device), torch.as_tensor(accelerations).to(device)


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
    code = [sha256(paths.ROOT / "lib" / f"{module}.py") for module in LEARNS]
    identity = json.dumps([str(run), asdict(recipe), train_set.record["sha256"], device.type, code])
    data = tensors(train_set, device)
    validation_set = datasets.load(run.system, "validation", run.profile)
    watched = validation_set.sample(VALIDATION_GRAPHS)
    x_validation, a_validation = tensors(watched, device)

    model = build(run)
    get_start(recipe.start)(model)
    model = model.to(device)
    schedule = model.variant.schedule
    forward = compiled(model.penalised, device) if model.compiles else model.penalised
    low_precision = recipe.bfloat16 and has_bfloat16(device)
    optimiser = Optimiser(model, recipe)
    take = replayed(partial(step, forward, loss, optimiser, low_precision), device)
    checkpoint = paths.checkpoint(run)
    progress, best = _resume(checkpoint, model, optimiser, identity)
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
                optimiser.at(share)
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
                _save_checkpoint(checkpoint, model, optimiser, progress, best, identity)
                saved = time.monotonic()
    _save_checkpoint(checkpoint, model, optimiser, progress, best, identity)
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


def save(model: nn.Module, run: Run, card: dict[str, Any]) -> dict[str, Any]:
    """Write a run's weights (safetensors) and its card (JSON) with their SHA-256."""
    path = paths.weights(run)
    with whole(path) as scratch:
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


def load_or_train(run: Run) -> tuple[GraphNetwork, dict[str, Any]]:
    """A run's trained model and card; trained first if it has no weights yet."""
    return load(run) if paths.weights(run).exists() else train(run)


def predict(model: GraphNetwork, bodies: np.ndarray) -> np.ndarray:
    """Accelerations [graphs, n, dim] of bodies [graphs, n, 2*dim+2], in float32."""
    with torch.no_grad():
        parts = torch.as_tensor(bodies).split(PART)
        return np.concatenate([model(part).numpy() for part in parts])


def received(model: GraphNetwork, bodies: np.ndarray) -> np.ndarray:
    """Sums of the messages that each body receives, [graphs, n, channels], of bodies [graphs, n, 2*dim+2]."""
    with torch.no_grad():
        parts = (model.received(model.messages(part)[0], part.shape[-2]) for part in torch.as_tensor(bodies).split(PART))
        return np.concatenate([part.numpy() for part in parts])
