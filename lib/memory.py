"""Freed memory stays with the process.

The C library gives freed blocks of megabytes back to the kernel, and a training step, which frees
and takes the same blocks again, then spends a third of its time on page faults.
"""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's mallopt(3)."""


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep what is freed; whether it could (glibc alone can)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    wanted = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 1 << 26}
    taken = [mallopt(parameter, size) for parameter, size in wanted.items()]
    return all(taken)
