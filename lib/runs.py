"""Runs: a system (law + dimension), a variant and a seed, under a profile (a named budget)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """A law in a dimension, written `spring-2d`."""

    law: str
    dim: int

    def __str__(self) -> str:
        return f"{self.law}-{self.dim}d"


@dataclass(frozen=True)
class Run:
    """One trained model and all that is made from it, written `spring-2d/l1` or `spring-2d/l1-seed1`."""

    system: System
    variant: str
    seed: int = 0
    profile: str = "full"

    @property
    def folder(self) -> str:
        """The run's name inside its system: the variant, and the seed unless it is the released 0."""
        return self.variant if self.seed == 0 else f"{self.variant}-seed{self.seed}"

    def __str__(self) -> str:
        return f"{self.system}/{self.folder}"
