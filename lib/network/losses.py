"""The registry of losses, of predicted and true accelerations [graphs, n, dim], in the mean over nodes."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import huber_loss, mse_loss

from lib.registry import Registry

Loss = Callable[[Tensor, Tensor], Tensor]


def mae(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean over nodes of |error|_1, the paper's loss and the unit of its Table 3."""
    return (predicted - true).abs().sum(-1).mean()


def mse(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean over nodes of |error|^2."""
    return mse_loss(predicted, true) * true.shape[-1]


def huber(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean over nodes of the sum of Huber's loss with its corner at 1."""
    return huber_loss(predicted, true) * true.shape[-1]


def relative(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean over nodes of |error|_1 / (1 + |a|): the huge acceleration of a collision weighs no more than others."""
    return ((predicted - true).abs().sum(-1) / (1 + true.norm(dim=-1))).mean()


def root_relative(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean over nodes of |error|_1 / sqrt(1 + |a|), halfway between `mae` and `relative`."""
    return ((predicted - true).abs().sum(-1) / (1 + true.norm(dim=-1)).sqrt()).mean()


LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "mae": mae,
        "mse": mse,
        "huber": huber,
        "relative": relative,
        "root_relative": root_relative,
    },
)

get_loss = LOSSES.find
