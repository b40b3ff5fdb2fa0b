"""Checkpoints: an unfinished training on disk, resumed by the same training alone."""

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
    """Identifier of the training in Weights & Biases."""


def code_of(*modules: str) -> str:
    """SHA-256 of the sources of modules and of all of `lib` that they import, in hexadecimal."""
    files = sorted(set().union(*map(closure, modules)))
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()


def save(
    path: Path,
    identity: str,
    model: MessageNetwork,
    optimizer: Optimizer,
    progress: Progress,
    best: dict[str, Tensor],
    monitor: Monitor,
) -> None:
    """Write a checkpoint; `identity` tells a training from others, `best` are its best weights so far."""
    arrays, content = monitor.state()
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
    metadata = {"identity": identity, "progress": json.dumps(asdict(progress)), "monitor": json.dumps(content)}
    with atomic_write(path) as scratch:
        save_file(tensors, scratch, metadata)


def resume(
    path: Path, identity: str, model: MessageNetwork, optimizer: Optimizer, monitor: Monitor
) -> tuple[Progress, dict[str, Tensor]]:
    """Progress and best weights of a checkpoint; model, optimizer and monitor are restored from it.

    Where it is missing, unreadable or of another identity the training starts anew; a line says so of the last two.
    """
    fresh: tuple[Progress, dict[str, Tensor]] = (Progress(), {})
    if not path.exists():
        return fresh
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
        if metadata["identity"] != identity:
            log.warning("checkpoint %s/%s is of another training: training from the start", path.parent.name, path.name)
            return fresh
        progress, content = Progress(**json.loads(metadata["progress"])), json.loads(metadata["monitor"])
        tensors = load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as damage:
        log.warning("checkpoint %s/%s cannot be read (%s): training from the start", path.parent.name, path.name, damage)
        return fresh

    def part(name: str) -> dict[str, Tensor]:
        return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}

    model.load_state_dict(part("model"))
    optimizer.restore(part("optimizer"))
    monitor.restore(({name: tensor.numpy() for name, tensor in part("monitor").items()}, content))
    return progress, part("best")
