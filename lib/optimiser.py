"""How weights move: Muon on the hidden matrices and Adam on the rest, or Adam on all, under one schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lib.device import has_bfloat16
from lib.errors import InputError
from lib.muon import Float32Muon
from lib.recipe import Recipe

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


SCHEDULES: dict[str, Schedule] = {"cosine": cosine, "linear": linear, "one-cycle": one_cycle}
"""Learning rate at a share of training, relative to its peak, which it reaches at the share `warmup`."""

OPTIMISERS = ("muon", "adam")


class Optimiser:
    """A recipe's optimiser and schedule at work on a model."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        """Raises `InputError` for an unknown optimiser or schedule."""
        for name, choices in ((recipe.optimiser, OPTIMISERS), (recipe.schedule, tuple(SCHEDULES))):
            if name not in choices:
                raise InputError(f"'{name}' is neither optimiser nor schedule here: choose one of {', '.join(choices)}")
        named = list(model.named_parameters())
        names = {name for name, p in named if recipe.optimiser == "muon" and "hidden" in name and p.ndim == 2}
        hidden = [p for name, p in named if name in names]
        others = [p for name, p in named if name not in names]
        self.recipe = recipe
        self.schedule = SCHEDULES[recipe.schedule]
        self.parts: dict[str, tuple[torch.optim.Optimizer, float]] = {}
        if hidden:
            muon = torch.optim.Muon if has_bfloat16(hidden[0].device) else Float32Muon
            part = muon(hidden, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
            self.parts["muon"] = (part, recipe.hidden_rate)
        self.parts["adam"] = (torch.optim.Adam(others), recipe.other_rate)

    def step(self, progress: float) -> None:
        """Apply and clear the gradients, at a share of training."""
        for part, peak in self.parts.values():
            part.param_groups[0]["lr"] = peak * self.schedule(progress, self.recipe.warmup)
            part.step()
            part.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Its tensors, by flat names."""
        return {
            f"{name}.{index}.{key}": value
            for name, (part, _) in self.parts.items()
            for index, entry in part.state_dict()["state"].items()
            for key, value in entry.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Take up tensors that `state` gave."""
        for name, (part, _) in self.parts.items():
            state: dict[int, dict[str, Tensor]] = {}
            for flat, value in tensors.items():
                if flat.startswith(name + "."):
                    _, index, key = flat.split(".")
                    state.setdefault(int(index), {})[key] = value
            part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})
