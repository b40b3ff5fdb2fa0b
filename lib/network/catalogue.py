"""The catalogue: which runs are released, and runs by name."""

from __future__ import annotations

from lib.errors import InputError
from lib.network.variants import ABLATIONS, VARIANTS, get_variant
from lib.physics.laws import LAWS
from lib.physics.systems import DIMENSIONS, parse_system
from lib.profiles import get_profile
from lib.runs import Run, System

CORE = ("spring", "r1", "r2", "charge")
"""Laws of the paper's Tables 1 and 5."""

RELEASED = (
    *(f"{law}-{dim}d" for dim in DIMENSIONS for law in CORE),
    *(f"{law}-2d/hamiltonian" for law in CORE),
)
"""Systems, or runs of them, whose trained weights and results are part of the project."""

RECORDED = (
    *(f"{law}-2d/{variant}-reciprocal" for law in CORE for variant in ("standard", "l1", "kl", "pruning")),
    *(f"own_length-2d/{variant}" for variant in ("bottleneck", "reciprocal")),
    *(
        f"{system}/{variant}"
        for system in ("damped-2d", "damped-3d", "discontinuous-2d", "discontinuous-3d")
        for variant in (*VARIANTS, "hamiltonian")
    ),
    *(f"{law}-3d/hamiltonian" for law in CORE),
    *(f"{law}-2d/{variant}" for law in CORE for variant in ABLATIONS),
    *(f"{law}-2d/{variant}-seed{seed}" for law in CORE for variant in VARIANTS for seed in (1, 2)),
)
"""Runs whose results are part of the project and whose weights are not: reciprocal versions of released runs, for a paired
comparison (that of `bottleneck` is `reciprocal`); laws with friction, without reaction and with a discontinuity; energies
in 3D; ablations; and further seeds."""

SIMULATED = (
    *(f"{law}-{dim}d" for dim in DIMENSIONS for law in CORE),
    *(f"{law}-2d" for law in LAWS if law not in CORE),
    *(f"{law}-3d" for law in ("damped", "discontinuous")),
)
"""Systems whose rendered simulation is part of the project: the paper's in 2D and 3D, and the others in 2D."""


def parse_run(system: str, variant: str, seed: int = 0, profile: str = "full") -> Run:
    """Run of its parameters as text; `InputError` with the valid choices otherwise."""
    get_variant(variant)
    get_profile(profile)
    if seed < 0:
        raise InputError(f"seed = {seed}: choose 0 or more")
    return Run(parse_system(system), variant, seed, profile)


def parse_folder(system: str, folder: str, profile: str = "full") -> Run:
    """Run of its place below `outputs/`: `spring-2d` and `l1` or `l1-seed1`."""
    variant, _, seed = folder.partition("-seed")
    if seed and not seed.isdecimal():
        raise InputError(f"unknown run {folder!r} of {system}: write a variant, or a variant and a seed, as l1-seed1")
    return parse_run(system, variant, int(seed or 0), profile)


def select(only: list[str], profile: str = "full") -> list[Run]:
    """The runs that texts such as `spring-2d` or `spring-2d/l1` name; all released ones if there are none."""
    runs: list[Run] = []
    for text in only or RELEASED:
        system, _, folder = text.partition("/")
        folders = [folder] if folder else list(VARIANTS)
        runs += [parse_folder(system, name, profile) for name in folders]
    return list(dict.fromkeys(runs))


LARGER = {"8_argon": Run(System("argon", 3), "reciprocal"), "9_halos": Run(System("halos", 3), "l1")}
"""Runs on systems of many bodies, by the notebook that simulates, trains and distils each; their laws are not in the
registry, their weights are part of the project."""
