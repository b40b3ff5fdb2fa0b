"""Training: a run's weights learned from batches, with checkpoints that lose nothing.

    objective = loss(a, a_true) + penalty * regularizer,    loss = mean over nodes of |a - a_true|_1, or another

The penalty may change as training goes on; the best weights are those of the least objective under its last value.

On processors a batch is shared by the fastest number of workers (`lib.network.workers`), which is measured once a machine.
The released weights are of one thread, and so is each of many trainings side by side: more change the last bits of weights.
The cards tell the device and its threads.

Random numbers come in rounds of `ROUND` steps, each from its own seed, so that a training resumed at a round's end
draws what an uninterrupted one would have drawn, and ends, on processors, with the same weights.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from lib import paths
from lib.files import write_text
from lib.memory import keep_freed_memory
from lib.network import checkpoints, tracking
from lib.network.device import describe, has_bfloat16, pick_device
from lib.network.initialization import get_initialization
from lib.network.losses import Loss, get_loss, mae
from lib.network.models import MessageNetwork
from lib.network.monitor import Monitor, Silent
from lib.network.optimizer import Optimizer
from lib.network.problem import Batch, Problem, Task, cut
from lib.network.recipe import Recipe
from lib.network.replay import replayed
from lib.network.snapshots import SNAPSHOTS
from lib.network.weights import load, save
from lib.network.workers import MOST_WORKERS, Workers, fastest
from lib.runs import Run

log = logging.getLogger(__name__)

ROUND = 100
"""Steps between two validations; also where a training can be resumed."""

CHECKPOINT_SECONDS = 20.0

MEASURED = 4
"""Steps by which choices of workers are compared."""


def step(
    forward: Callable[..., tuple[Tensor, Tensor | float]],
    loss: Loss,
    optimizer: Optimizer,
    bfloat16: bool,
    inputs: Any,
    targets: Tensor,
    noise: Tensor | None,
    penalty: float | Tensor = 1.0,
) -> Tensor:
    """One step on a batch, with `forward` the model's `penalized`; the batch's loss per node before it.

    The objective, and so the regularizer, is the mean of those of the workers' parts of the batch.
    """
    graphs = len(targets)

    def slopes(part: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        inputs, targets, noise = part
        share = len(targets) / graphs
        # each worker casts its own weights
        with torch.autocast(targets.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=False):
            predicted, regularizer = forward(inputs, noise)
        objective = share * (loss(predicted, targets) + penalty * regularizer)
        found = torch.autograd.grad(objective, optimizer.parameters, materialize_grads=True)
        return share * mae(predicted.detach(), targets), found

    parts = cut(inputs, targets, noise, optimizer.workers.count)
    losses, (total, *others) = zip(*optimizer.workers.map(slopes, parts), strict=True)
    for found in others:
        torch._foreach_add_(total, found)
    for parameter, gradient in zip(optimizer.parameters, total, strict=True):
        parameter.grad = gradient
    optimizer.step()
    return sum(losses)


@torch.no_grad()
def _validate(model: MessageNetwork, inputs: Any, targets: Tensor, loss: Loss, penalty: float) -> tuple[float, float]:
    """Loss per node and objective, with mean messages, in float32."""
    predicted, regularizer = model.penalized(inputs, torch.zeros((), device=targets.device))
    return float(mae(predicted, targets)), float(loss(predicted, targets) + penalty * regularizer)


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


def train(
    run: Run,
    recipe: Recipe | None = None,
    monitor: Monitor | None = None,
    problem: Problem = SNAPSHOTS,
    workers: Workers | None = None,
) -> tuple[MessageNetwork, dict[str, Any]]:
    """Train a run, or go on with an interrupted training; write its weights and card, and what the monitor saw.

    `workers`: the fastest within the job's share of processors if None. Returns the model in float32 on the CPU,
    and the card. Raises `FloatingPointError` with the step at which a training diverged.
    """
    recipe, monitor = recipe or problem.recipe(run), monitor or Silent()
    loss = get_loss(recipe.loss)
    keep_freed_memory()
    device, commit = pick_device(), _commit()
    model = problem.network(run)
    get_initialization(recipe.initialization)(model)
    model = model.to(device)
    schedule = model.variant.schedule
    task = problem.task(run, recipe, model, device)
    workers = workers or _fastest_workers(run, recipe, model, task)
    optimizer = Optimizer(model, recipe, workers)
    forward = compiled(model.penalized, device) if model.compiles else model.penalized
    take = partial(step, forward, loss, optimizer, recipe.bfloat16 and has_bfloat16(device))
    take = replayed(take, device) if model.replays else take

    code = checkpoints.code_of(__name__, *(type(part).__module__ for part in (problem, monitor)))
    # all that decides the weights, and what the monitor's state means
    decisive = [str(run), run.profile, asdict(recipe), problem.data(run), task.identity, code]
    identity = json.dumps([*decisive, ROUND, device.type, torch.__version__])
    checkpoint = paths.checkpoint(run)
    progress, best = checkpoints.resume(checkpoint, identity, model, optimizer, monitor)

    steps = math.ceil(recipe.graphs / recipe.batch)
    rounds = math.ceil(steps / ROUND)
    if not progress.step:
        monitor.look(model, 0, 0, rounds)
    started = saved = time.monotonic()
    before = progress.seconds
    bar = tqdm(total=steps * recipe.batch, initial=progress.step * recipe.batch, desc=str(run), unit="graph", unit_scale=True)
    with bar, workers.at_work(), tracking.tracked(run, recipe, progress.tracking) as track:
        while progress.step < steps:
            count = min(ROUND, steps - progress.step)
            total = torch.zeros((), device=device)
            for batch in task.batches(progress.step // ROUND, count):
                fraction = progress.step / steps
                optimizer.at(fraction)
                total += take(*batch, recipe.penalty_at(fraction))
                progress.step += 1
            bar.update(count * recipe.batch)
            if not math.isfinite(float(total)):
                raise FloatingPointError(f"{run} diverged: the loss is {float(total)} by step {progress.step}")
            channels = schedule(progress.step / steps, model.width, model.dim)
            if channels < int(model.kept.sum()):
                model.prune(task.validation[0], channels)
            validation_loss, objective = _validate(model, *task.validation, loss, recipe.penalty)
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
            monitor.look(model, graphs, math.ceil(progress.step / ROUND), rounds)
            track(progress.history[-1])
            bar.set_postfix_str(f"validation loss {validation_loss:.4f}")
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                checkpoints.save(checkpoint, identity, model, optimizer, progress, best, monitor)
                saved = time.monotonic()
    checkpoints.save(checkpoint, identity, model, optimizer, progress, best, monitor)
    model.load_state_dict(best)

    card = {
        "system": str(run.system),
        "variant": run.variant,
        "seed": run.seed,
        "profile": run.profile,
        "recipe": asdict(recipe),
        "data": problem.data(run),
        "commit": commit,
        "graphs_seen": steps * recipe.batch,
        "graphs_of_best": progress.best_graphs,
        "train_seconds": round(progress.seconds, 1),
        "device": describe(device, workers.count * workers.threads),
        **problem.test(run, model, device),
        "history": thin(progress.history),
    }
    model = model.cpu().eval()
    monitor.save()
    card = save(model, run, card)
    write_text(paths.trained_mark(run), card["sha256"] + "\n")
    return model, card


def _fastest_workers(run: Run, recipe: Recipe, model: MessageNetwork, task: Task) -> Workers:
    """The fastest workers for a training, by steps of copies of its model."""
    inputs, targets = task.validation
    if targets.is_cuda:
        return Workers()

    def take(workers: Workers) -> None:
        copied = copy.deepcopy(model)
        optimizer = Optimizer(copied, recipe, workers)
        optimizer.at(0.5)
        for batch in task.batches(0, MEASURED):
            step(copied.penalized, mae, optimizer, recipe.bfloat16 and has_bfloat16(targets.device), *batch)

    parameters = sum(p.numel() for p in model.parameters())
    shapes = f"{run.variant}, {parameters} parameters, {recipe.batch} x {list(targets.shape[1:])} targets"
    most = len(cut(inputs, targets, None, MOST_WORKERS))
    return fastest(take, most, shapes, paths.found_workers(run.profile))


def thin(history: list[dict[str, float]], points: int = 60) -> list[dict[str, float]]:
    """At most about `points` entries of a history, evenly spread, the last among them, rounded."""
    every = max(1, math.ceil(len(history) / points))
    kept = history[::-1][::every][::-1]
    return [{key: float(f"{value:.5g}") for key, value in entry.items()} for entry in kept]


def _commit() -> str | None:
    """The commit that the code stands at, if it is a checkout and there is git."""
    call = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        return subprocess.run(call, cwd=paths.ROOT, capture_output=True, text=True, check=False).stdout.strip() or None
    except OSError:
        return None


def load_or_train(
    run: Run, monitor: Monitor | None = None, problem: Problem = SNAPSHOTS
) -> tuple[MessageNetwork, dict[str, Any]]:
    """A run's trained model and card; trained first, under a monitor, if it has no weights yet."""
    return load(run, problem) if paths.weights(run).exists() else train(run, None, monitor, problem)
