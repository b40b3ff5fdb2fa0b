"""The registry of model variants: a variant is its messages' head, its regularizer and its schedule.

Entries use methods of tensors only, so that reading the registry costs no import of torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lib.errors import InputError
from lib.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Width = Callable[[int], int]
Regularizer = Callable[["Tensor", "Tensor | None", int], "Tensor | float"]
Schedule = Callable[[float, int, int], int]
Switch = Callable[["Variant"], "Variant"]

HIDDEN = (300, 300, 300)
"""Units of the hidden layers of edge and node network."""


def hundred(dim: int) -> int:
    """100 channels, whatever the dimension."""
    return 100


def dimension(dim: int) -> int:
    """As many channels as the force has components."""
    return dim


def no_penalty(mean: Tensor, log_variance: Tensor | None, dim: int) -> float:
    """No regularizer."""
    return 0.0


def l1(mean: Tensor, log_variance: Tensor | None, dim: int) -> Tensor:
    """1e-2 times the mean over edges of sum |m|; messages [graphs, edges, channels]."""
    return 1e-2 * mean.abs().sum(-1).mean()


def kl(mean: Tensor, log_variance: Tensor, dim: int) -> Tensor:
    """Mean over edges of KL(N(mu, sigma^2) || N(0, 1)) = sum (mu^2 + sigma^2 - log sigma^2 - 1) / 2."""
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(-1).mean()


def spread_of_further_channels(mean: Tensor, log_variance: Tensor | None, dim: int) -> Tensor:
    """1e-1 times the mean standard deviation over edges of all channels but the first `dim`."""
    return 1e-1 * mean[..., dim:].flatten(0, -2).std(dim=0).mean()


def small_energies(terms: Tensor, log_variance: None, dim: int) -> Tensor:
    """1e-3 times the mean size of pair energies and of their derivatives in charge and mass, terms [graphs, edges, 5]."""
    return 1e-3 * terms.abs().mean()


def cosine(phase: float, width: int, dim: int) -> float:
    """Channels left at a phase from 0 to 1: half a cosine from `width` to `dim`, slow at both ends."""
    return dim + (width - dim) * (1 + math.cos(math.pi * phase)) / 2


def exponential(phase: float, width: int, dim: int) -> float:
    """Channels left at a phase from 0 to 1: from `width` to `dim` by a constant factor, fast at first."""
    return width * (dim / width) ** phase


def linear(phase: float, width: int, dim: int) -> float:
    """Channels left at a phase from 0 to 1: from `width` to `dim` at a constant rate."""
    return width + (dim - width) * phase


@dataclass(frozen=True)
class Pruning:
    """A schedule that removes channels as training goes on, until as many are left as there are dimensions."""

    shape: Callable[[float, int, int], float] = cosine
    end: float = 0.65
    """Fraction of training after which only `dim` channels are left."""

    def __call__(self, progress: float, width: int, dim: int) -> int:
        """Channels kept after a fraction of training, at least `dim`."""
        return max(dim, round(self.shape(min(progress / self.end, 1.0), width, dim)))


def keep_all(progress: float, width: int, dim: int) -> int:
    """All channels are kept, at any fraction of training."""
    return width


@dataclass(frozen=True)
class Variant:
    """One way to train a graph network."""

    title: str
    network: str = "messages"
    """Name of the network, of `lib.network.networks`."""
    width: Width = hundred
    """Message channels in a dimension."""
    gaussian: bool = False
    """Whether a message is drawn from N(mu, sigma^2) in training, both from the edge network."""
    regularizer: Regularizer = no_penalty
    schedule: Schedule = keep_all
    """Channels kept as training goes on."""
    hidden: tuple[int, ...] = HIDDEN
    """Units of the hidden layers of edge and node network."""
    inverse_features: bool = False
    """Whether 1/(1+h) and 1/(1+h)^2 of the edge network's first units h enter its next layer with them."""
    antisymmetric: bool = False
    """Whether m_ij = e(v_i, v_j) - e(v_j, v_i), so that action equals minus reaction."""
    budget_fraction: float = 1.0
    """Fraction of a profile's training graphs that suffices, whatever the law."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Entries of its recipe under every law, where they are not the defaults."""
    under: Mapping[str | None, Mapping[str, Any]] = field(default_factory=lambda: {"collisions": {"loss": "relative"}})
    """Further entries of its recipe, by the law's difficulty. Where a few collisions hold most of the error, a penalty on
    messages shrinks the largest, so that it needs a loss in which these weigh more than in `relative`."""


