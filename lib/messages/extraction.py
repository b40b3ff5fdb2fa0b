"""Messages of a model on edges: which channels carry them, and linear fits against what is true.

Every R^2 here is 1 - SSE/SST over the edges named, never over edges chosen by their residuals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.network.models import PART, GraphNetwork
from lib.physics.datasets import Trajectories
from lib.physics.forces import Pairs, pair_force, pair_inputs
from lib.runs import Run

TRIM = 0.95
"""Trimmed scores leave out the edges whose true |f| is above this quantile."""

CLOSE_PAIR_QUANTILE = 0.01
"""Methods that do not use the truth leave out the pairs whose distance is below this quantile."""
OUTLIER_QUANTILE = 0.95
"""Methods that do not use the truth leave out the edges whose message is larger than this quantile: a few collisions."""


@dataclass(frozen=True)
class Edges:
    """Edges of a set of graphs, their messages, and the true force along them."""

    messages: np.ndarray
    """[edges, channels]; the means of Gaussian messages."""
    log_variance: np.ndarray | None
    """[edges, channels] of Gaussian messages, None of others."""
    inputs: np.ndarray
    """[edges, dim+5], the columns that `forces.Pairs` names."""
    force: np.ndarray
    """[edges, dim], the true force on the receiver."""
    trajectory: np.ndarray
    """[edges], the number of the trajectory that each edge is from."""

    @property
    def pairs(self) -> Pairs:
        """The inputs by name."""
        return Pairs(self.inputs)

    @property
    def acceleration(self) -> np.ndarray:
        """[edges, dim], the true force over the receiver's mass."""
        return self.force / self.pairs.m1[:, None]

    def take(self, chosen: np.ndarray) -> Edges:
        """The edges of a mask or an index."""
        log_variance = None if self.log_variance is None else self.log_variance[chosen]
        return Edges(self.messages[chosen], log_variance, self.inputs[chosen], self.force[chosen], self.trajectory[chosen])

    def trimmed(self) -> Edges:
        """The edges whose true |f| is below its 95th percentile."""
        size = np.linalg.norm(self.force, axis=1)
        return self.take(size < np.quantile(size, TRIM))

    def combined(self, combination: Combination) -> Edges:
        """The edges with linear combinations in place of the channels."""
        return replace(self, messages=combination(self.messages.astype(float)), log_variance=None)

    def without_outliers(self) -> Edges:
        """The edges without the largest messages and the closest pairs, where messages saturate; the truth is not used."""
        distance = self.pairs.r
        return self.take(inliers(self.messages) & (distance > np.quantile(distance, CLOSE_PAIR_QUANTILE)))


@torch.no_grad()
def extract(model: GraphNetwork, run: Run, trajectories: Trajectories) -> Edges:
    """Edges of all snapshots, with the model's messages, in the order of `forces.pair_inputs`."""
    bodies, _ = trajectories.graphs()
    parts = [model.messages(part.to(model.edges.device)) for part in torch.as_tensor(bodies).split(PART)]
    means = torch.cat([mean for mean, _ in parts]).flatten(0, 1).cpu().numpy()
    gaussian = parts[0][1] is not None
    log_variance = torch.cat([v for _, v in parts]).flatten(0, 1).cpu().numpy() if gaussian else None
    inputs = pair_inputs(run.system, bodies)
    edges, columns = inputs.shape[1:]
    inputs = inputs.reshape(-1, columns)
    count, times = trajectories.features.shape[:2]
    trajectory = np.repeat(np.arange(count), times * edges)
    return Edges(means, log_variance, inputs, pair_force(run.system.law, inputs), trajectory)


def returned(model: GraphNetwork, sent: np.ndarray) -> np.ndarray:
    """For each edge the message of the opposite direction; messages [edges, channels] of all edges of complete graphs."""
    opposite = model.opposite.cpu().numpy()
    return sent.reshape(-1, len(opposite), sent.shape[-1])[:, opposite].reshape(sent.shape)


def inliers(sent: np.ndarray) -> np.ndarray:
    """Mask [edges] of the messages [edges, channels] that are not among the largest; all, where all are the same."""
    size = np.linalg.norm(sent - np.median(sent, axis=0), axis=1)
    return size <= np.quantile(size, OUTLIER_QUANTILE)


def information(edges: Edges) -> np.ndarray:
    """Of each channel, [channels], the KL divergence from N(0, 1) if messages are Gaussian, else the standard deviation."""
    if edges.log_variance is None:
        return edges.messages.std(axis=0)
    mu, log_variance = edges.messages, edges.log_variance
    return 0.5 * (mu**2 + np.exp(log_variance) - log_variance - 1).mean(axis=0)


