"""Threads that share the steps of one training, as many as measurement finds fastest.

Each worker computes the gradients of its part of a batch, and those of the parts are added in their order, so that the same
number of workers ends with the same weights to the bit. Another number of workers, or of threads within PyTorch's operations,
cuts sums otherwise and changes the last bits. One worker takes batches whole: in two halves, which would give it the bits of
two workers, its steps take 4 to 10% longer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch

from lib.errors import InputError
from lib.files import read_json, write_json
from lib.physics.compilation import processor
from lib.processors import processors

log = logging.getLogger(__name__)
Part = TypeVar("Part")
Result = TypeVar("Result")

MOST_WORKERS, MOST_THREADS = 4, 8
"""Of a training, and of a worker: more than a batch of small matrices can use."""
TURNS = 3
"""How often each choice is measured; its least time counts, since other work on the machine only adds to it."""


@dataclass
class Workers:
    """Threads of Python that take parts of a step, each with so many threads of PyTorch within its operations."""

    count: int = 1
    threads: int = 1
    _others: ThreadPoolExecutor | None = field(default=None, repr=False, compare=False)

    def map(self, function: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """Results for the parts, in their order; computed one after the other outside of `at_work`."""
        if self._others is None:
            return [function(part) for part in parts]
        promised = [self._others.submit(function, part) for part in parts[1:]]
        return [function(parts[0]), *(promise.result() for promise in promised)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within the block the workers are there, and PyTorch keeps to their threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            if self.count > 1:
                self._others = ThreadPoolExecutor(self.count - 1, initializer=lambda: torch.set_num_threads(self.threads))
            yield
        finally:
            if self._others:
                self._others.shutdown()
                self._others = None
            torch.set_num_threads(before)


def choices(cores: int, most: int = MOST_WORKERS) -> list[Workers]:
    """So many workers at most, and threads of each, by powers of two: no more together than the cores."""
    counts, threads = ([1 << power for power in range(limit.bit_length())] for limit in (most, MOST_THREADS))
    return [Workers(count, each) for count in counts for each in threads if count * each <= cores]


def fastest(take: Callable[[Workers], Any], most: int, shapes: str, record: Path) -> Workers:
    """The workers, so many at most and within this job's share of processors, by which `take`, some steps, is fastest.

    Measured once on a machine; a JSON file, `record`, holds what was found, by processor, cores, PyTorch and `shapes`,
    which says in words what is computed.
    """
    cores = processors()
    possible = choices(cores, most)
    if len(possible) == 1:
        return possible[0]
    case = f"{processor()}, {cores} cores, PyTorch {torch.__version__}: {shapes}"
    for workers in possible:
        if recorded(record).get(case) == [workers.count, workers.threads]:
            return workers
    seconds = [min(_timed(take, workers) for _ in range(TURNS)) for workers in possible]
    found = possible[seconds.index(min(seconds))]
    log.info("fastest of %d choices: %d x %d threads", len(possible), found.count, found.threads)
    write_json(record, recorded(record) | {case: [found.count, found.threads]})
    return found


def _timed(take: Callable[[Workers], Any], workers: Workers) -> float:
    with workers.at_work():
        started = time.perf_counter()
        take(workers)
        return time.perf_counter() - started


def recorded(path: Path) -> dict[str, list[int]]:
    """What was found before; nothing where there is no record that can be read."""
    try:
        found = read_json(path)
    except (InputError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
