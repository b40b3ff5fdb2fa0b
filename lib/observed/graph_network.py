"""A graph network on a user's evidence, beside the law: how well the data are predicted without any formula.

A receiver is a body with its position, velocity and properties; an edge brings the separation, both velocities and both
bodies' properties. All in units of their own spread. Only where rates were measured: a row is then one body at one time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lib.network import training
from lib.network.checkpoints import code_of
from lib.network.neighbourhoods import Neighbourhoods, NeighbourNetwork
from lib.network.problem import Batch, Task
from lib.network.recipe import Recipe
from lib.network.variants import get_variant
from lib.network.workers import Workers
from lib.profiles import get_profile
from lib.runs import Run, System
from lib.selection.evidence import Evidence
from lib.selection.law import Announcement

EDGES = 300_000
"""Edges at most that the data for the network have."""
EPOCHS = 200
"""Times that each body is seen in training ..."""
SEEN = 1_000_000
"""... and edges that are seen at most: two minutes of one slow core."""
BATCH = 256
"""Bodies in a step."""
FOLDS, TEST, VALIDATION = 10, (0, 1), 2
"""Folds of groups: those that the network is judged on, and the one on which its best weights are chosen."""
MOST_VALIDATED = 1_000
BETTER = 0.8
"""A network that leaves less than this part of what the law leaves has found something that the law lacks."""
NOT_RECIPROCAL = "not reciprocal"


def can_be_trained(evidence: Evidence) -> bool:
    """Whether each row is the measured rate of one body in an inertial frame, and there are a few hundred of them."""
    single = len(evidence.average.data) == len(evidence.target) and bool((evidence.average.data == 1).all())
    return single and len(evidence.target) >= 300 and len(evidence.motion.edges.r) > 0


def variant_for(announcement: Announcement) -> str:
    """`reciprocal` where that was asked and not denied, else `standard`."""
    found = announcement.hypotheses.get(NOT_RECIPROCAL)
    return "reciprocal" if found is not None and not found["found"] else "standard"


def held_out_error(evidence: Evidence, variant: str, name: str, profile: str) -> tuple[float, int]:
    """Error of a trained network on held-out groups, and bodies seen in training.

    The root of the weighted square error over that of no law at all, weighted as `lib.selection.structure` does. The training
    can be interrupted and goes on where it was.
    """
    sample = evidence.sample(EDGES, 3)
    problem = Measured(sample, sample.folds(FOLDS))
    run = Run(System(f"data/{name}", evidence.motion.dim), variant, 0, profile)
    # one thread, as the budget is reckoned
    model, card = training.train(run, problem=problem, workers=Workers())
    rows = np.flatnonzero(np.isin(problem.fold, TEST))
    squares = np.zeros(2)
    for part in np.array_split(rows, max(len(rows) // MOST_VALIDATED, 1)):
        batch = problem.of_rows(part)
        with torch.no_grad():
            left = batch.targets - model(batch)
        weight = 1 / (1 + batch.targets.norm(dim=1, keepdim=True))
        squares += [float(((one * weight) ** 2).sum()) for one in (left, batch.targets)]
    return float(np.sqrt(squares[0] / squares[1])), int(card["graphs_seen"])


def beside(announcement: Announcement, error: float) -> Announcement:
    """The announcement with a network's held-out error; none is made if the network predicts clearly better."""
    found = replace(announcement, held_out_error={**announcement.held_out_error, "network": error})
    law = announcement.held_out_error["law"]
    if not announcement.announced or error >= BETTER * law:
        return found
    reason = f"the network predicts better than any law found ({error:.2g} against {law:.2g})"
    return replace(found, announced=False, reason=reason, confidence=None)