def choose_channels(edges: Edges, count: int) -> np.ndarray:
    """The `count` channels of most `information`, in descending order."""
    return np.argsort(-information(edges), kind="stable")[:count]


@dataclass(frozen=True)
class Combination:
    """Linear combinations of message channels, as many as the force has components."""

    name: str
    matrix: np.ndarray
    """[channels, dim]"""

    def __call__(self, sent: np.ndarray) -> np.ndarray:
        """Combinations [..., dim] of messages, or of sums of messages, [..., channels]."""
        return sent @ self.matrix


def channel_combination(edges: Edges, count: int) -> Combination:
    """The `count` channels of most `information`."""
    return Combination("channels", np.eye(edges.messages.shape[1])[:, choose_channels(edges, count)])


def principal_components(edges: Edges, count: int) -> Combination:
    """The first `count` principal components of all channels."""
    centred = (edges.messages - edges.messages.mean(axis=0)).astype(float)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return Combination("principal components", directions[:, ::-1][:, :count])


def sparsity(messages: np.ndarray, channels: np.ndarray) -> float:
    """Fraction of the sum of all channels' standard deviations that the chosen channels hold."""
    spread = messages.std(axis=0)
    return float(spread[channels].sum() / spread.sum())


ROUNDING = 1e-12
"""Fraction of a column's mean square below which its variance is taken for rounding."""


def _explained(residual: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    # 1 - SSE/SST, or 0 where the SST is rounding
    varies = total > ROUNDING * squares
    return np.where(varies, 1 - residual / np.where(varies, total, 1), 0.0)


def r_squared(true: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """1 - SSE/SST of each column of [edges, columns]; 0 for a column that does not vary."""
    residual = ((true - fitted) ** 2).sum(axis=0)
    total = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    return _explained(residual, total, (true**2).sum(axis=0))


@dataclass(frozen=True)
class LinearFit:
    """y = x @ slope + offset by least squares over all edges."""

    slope: np.ndarray
    offset: np.ndarray
    r2: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.slope + self.offset


def linear_fit(x: np.ndarray, y: np.ndarray) -> LinearFit:
    """Least squares of y [edges, channels] on x [edges, dim] with an intercept, and the R^2 of each channel."""
    x, y = x.astype(float), y.astype(float)
    centre, middle = x.mean(axis=0), y.mean(axis=0)
    slope = np.linalg.lstsq(x - centre, y - middle, rcond=None)[0]
    offset = middle - centre @ slope
    return LinearFit(slope, offset, r_squared(y, x @ slope + offset))


FOLDS = 5
"""Parts of the trajectories, each predicted by a fit to the others."""


def folds(trajectory: np.ndarray) -> Iterator[np.ndarray]:
    """Masks [edges] of the edges that are predicted in turn, by a fit to all others; trajectory [edges] numbers them."""
    fold = np.unique(trajectory, return_inverse=True)[1] % FOLDS
    return (fold == part for part in range(fold.max() + 1))


def cross_validated(x: np.ndarray, y: np.ndarray, trajectory: np.ndarray) -> np.ndarray:
    """Predictions of y [edges, channels], each by the linear fit on x [edges, dim] to the other folds of trajectories."""
    predicted = np.empty(y.shape)
    for left_out in folds(trajectory):
        predicted[left_out] = linear_fit(x[~left_out], y[~left_out])(x[left_out])
    return predicted


def bootstrap(true: np.ndarray, predicted: np.ndarray, trajectory: np.ndarray, repeats: int = 200, seed: int = 0) -> float:
    """Standard error of the mean R^2 of predictions, by drawing whole trajectories with replacement.

    True and predicted are [edges, channels], trajectory [edges]. Edges of a trajectory are alike, so that they are
    drawn together. R^2 needs sums of squares alone, which add up over trajectories.
    """
    centred = true - true.mean(axis=0)
    columns = np.stack([np.ones_like(centred), centred, centred**2, (true - predicted) ** 2])
    order = np.argsort(trajectory, kind="stable")
    starts = np.unique(trajectory[order], return_index=True)[1]
    sums = np.add.reduceat(columns[:, order], starts, axis=1)
    drawn = np.random.default_rng(seed).multinomial(len(starts), np.full(len(starts), 1 / len(starts)), repeats)
    count, first, second, residual = np.einsum("rt,ktc->krc", drawn, sums)
    scores = _explained(residual, second - first**2 / count, (true**2).sum(axis=0))
    return float(np.std(scores.mean(axis=1)))
