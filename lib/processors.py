"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """`OMP_NUM_THREADS` where a job's share is set by it, else those that the system lets this process run on."""
    share = os.environ.get("OMP_NUM_THREADS", "")
    if share.isdigit() and int(share) > 0:
        return int(share)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
