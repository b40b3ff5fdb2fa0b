"""Checkpoints: a training under way on disk, taken up again by the same training alone."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.dependencies import closure
from lib.files import atomic_write, sha256
from lib.network.models import MessageNetwork
from lib.network.monitor import Monitor
from lib.network.optimizer import Optimizer

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a training has come."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_objective: float = math.inf
    best_graphs: int = 0
    tracking: str = field(default_factory=lambda: secrets.token_hex(4))
    """By which Weights & Biases knows the training again."""


def code_of(*modules: str) -> str:
    """SHA-256 of the sources of modules and of all of `lib` that they import, in hexadecimal."""
    files = sorted(set().union(*map(closure, modules)))
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()


def save(
    path: Path,
    named: str,
    model: MessageNetwork,
    optimizer: Optimizer,
    progress: Progress,
    best: dict[str, Tensor],
    monitor: Monitor,
) -> None:
    """Write a checkpoint of the training of an identity; `best` are its best weights so far."""
    arrays, seen = monitor.state()
    parts = {
        "model": model.state_dict(),
        "optimizer": optimizer.state(),
        "best": best,
        "monitor": {name: torch.as_tensor(array) for name, array in arrays.items()},
    }
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().clone().contiguous()
        for part, members in parts.items()
        for name, tensor in members.items()
    }
    metadata = {"identity": named, "progress": json.dumps(asdict(progress)), "monitor": json.dumps(seen)}
    with atomic_write(path) as scratch:
        save_file(tensors, scratch, metadata)


def resume(
    path: Path, named: str, model: MessageNetwork, optimizer: Optimizer, monitor: Monitor
) -> tuple[Progress, dict[str, Tensor]]:
    """Progress and best weights of the checkpoint of the training of an identity, which model, optimizer and monitor take up.

    Without one, or with one that cannot be read or is another training's, the training begins anew, and a line says so.
    """
    fresh: tuple[Progress, dict[str, Tensor]] = (Progress(), {})
    if not path.exists():
        return fresh
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if metadata["identity"] != named:
            log.warning("checkpoint %s/%s is of another training: training from the start", path.parent.name, path.name)
            return fresh
        progress, seen = Progress(**json.loads(metadata["progress"])), json.loads(metadata["monitor"])
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as damage:
        log.warning("checkpoint %s/%s cannot be read (%s): training from the start", path.parent.name, path.name, damage)
        return fresh

    def part(name: str) -> dict[str, Tensor]:
        return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}

    model.load_state_dict(part("model"))
    optimizer.restore(part("optimizer"))
    monitor.restore(({name: tensor.numpy() for name, tensor in part("monitor").items()}, seen))
    return progress, part("best")
