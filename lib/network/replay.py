"""Training steps replayed on a GPU from a CUDA graph, which starts all kernels of a step at once.

A step is some hundred kernels of microseconds each, which Python launches more slowly than they run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

PLAIN = 3
"""Calls before the capture, in which libraries choose and load kernels."""

Step = Callable[..., Tensor]


class Replayed:
    """A function of tensors and numbers on a GPU, captured after a few plain calls and replayed from then on.

    Besides its arguments it may read and write only tensors that stay at their address. A result is valid until the next call.
    """

    def __init__(self, function: Step, device: torch.device) -> None:
        self.function = function
        self.device = device
        self.stream = torch.cuda.Stream(device)
        self.plain = PLAIN
        self.arguments: list[Tensor | None] = []
        self.graph = torch.cuda.CUDAGraph()

    def _tensor(self, argument: Tensor | float | None) -> Tensor | None:
        if isinstance(argument, float):
            return torch.full((), argument, device=self.device)
        return argument

    def __call__(self, *arguments: Any) -> Tensor:
        if self.plain:
            self.plain -= 1
            self.stream.wait_stream(torch.cuda.current_stream(self.device))
            with torch.cuda.stream(self.stream):
                result = self.function(*map(self._tensor, arguments))
            torch.cuda.current_stream(self.device).wait_stream(self.stream)
            return result
        if not self.arguments:
            self.arguments = [None if given is None else self._tensor(given).clone() for given in arguments]
            with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                self.result = self.function(*self.arguments)
        for captured, given in zip(self.arguments, arguments, strict=True):
            if isinstance(given, float):
                captured.fill_(given)
            elif captured is not None:
                captured.copy_(given)
        self.graph.replay()
        return self.result


def replayed(function: Step, device: torch.device) -> Step:
    """The function replayed on a GPU; unchanged on processors."""
    return Replayed(function, device) if device.type == "cuda" else function
