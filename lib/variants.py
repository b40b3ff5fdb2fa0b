"""The registry of model variants: a variant is its messages' head, its regulariser and its schedule.

Entries speak in tensor methods only, so that reading the registry costs no import of torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lib.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Width = Callable[[int], int]
Regulariser = Callable[["Tensor", "Tensor | None"], "Tensor | float"]
Schedule = Callable[[float, int, int], int]


def hundred(dim: int) -> int:
    """100 channels, whatever the dimension."""
    return 100


def dimension(dim: int) -> int:
    """As many channels as the force has components."""
    return dim


def no_penalty(mean: Tensor, log_variance: Tensor | None) -> float:
    """No regulariser."""
    return 0.0


def l1(mean: Tensor, log_variance: Tensor | None) -> Tensor:
    """1e-2 times the mean over edges of sum |m|; messages [graphs, edges, channels]."""
    return 1e-2 * mean.abs().sum(-1).mean()


def kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Mean over edges of KL(N(mu, sigma^2) || N(0, 1)) = sum (mu^2 + sigma^2 - log sigma^2 - 1) / 2."""
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(-1).mean()


def keep_all(progress: float, width: int, dim: int) -> int:
    """No pruning."""
    return width


def cosine_pruning(progress: float, width: int, dim: int) -> int:
    """Channels kept at a share of training: from all to `dim` on a cosine that ends at 65%."""
    phase = min(progress / 0.65, 1.0)
    return dim + round((width - dim) * (1 + math.cos(math.pi * phase)) / 2)


@dataclass(frozen=True)
class Variant:
    """One way to train the same graph network."""

    title: str
    width: Width = hundred
    """Message channels in a dimension."""
    gaussian: bool = False
    """Whether a message is drawn from N(mu, sigma^2) in training, both from the edge network."""
    regulariser: Regulariser = no_penalty
    schedule: Schedule = keep_all
    """Channels kept as training goes on."""
    reciprocal: bool = False
    """Whether m_ij = e(v_i, v_j) - e(v_j, v_i), so that action equals minus reaction."""


VARIANTS: dict[str, Variant] = {
    "standard": Variant("100 channels, free"),
    "bottleneck": Variant("as many channels as dimensions", width=dimension),
    "l1": Variant("100 channels under an L1 penalty", regulariser=l1),
    "kl": Variant("100 Gaussian channels under a KL penalty", gaussian=True, regulariser=kl),
    "pruning": Variant("100 channels, pruned while training", schedule=cosine_pruning),
    "reciprocal": Variant("bottleneck with action = -reaction", width=dimension, reciprocal=True),
}


def get_variant(name: str) -> Variant:
    """The registered variant of that name; `InputError` with the valid names otherwise."""
    if name not in VARIANTS:
        raise InputError(f"unknown variant '{name}': choose one of {', '.join(VARIANTS)}")
    return VARIANTS[name]