@dataclass(frozen=True)
class Measured:
    """Measured rates as a `lib.network.problem.Problem`."""

    evidence: Evidence
    fold: np.ndarray
    """[rows]"""

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Receivers [rows, features], edges [edges, features] in order of receivers, targets [rows, dim], and each row's
        first edge and number of edges, [rows]."""
        evidence, motion = self.evidence, self.evidence.motion
        edges, body = motion.edges, evidence.average.indices
        own = [_scaled(np.asarray(values, float)[:, None]) for values in motion.properties.values() if np.ptp(values) > 0]
        if evidence.order == 2:  # else the velocity is what is sought
            own = [motion.velocity / _size(motion.velocity), *own]
        both = np.concatenate([np.empty((len(motion.position), 0)), *own], axis=1)
        place = [] if motion.box is not None else [_scaled(motion.position)]
        order = np.argsort(edges.receiver, kind="stable")
        receiver, sender = edges.receiver[order], edges.sender[order]
        separation = edges.separation[order] / np.median(edges.r)
        first = np.searchsorted(receiver, body)
        return {
            "receivers": np.concatenate([*place, both], axis=1)[body].astype(np.float32),
            "edges": np.concatenate([separation, both[receiver], both[sender]], axis=1).astype(np.float32),
            "targets": (evidence.target / evidence.typical).astype(np.float32),
            "first": first,
            "count": np.searchsorted(receiver, body, side="right") - first,
        }

    def of_rows(self, rows: np.ndarray) -> Neighbourhoods:
        """The bodies of some rows with all their neighbours."""
        arrays = self.arrays
        first, count = arrays["first"][rows], arrays["count"][rows]
        edges = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        index = np.repeat(np.arange(len(rows)), count)
        parts = (arrays["receivers"][rows], arrays["edges"][edges], index, arrays["targets"][rows])
        return Neighbourhoods(*map(torch.as_tensor, parts))

    @property
    def reverse(self) -> Callable[[Tensor], Tensor]:
        """Swaps the ends of edges [edges, edge features]."""
        dim = self.evidence.motion.dim
        half = (self.arrays["edges"].shape[1] - dim) // 2

        def swapped(edges: Tensor) -> Tensor:
            separation, receiver, sender = edges.split([dim, half, half], dim=1)
            return torch.cat([-separation, sender, receiver], dim=1)

        return swapped

    def network(self, run: Run) -> NeighbourNetwork:
        """The untrained network, initialized from the run's seed."""
        torch.manual_seed(run.seed)
        features, edges = self.arrays["receivers"].shape[1], self.arrays["edges"].shape[1]
        dim = self.evidence.motion.dim
        return NeighbourNetwork(features, edges, dim, dim, get_variant(run.variant), self.reverse)

    def recipe(self, run: Run) -> Recipe:
        """Bodies seen: `EPOCHS` times those there are, `SEEN` edges' worth, or the profile's, whichever is least."""
        bodies = int((self.fold > VALIDATION).sum())
        seen = min(EPOCHS * bodies, int(SEEN / max(self.arrays["count"].mean(), 1)), get_profile(run.profile).graphs)
        entries = get_variant(run.variant).recipe
        return Recipe(graphs=seen, batch=BATCH, loss="relative", initialization="uniform", translation=0.0, **entries)

    def data(self, run: Run) -> dict[str, dict[str, Any]]:
        """A user's file has no recipe of its making."""
        return {}

    def task(self, run: Run, recipe: Recipe, model: NeighbourNetwork, device: torch.device) -> Task:
        """Rows of the folds for training, drawn at random."""
        rows = np.flatnonzero(self.fold > VALIDATION)
        chosen = np.flatnonzero(self.fold == VALIDATION)
        validation = self.of_rows(np.random.default_rng(0).permutation(chosen)[:MOST_VALIDATED]).to(device)
        content = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in (*self.arrays.values(), rows)))

        def batches(number: int, steps: int) -> Iterator[Batch]:
            rng = np.random.default_rng((run.seed, number))
            for _ in range(steps):
                batch = self.of_rows(rng.choice(rows, recipe.batch)).to(device)
                yield batch, batch.targets, None

        return Task(batches, (validation, validation.targets), [content.hexdigest(), code_of(__name__)])

    def test(self, run: Run, model: NeighbourNetwork, device: torch.device) -> dict[str, float]:
        """Nothing: `held_out_error` judges it."""
        return {}


def _size(values: np.ndarray) -> float:
    """Root mean square over all components, 1 where all are zero."""
    return float(np.sqrt((values**2).mean())) or 1.0


def _scaled(values: np.ndarray) -> np.ndarray:
    """About the mean, in units of the spread over all components."""
    centred = values - values.mean(0)
    return centred / _size(centred)
