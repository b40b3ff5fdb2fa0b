"""Compiled programs stay on disk: what one notebook compiled, the next only reads.

JAX takes some ten seconds of a core to compile an integrator, more than the integration itself.
"""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path

import jax

from lib import paths

MIN_COMPILE_SECONDS = 0.3
"""Seconds of compilation from which a program is kept."""


def processor() -> str:
    """A name of this kind of processor; a program compiled for one may not run on another."""
    try:
        features = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("flags", "Features"))
        )
    except (OSError, StopIteration):
        features = platform.processor() or platform.node()
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


@cache
def keep_programs() -> None:
    """Have JAX keep what it compiles below build/, and look there first; a damaged or unwritable place only costs time."""
    jax.config.update("jax_compilation_cache_dir", str(paths.ROOT / "build" / "compiled" / processor()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)
