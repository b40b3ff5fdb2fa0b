"""Profiles: named budgets. All of them take the same path through the same code."""

from __future__ import annotations

from dataclasses import dataclass

from lib.registry import Registry


@dataclass(frozen=True)
class Profile:
    """How much of everything."""

    folder: str
    """Workspace that the profile writes to, below the project's root."""
    trajectories: dict[str, int]
    """Trajectories simulated for each split."""
    graphs: int
    """Training graphs seen by a model."""
    batch: int
    """Training graphs in a step."""
    regression_edges: int
    """Edges that symbolic regression fits."""
    evaluations: int
    """Expressions that symbolic regression evaluates for one channel."""
    fitting_graphs: int
    """Graphs that the constants of a closed form are fitted to."""
    settling: int
    """Steps in which a liquid settles before its first snapshot."""


PROFILES: Registry[Profile] = Registry(
    "profile",
    {
        "full": Profile(
            folder=".",
            trajectories={"train": 10_000, "validation": 1_000, "test": 1_000},
            graphs=6_000_000,
            batch=256,
            regression_edges=2_000,
            evaluations=300_000,
            fitting_graphs=2_000,
            settling=5_000,
        ),
        "demo": Profile(
            folder="build/demo",
            trajectories={"train": 2_000, "validation": 200, "test": 200},
            graphs=800_000,
            batch=256,
            regression_edges=2_000,
            evaluations=150_000,
            fitting_graphs=2_000,
            settling=1_000,
        ),
        "smoke": Profile(
            folder="build/smoke",
            trajectories={"train": 100, "validation": 20, "test": 20},
            graphs=20_000,
            batch=256,
            regression_edges=500,
            evaluations=10_000,
            fitting_graphs=200,
            settling=100,
        ),
    },
)

get_profile = PROFILES.find
