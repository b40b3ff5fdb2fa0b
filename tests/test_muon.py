"""Muon in float32 against PyTorch's own, whose products are bfloat16."""

import pytest
import torch

from lib.muon import Float32Muon, orthogonalised


def moved(kind: type[torch.optim.Muon], shape: tuple[int, int]) -> torch.Tensor:
    """Weights after three steps down the same slopes."""
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.zeros(shape))
    optimiser = kind([weights], lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        weights.grad = torch.randn(shape)
        optimiser.step()
    return weights.detach()


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_float32_steps_are_those_of_bfloat16_but_for_rounding(shape):
    ours, theirs = moved(Float32Muon, shape), moved(torch.optim.Muon, shape)
    assert 0 < (ours - theirs).norm() / theirs.norm() < 2e-2


@pytest.mark.parametrize("shape", [(30, 30), (40, 20), (20, 40)])
def test_singular_values_come_near_one(shape):
    torch.manual_seed(1)
    matrix = torch.randn(shape)
    group = Float32Muon([torch.nn.Parameter(matrix)]).param_groups[0]
    whitened = orthogonalised(matrix, group["ns_coefficients"], group["ns_steps"], group["eps"])
    spread = torch.linalg.svdvals(matrix)
    values = torch.linalg.svdvals(whitened)
    assert values.min() > 0.5 > spread.min() / spread.max() and values.max() < 1.3


def test_weights_without_a_slope_stay():
    with_slope, without = (torch.nn.Parameter(torch.eye(3)) for _ in range(2))
    optimiser = Float32Muon([with_slope, without], weight_decay=0.0)
    with_slope.grad = torch.ones(3, 3)
    optimiser.step()
    assert torch.equal(without, torch.eye(3)) and not torch.equal(with_slope, torch.eye(3))
