"""What messages encode: channels, fits against the true force, and gauges.

The node network sees its receiver, so the data fix messages only up to a gauge,
m_ij = g(v_i) A f_ij + h(v_i). g = 1 is the force, g = 1/m_i the acceleration.
Every R^2 here is 1 - SSE/SST over the edges named, never over edges chosen by their residuals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.network.models import PART, GraphNetwork
from lib.physics.datasets import Trajectories
from lib.physics.forces import pair_force, pair_inputs
from lib.runs import Run

TRIM = 0.95
"""Trimmed scores leave out the edges whose true |f| is above this quantile."""

CLOSE_PAIR_QUANTILE = 0.01
"""What works without the truth leaves out the pairs whose distance is below this quantile."""
OUTLIER_QUANTILE = 0.95
"""What works without the truth leaves out the edges whose message is above this quantile: a few collisions."""


@dataclass(frozen=True)
class Edges:
    """Edges of a set of graphs with what was sent along them."""

    messages: np.ndarray
    """[edges, channels], mean messages, all channels."""
    log_variance: np.ndarray | None
    """[edges, channels] for Gaussian messages."""
    inputs: np.ndarray
    """[edges, dim+5], see `forces.input_names`."""
    force: np.ndarray
    """[edges, dim], the true force on the receiver."""
    trajectory: np.ndarray
    """[edges], the trajectory that each edge is from."""

    @property
    def acceleration(self) -> np.ndarray:
        """[edges, dim], the true force over the receiver's mass."""
        return self.force / self.inputs[:, [-4]]

    def take(self, chosen: np.ndarray) -> Edges:
        """The edges of a mask or an index."""
        log_variance = None if self.log_variance is None else self.log_variance[chosen]
        return Edges(self.messages[chosen], log_variance, self.inputs[chosen], self.force[chosen], self.trajectory[chosen])

    def trimmed(self) -> Edges:
        """The edges whose true |f| is below its 95th percentile."""
        size = np.linalg.norm(self.force, axis=1)
        return self.take(size < np.quantile(size, TRIM))

    def seen(self, combination: Combination) -> Edges:
        """The edges with a view's combinations in place of the channels."""
        return replace(self, messages=combination(self.messages.astype(float)), log_variance=None)

    def without_outliers(self) -> Edges:
        """The edges without the largest messages and the closest pairs, where messages saturate: chosen without the truth."""
        distance = self.inputs[:, -5]
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
    """Messages of the other direction, for messages [edges, channels] of all edges of whole graphs."""
    opposite = model.opposite.cpu().numpy()
    return sent.reshape(-1, len(opposite), sent.shape[-1])[:, opposite].reshape(sent.shape)


def inliers(sent: np.ndarray) -> np.ndarray:
    """Which of the messages [edges, channels] are not among the largest, [edges]; all, where all are the same."""
    size = np.linalg.norm(sent - np.median(sent, axis=0), axis=1)
    return size <= np.quantile(size, OUTLIER_QUANTILE)


def information(edges: Edges) -> np.ndarray:
    """How much each channel carries, [channels]: its KL divergence if Gaussian, else its standard deviation."""
    if edges.log_variance is None:
        return edges.messages.std(axis=0)
    mu, log_variance = edges.messages, edges.log_variance
    return 0.5 * (mu**2 + np.exp(log_variance) - log_variance - 1).mean(axis=0)


def choose_channels(edges: Edges, count: int) -> np.ndarray:
    """The `count` channels that carry most, most first."""
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
    """The `count` channels that carry most."""
    return Combination("channels", np.eye(edges.messages.shape[1])[:, choose_channels(edges, count)])


def principal_components(edges: Edges, count: int) -> Combination:
    """The `count` principal components of all channels, most varying first."""
    centred = (edges.messages - edges.messages.mean(axis=0)).astype(float)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return Combination("principal components", directions[:, ::-1][:, :count])


def sparsity(messages: np.ndarray, channels: np.ndarray) -> float:
    """Share of the total standard deviation that lies in the chosen channels."""
    spread = messages.std(axis=0)
    return float(spread[channels].sum() / spread.sum())


FAINT = 1e-12
"""Share of its mean square below which a column's variance is rounding."""


def _explained(residual: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    # 1 - SSE/SST, or 0 where the SST is faint beside the sum of squares
    varies = total > FAINT * squares
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


def bootstrap(x: np.ndarray, y: np.ndarray, trajectory: np.ndarray, repeats: int = 200, seed: int = 0) -> float:
    """Standard error of a linear fit's mean R^2, by drawing whole trajectories with replacement and fitting anew.

    x [edges, dim], y [edges, channels], trajectory [edges]. Edges of a trajectory are alike, so that
    they are drawn together. Fits need sums of products alone, which add up over trajectories.
    """
    z = np.concatenate([np.ones((len(x), 1)), x - x.mean(axis=0), y - y.mean(axis=0)], axis=1).astype(float)
    _, group = np.unique(trajectory, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(group.max() + 1))
    products = np.stack([part.T @ part for part in np.split(z[order], starts[1:])])
    drawn = np.random.default_rng(seed).multinomial(len(products), np.full(len(products), 1 / len(products)), repeats)
    known = 1 + x.shape[1]
    found = []
    for total in np.einsum("rt,tij->rij", drawn, products):
        given, cross, own = total[:known, :known], total[:known, known:], np.diag(total[known:, known:])
        residual = own - (cross * np.linalg.lstsq(given, cross, rcond=None)[0]).sum(axis=0)
        spread = own - total[0, known:] ** 2 / total[0, 0]
        found.append(_explained(residual, spread, (y**2).sum(axis=0)).mean())
    return float(np.std(found))
