"""The optimizer: Muon on the hidden matrices and Adam on the rest, or Adam on all, under one schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lib.network.device import has_bfloat16
from lib.network.muon import StackedMuon
from lib.network.recipe import Recipe
from lib.network.workers import Workers
from lib.registry import Registry

Schedule = Callable[[float, float], float]


def cosine(progress: float, warmup: float) -> float:
    """Linear up, cosine down to zero."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def linear(progress: float, warmup: float) -> float:
    """Linear up, linear down to zero."""
    return progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)


def one_cycle(progress: float, warmup: float) -> float:
    """Cosine up from 1/25, cosine down to zero (Smith and Topin, arXiv:1708.07120)."""
    if progress < warmup:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * progress / warmup))
    return cosine(progress, warmup)


SCHEDULES: Registry[Schedule] = Registry("schedule", {"cosine": cosine, "linear": linear, "one-cycle": one_cycle})
"""Learning rates after a fraction of training, relative to their peak, which they reach after the fraction `warmup`."""

OPTIMIZERS: Registry[None] = Registry("optimizer", dict.fromkeys(("muon", "adam")))


class Optimizer:
    """A model's optimizers under a recipe's schedule."""

    def __init__(self, model: nn.Module, recipe: Recipe, workers: Workers | None = None) -> None:
        """`workers` share its steps. Raises `InputError` for an unknown optimizer or schedule."""
        OPTIMIZERS.find(recipe.optimizer)
        named = list(model.named_parameters())
        names = {name for name, p in named if recipe.optimizer == "muon" and "hidden" in name and p.ndim == 2}
        hidden = [p for name, p in named if name in names]
        others = [p for name, p in named if name not in names]
        self.recipe, self.workers = recipe, workers or Workers()
        self.parameters = [p for _, p in named]
        self.schedule = SCHEDULES.find(recipe.schedule)
        self.parts: dict[str, tuple[torch.optim.Optimizer, float]] = {}
        device = others[0].device
        self.on_gpu = device.type == "cuda"
        warnings.filterwarnings("ignore", ".*capturable=True.*")  # some steps are captured, some are not
        if hidden:
            precision = torch.bfloat16 if has_bfloat16(device) else torch.float32
            muon = StackedMuon(hidden, precision, self.workers, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
            self.parts["muon"] = (muon, recipe.hidden_rate)
        self.parts["adam"] = (torch.optim.Adam(others, fused=True, capturable=self.on_gpu), recipe.other_rate)
        if self.on_gpu:  # tensors, which captured steps read each time
            for part, _ in self.parts.values():
                part.param_groups[0]["lr"] = torch.zeros((), device=device)

    def at(self, progress: float) -> None:
        """Set the rates to those after a fraction of training."""
        for part, peak in self.parts.values():
            rate, group = peak * self.schedule(progress, self.recipe.warmup), part.param_groups[0]
            group["lr"] = group["lr"].fill_(rate) if self.on_gpu else rate

    def step(self) -> None:
        """Apply and clear the gradients."""
        for part, _ in self.parts.values():
            part.step()
            part.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Its tensors by name, for checkpoints."""
        return {
            f"{name}.{index}.{key}": value
            for name, (part, _) in self.parts.items()
            for index, entry in part.state_dict()["state"].items()
            for key, value in entry.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the tensors that `state` gave."""
        for name, (part, _) in self.parts.items():
            state: dict[int, dict[str, Tensor]] = {}
            for flat, value in tensors.items():
                if flat.startswith(name + "."):
                    _, index, key = flat.split(".")
                    state.setdefault(int(index), {})[key] = value
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})
