"""Compiled programs are kept on disk, so that each is compiled once and not once for each notebook.

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
"""Programs that take less to compile are not kept."""
FUSED = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""XLA's option by which no operation is left to a library for large arrays."""


def processor() -> str:
    """A name of this kind of processor, since a program compiled for one may not run on another."""
    try:
        features = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(("flags", "Features"))
        )
    except (OSError, StopIteration):
        features = platform.processor() or platform.node()
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"


@cache
def keep_programs() -> None:
    """Have JAX keep compiled programs below build/, and look there first; a damaged or unwritable folder only costs time."""
    jax.config.update("jax_compilation_cache_dir", str(paths.ROOT / "build" / "compiled" / processor()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MIN_COMPILE_SECONDS)


@cache
def fused() -> dict[str, str] | None:
    """Options for `jax.jit` by which products and their sums are taken in one pass; None where XLA does not know them."""
    try:
        jax.jit(lambda x: x, compiler_options=FUSED)(0.0)
    except jax.errors.JaxRuntimeError:
        return None
    return FUSED
