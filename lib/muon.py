"""Muon in float32, for hardware that has no bfloat16 products, which PyTorch's own takes and emulates there.

    B <- beta B + (1 - beta) G,    O = orthogonalised((1 - beta) G + beta B),    W <- W - 0.2 rate sqrt(max(rows, columns)) O

(K. Jordan et al., Muon, 2024; the rate matched to Adam's update size as in Moonshot AI, arXiv:2502.16982.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def orthogonalised(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """The matrix [rows, columns] with its singular values brought near one, by Newton-Schulz steps of fifth order."""
    a, b, c = coefficients
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Float32Muon(torch.optim.Muon):
    """PyTorch's Muon, with Nesterov's momentum and the rate matched to Adam's, its products in float32."""

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for group in self.param_groups:
            momentum = group["momentum"]
            for weights in (p for p in group["params"] if p.grad is not None):
                average = self.state[weights].setdefault("momentum_buffer", torch.zeros_like(weights))
                average.lerp_(weights.grad, 1 - momentum)
                update = weights.grad.lerp(average, momentum)
                update = orthogonalised(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                weights.mul_(1 - group["lr"] * group["weight_decay"])
                weights.add_(update, alpha=-0.2 * group["lr"] * math.sqrt(max(weights.shape)))
