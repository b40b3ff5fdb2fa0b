"""How many processors this process may use, in one place for all that starts threads."""

from __future__ import annotations

import os

SHARE = "OMP_NUM_THREADS"
"""The variable that holds a job's share; the batch sets it for each job, and PyTorch and BLAS follow it by themselves."""


def allowed() -> int:
    """Processors that the system lets this process run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def processors() -> int:
    """The job's share where one is set, and never more than the system allows."""
    share = os.environ.get(SHARE, "").split(",")[0].strip()
    return min(int(share), allowed()) if share.isdecimal() and int(share) > 0 else allowed()


def limit_xla() -> None:
    """Have XLA, which JAX compiles with, keep to the share.

    Its pool of threads is made with JAX's first array, by the variable NPROC; the threads of its
    compiler and of its client cannot be limited.
    """
    os.environ["NPROC"] = str(processors())
