"""What a notebook's kernel starts with: nothing that a user has set elsewhere reaches its results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib import paths
from lib.memory import keeping_freed_memory
from lib.processors import processors

FOREIGN = (
    *("JAX_", "XLA_", "TORCH", "ATEN_", "NPY_", "NUMPY_", "KMP_", "MKL_", "SYMPY_"),
    *("PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONINSPECT"),
)
"""How the names of variables begin by which a user may have set the libraries, or Python, for other work."""

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NPROC",  # by which XLA counts processors
)
"""Variables that say how many threads a library may use."""


def variables(folder: Path) -> dict[str, str]:
    """All environment variables of a kernel; `folder` is its scratch folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **kept,
        **dict.fromkeys(THREADS, str(processors())),
        **keeping_freed_memory(),
        "PYTHONPATH": str(paths.ROOT),
        # trajectories are integrated on processors, as the released ones were
        "JAX_PLATFORMS": "cpu",
        # the figures' style is that of lib.report.plots; a user's settings, down to LaTeX for each label, are not read
        "MATPLOTLIBRC": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # a profile without startup files
        "IPYTHONDIR": str(folder / "ipython"),
        # a line of progress every few seconds, which the log shows and the notebook does not keep
        "TQDM_MININTERVAL": "5",
    }


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """Within the block, kernels start with `variables`."""
    before, inside = dict(os.environ), variables(folder)
    try:
        os.environ.clear()
        os.environ.update(inside)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
