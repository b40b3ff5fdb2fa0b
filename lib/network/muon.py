"""Muon on all matrices of equal shape at once, in the fastest precision of the hardware.

    B <- beta B + (1 - beta) G,    O = orthogonalized((1 - beta) G + beta B),    W <- W - 0.2 rate sqrt(max(rows, columns)) O

(K. Jordan et al., Muon, 2024; the rate matched to Adam's update size as in Moonshot AI, arXiv:2502.16982.) PyTorch's own
takes one matrix after the other and bfloat16 products, which processors without them emulate, and its rate is a number, which
a captured graph of kernels would not read again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from lib.network.workers import Workers


def orthogonalized(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Matrices [matrices, rows, columns] with singular values brought near one, by Newton-Schulz steps of fifth order."""
    a, b, c = coefficients
    tall = matrices.shape[-2] > matrices.shape[-1]
    # laid out anew: PyTorch may have no fast bfloat16 product for outputs that lie across
    x = matrices.mT.contiguous() if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    # kept from step to step: fresh memory would be far from the processor
    following, gram, factor = torch.empty_like(x), *x.new_empty(2, len(x), x.shape[-2], x.shape[-2])
    for _ in range(steps):
        torch.bmm(x, x.mT, out=gram)
        torch.baddbmm(gram, gram, gram, beta=b, alpha=c, out=factor)
        torch.baddbmm(x, factor, x, beta=a, out=following)
        x, following = following, x
    return x.mT if tall else x


class StackedMuon(torch.optim.Muon):
    """PyTorch's Muon, with Nesterov's momentum and the rate matched to Adam's; the rate may be a tensor."""

    def __init__(
        self, params: list[Tensor], precision: torch.dtype = torch.float32, workers: Workers | None = None, **options: Any
    ) -> None:
        """`precision`: that of the matrix products of the orthogonalization, which workers share."""
        super().__init__(params, **options)
        self.precision = precision
        self.workers = workers or Workers()

    @torch.no_grad()
    def step(self) -> None:
        """Apply the gradients."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weights in (p for p in group["params"] if p.grad is not None):
                by_shape[weights.shape].append(weights)
            for shape, weights in by_shape.items():
                gradients = [p.grad for p in weights]
                for p in weights:
                    if not self.state[p]:
                        self.state[p]["momentum_buffer"] = torch.zeros_like(p)
                averages = [self.state[p]["momentum_buffer"] for p in weights]
                torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
                updates = torch.empty(len(weights), *shape, dtype=self.precision, device=weights[0].device)
                torch._foreach_copy_(list(updates), torch._foreach_lerp(gradients, averages, group["momentum"]))
                options = [group[name] for name in ("ns_coefficients", "ns_steps", "eps")]
                stacks = updates.chunk(self.workers.count)
                updates = torch.cat(self.workers.map(lambda stack: orthogonalized(stack, *options), stacks)).float()  # noqa: B023
                if group["weight_decay"]:
                    torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(weights, list(updates.mul_(0.2 * math.sqrt(max(shape)) * group["lr"])))