VARIANTS: Registry[Variant] = Registry(
    "variant",
    {
        "standard": Variant("100 channels, free"),
        "bottleneck": Variant("as many channels as dimensions", width=dimension),
        "l1": Variant(
            "100 channels under an L1 penalty",
            regularizer=l1,
            recipe={"penalty": 5.0},
            under={"collisions": {"loss": "root_relative", "penalty": 1.0}},
        ),
        "kl": Variant(
            "100 Gaussian channels under a KL penalty",
            gaussian=True,
            regularizer=kl,
            recipe={"first_penalty": 1.0, "penalty": 0.01},
            under={
                "collisions": {"loss": "root_relative", "first_penalty": None, "penalty": 0.005},
                # a discontinuity is learned too slowly for a strong penalty at first, under which messages vanish for good
                "discontinuity": {"first_penalty": None},
            },
        ),
        "pruning": Variant("100 channels, pruned while training", schedule=Pruning()),
        "reciprocal": Variant("bottleneck with action = -reaction", width=dimension, antisymmetric=True),
    },
)

FURTHER: Registry[Variant] = Registry(
    "variant",
    {
        "hamiltonian": Variant(
            "energies of bodies and of pairs, whose slopes are the forces",
            network="hamiltonian",
            width=dimension,
            regularizer=small_energies,
            budget_fraction=1 / 2,
            recipe={"hidden_rate": 5e-3, "other_rate": 1e-2},
        ),
        "std_penalty": Variant(
            "100 channels, a penalty on the spread of all but the first D", regularizer=spread_of_further_channels
        ),
        "plus_minus": Variant("100 channels, five hidden layers", hidden=(300, 450, 600, 450, 300)),
        "custom": Variant("100 channels, reciprocals inside the edge network", inverse_features=True),
    },
)
"""Variants beyond the paper's five and `reciprocal`, trained where they are asked for by name: a system's name alone stands
for `VARIANTS`."""
ABLATIONS = tuple(name for name, variant in FURTHER.items() if variant.network == "messages")
"""Those among them that differ from `standard` in one thing."""


def _reciprocal(variant: Variant) -> Variant:
    # made for a paired comparison of gauges, for which a shorter training suffices than for a small error
    return replace(variant, title=f"{variant.title}, action = -reaction", antisymmetric=True, budget_fraction=1 / 6)


def _pruned(words: str, **changed: Any) -> Switch:
    def switch(variant: Variant) -> Variant:
        if not isinstance(variant.schedule, Pruning):
            raise InputError(f"'{words}' is a way of pruning: write it after pruning, as pruning-{words}")
        return replace(variant, title=f"{variant.title} ({words})", schedule=replace(variant.schedule, **changed))

    return switch


SWITCHES: Registry[Switch] = Registry(
    "switch",
    {
        "reciprocal": _reciprocal,
        "exponential": _pruned("exponential", shape=exponential),
        "linear": _pruned("linear", shape=linear),
        "75": _pruned("75", end=0.75),
        "85": _pruned("85", end=0.85),
    },
)
"""Changes of a variant, written after its name: `reciprocal` of any, others of pruning alone: `l1-reciprocal`,
`pruning-linear-85`."""


def get_variant(name: str) -> Variant:
    """The variant of a registered name and its switches; `InputError` with the valid names otherwise."""
    base, *switches = name.split("-")
    variant = Registry("variant", VARIANTS | FURTHER).find(base)
    for switch in switches:
        variant = SWITCHES.find(switch)(variant)
    return variant
