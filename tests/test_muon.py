"""Muon on stacks of matrices against PyTorch's own, whose products are bfloat16."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from lib.network.muon import StackedMuon, orthogonalized


def moved(kind: Callable[..., torch.optim.Muon], shape: tuple[int, int]) -> torch.Tensor:
    """Weights after three steps down the same slopes."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.zeros(shape))
    optimizer = kind([weights], lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        weights.grad = torch.randn(shape)
        optimizer.step()
    return weights.detach()


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_float32_steps_are_those_of_bfloat16_but_for_rounding(shape):
    ours, theirs = moved(StackedMuon, shape), moved(torch.optim.Muon, shape)
    assert 0 < (ours - theirs).norm() / theirs.norm() < 2e-2


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_bfloat16_steps_are_pytorch_s_own(shape):
    ours, theirs = moved(partial(StackedMuon, precision=torch.bfloat16), shape), moved(torch.optim.Muon, shape)
    assert (ours - theirs).norm() / theirs.norm() < 1e-5


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape)
    group = StackedMuon([torch.nn.Parameter(matrix)]).param_groups[0]
    whitened = orthogonalized(matrix[None], group["ns_coefficients"], group["ns_steps"], group["eps"])
    spread = torch.linalg.svdvals(matrix)
    values = torch.linalg.svdvals(whitened)
    assert values.min() > 0.5 > spread.min() / spread.max() and values.max() < 1.3


def test_weights_without_a_slope_stay():
    with_slope, without = (torch.nn.Parameter(torch.eye(3)) for _ in range(2))
    optimizer = StackedMuon([with_slope, without], weight_decay=0.0)
    with_slope.grad = torch.ones(3, 3)
    optimizer.step()
    assert torch.equal(without, torch.eye(3)) and not torch.equal(with_slope, torch.eye(3))


def test_a_tensor_is_a_rate_and_equal_shapes_go_together():
    torch.manual_seed(2)
    starts = [torch.randn(shape) for shape in ((8, 8), (8, 8), (8, 4))]
    slopes = [torch.randn_like(start) for start in starts]
    alone, together = [], [torch.nn.Parameter(start.clone()) for start in starts]
    for start, slope in zip(starts, slopes, strict=True):
        weights = torch.nn.Parameter(start.clone())
        weights.grad = slope
        StackedMuon([weights], lr=1e-2, weight_decay=0.0).step()
        alone.append(weights.detach())
    optimizer = StackedMuon(together, lr=1.0, weight_decay=0.0)
    optimizer.param_groups[0]["lr"] = torch.tensor(1e-2)
    for weights, slope in zip(together, slopes, strict=True):
        weights.grad = slope
    optimizer.step()
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other.detach())


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_products_are_written_row_by_row(shape, monkeypatch):
    written = []
    for name in ("bmm", "baddbmm"):
        product = getattr(torch, name)
        monkeypatch.setattr(
            torch, name, lambda *given, product=product, **more: (written.append(more["out"]), product(*given, **more))[1]
        )
    assert orthogonalized(torch.randn(2, *shape), (3.4, -4.8, 2.0), 2, 1e-7).shape == (2, *shape)
    assert len(written) == 6 and all(one.is_contiguous() for one in written)
