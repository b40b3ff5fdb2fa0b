"""The training recipe: budget, loss, penalty, initialization and optimizer of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.network.variants import get_variant
from lib.physics.laws import get_law
from lib.profiles import get_profile
from lib.runs import Run

LONGER: Mapping[str, float] = {
    **dict.fromkeys(("spring-3d/standard", "spring-3d/l1", "spring-3d/reciprocal"), 2.0),
    **{f"r1-3d/{variant}": 2.0 for variant in ("standard", "bottleneck", "pruning", "reciprocal")},
    **{f"discontinuous-2d/{variant}": 2.0 for variant in ("kl", "pruning")},
    **dict.fromkeys(("discontinuous-3d/l1", "damped-3d/pruning"), 2.0),
    **dict.fromkeys(("spring-3d/hamiltonian", "r1-3d/hamiltonian"), 3.0),
}
"""Factors on the training graphs of runs of seed 0 that the budget of their law and variant leaves short of their goal."""


@dataclass(frozen=True)
class Recipe:
    """All that a run's weights depend on, besides its data and its seed."""

    graphs: int
    """Training graphs in all, as often as each is drawn."""
    batch: int
    """Graphs in a step."""
    loss: str = "mae"
    """Name of the loss, of `lib.network.losses`."""
    penalty: float = 1.0
    """Factor on the variant's regularizer at the end of training."""
    first_penalty: float | None = None
    """The same at the beginning, from which it changes exponentially; constant if None."""
    initialization: str = "separations"
    """Name of the initialization, of `lib.network.initialization`."""
    optimizer: str = "muon"
    """Muon on the hidden matrices with Adam on the rest, or `adam` on all."""
    hidden_rate: float = 2e-3
    """Peak learning rate of Muon, matched to Adam's update size."""
    other_rate: float = 4e-3
    """Peak learning rate of Adam."""
    schedule: str = "cosine"
    """Name of the learning rate's schedule, of `lib.network.optimizer`."""
    warmup: float = 0.03
    """Fraction of training in which learning rates rise to their peak, before they fall to zero."""
    bfloat16: bool = True
    """Whether hidden layers multiply in bfloat16 where the hardware has it; weights are float32 in any case."""
    translation: float = 3.0
    """Standard deviation of the random shift of each graph's positions."""

    def penalty_at(self, progress: float) -> float:
        """Factor on the variant's regularizer after a fraction of training."""
        first = self.penalty if self.first_penalty is None else self.first_penalty
        return float(first * (self.penalty / first) ** progress if first else self.penalty)


def recipe_of(run: Run) -> Recipe:
    """The recipe that a run's profile, law and variant ask for."""
    profile = get_profile(run.profile)
    law = get_law(run.system.law)
    variant = get_variant(run.variant)
    entries = {**variant.recipe, **variant.under.get(law.difficulty, {}), **law.recipe}
    fraction = min(law.budget_fraction, variant.budget_fraction) * LONGER.get(str(run), 1.0)
    return Recipe(graphs=round(fraction * profile.graphs), batch=profile.batch, **entries)
