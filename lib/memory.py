"""Freed memory that stays with the process, for speed.

The C library gives freed blocks of megabytes back to the kernel, and a training step, which frees
and takes the same blocks again, then spends a third of its time on page faults, an analysis a sixth.
"""

from __future__ import annotations

import ctypes
from functools import cache

KEPT = {"TRIM_THRESHOLD": (-1, (1 << 31) - 1), "TOP_PAD": (-2, 1 << 26), "MMAP_THRESHOLD": (-3, 1 << 30)}
"""Parameters of glibc's mallopt(3), each with its number there and the bytes it is set to."""


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory; whether it does (glibc alone can)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    accepted = [mallopt(number, size) for number, size in KEPT.values()]
    return all(accepted)


def keeping_freed_memory() -> dict[str, str]:
    """Environment variables that ask the same of a new process."""
    return {f"MALLOC_{name}_": str(size) for name, (_, size) in KEPT.items()}
