"""What messages encode: channels, fits against the true force, and gauges.

The node network sees its receiver, so the data fix messages only up to a gauge,
m_ij = g(v_i) A f_ij + h(v_i). g = 1 is the force, g = 1/m_i the acceleration.
Every R^2 here is 1 - SSE/SST over the edges named, never over edges chosen by their residuals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import SplineTransformer

from lib.datasets import Trajectories
from lib.forces import edge_inputs, pair_force
from lib.models import GraphNetwork
from lib.runs import Run

TRIM = 0.95
"""Trimmed scores leave out the edges whose true |f| is above this quantile."""


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


@torch.no_grad()
def extract(model: GraphNetwork, run: Run, trajectories: Trajectories) -> Edges:
    """Edges of all snapshots, with the model's messages."""
    bodies, _ = trajectories.graphs()
    sender, receiver = model.edges.cpu().numpy()
    parts = [model.messages(part.to(model.edges.device)) for part in torch.as_tensor(bodies).split(4_000)]
    means = torch.cat([mean for mean, _ in parts]).flatten(0, 1).cpu().numpy()
    gaussian = parts[0][1] is not None
    log_variance = torch.cat([v for _, v in parts]).flatten(0, 1).cpu().numpy() if gaussian else None
    inputs = edge_inputs(bodies[:, receiver], bodies[:, sender])
    inputs = inputs.reshape(-1, inputs.shape[-1])
    count, times = trajectories.features.shape[:2]
    trajectory = np.repeat(np.arange(count), times * len(sender))
    return Edges(means, log_variance, inputs, pair_force(run.system.law, inputs), trajectory)


def information(edges: Edges) -> np.ndarray:
    """How much each channel carries, [channels]: its KL divergence if Gaussian, else its standard deviation."""
    if edges.log_variance is None:
        return edges.messages.std(axis=0)
    mu, log_variance = edges.messages, edges.log_variance
    return 0.5 * (mu**2 + np.exp(log_variance) - log_variance - 1).mean(axis=0)


def choose_channels(edges: Edges, count: int) -> np.ndarray:
    """The `count` channels that carry most, most first."""
    return np.argsort(-information(edges), kind="stable")[:count]


def sparsity(messages: np.ndarray, channels: np.ndarray) -> float:
    """Share of the total standard deviation that lies in the chosen channels."""
    spread = messages.std(axis=0)
    return float(spread[channels].sum() / spread.sum())


def r_squared(true: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """1 - SSE/SST of each column of [edges, columns]; 0 for a column that does not vary."""
    residual = ((true - fitted) ** 2).sum(axis=0)
    total = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0)


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


def gauge_exponent(edges: Edges, channels: np.ndarray) -> tuple[float, float]:
    """The k of the best gauge g = m_i^-k, and its R^2 (mean over channels): 0 is the force, 1 the acceleration."""
    sent, mass = edges.messages[:, channels], edges.inputs[:, [-4]]
    exponents = np.linspace(-0.5, 1.5, 41)
    found = [float(linear_fit(edges.force / mass**k, sent).r2.mean()) for k in exponents]
    best = int(np.argmax(found))
    return float(exponents[best]), found[best]


@dataclass(frozen=True)
class GaugeFit:
    """y = g(m, q) f A + h(m, q), with g and h flexible functions of the receiver."""

    basis: SplineTransformer
    g: np.ndarray
    """[basis], coefficients of g."""
    a: np.ndarray
    """[dim, channels]."""
    h: np.ndarray
    """[basis, channels], coefficients of h."""

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Basis functions of the receiver, [edges, basis]."""
        return _receiver_features(self.basis, inputs)

    def gauge(self, inputs: np.ndarray) -> np.ndarray:
        """g(v_i), [edges], of the receivers of edges with inputs [edges, dim+5]."""
        return self.features(inputs) @ self.g

    def __call__(self, inputs: np.ndarray, force: np.ndarray) -> np.ndarray:
        return self.gauge(inputs)[:, None] * (force @ self.a) + self.features(inputs) @ self.h


def _receiver_features(basis: SplineTransformer, inputs: np.ndarray) -> np.ndarray:
    mass, charge = inputs[:, [-4]], inputs[:, [-2]]
    splines = basis.transform(np.log(mass))
    return np.concatenate([splines, splines * charge], axis=1)


def gauge_fit(inputs: np.ndarray, force: np.ndarray, y: np.ndarray, sweeps: int = 20) -> GaugeFit:
    """Least squares of y [edges, channels] over g, A and h, by alternating between g and (A, h)."""
    y = y.astype(float)
    basis = SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="constant").fit(np.log(inputs[:, [-4]]))
    phi = _receiver_features(basis, inputs)
    size, channels = phi.shape[1], y.shape[1]
    # start from the unconstrained fit, one matrix A for each basis function, and its best rank-one part
    free = (phi[:, :, None] * force[:, None, :]).reshape(len(phi), -1)
    start = np.linalg.lstsq(np.hstack([free, phi]), y, rcond=None)[0][: size * force.shape[1]]
    left, _, _ = np.linalg.svd(start.reshape(size, -1), full_matrices=False)
    g = left[:, 0]
    for _ in range(sweeps):
        design = np.hstack([(phi @ g)[:, None] * force, phi])
        solved = np.linalg.lstsq(design, y, rcond=None)[0]
        a, h = solved[: force.shape[1]], solved[force.shape[1] :]
        rest = (y - phi @ h).T.reshape(-1)
        design = np.vstack([phi * column[:, None] for column in (force @ a).T])
        g = np.linalg.lstsq(design, rest, rcond=None)[0]
    scale = np.abs(phi @ g).mean() or 1.0
    g, a = g / scale, a * scale
    design = np.hstack([(phi @ g)[:, None] * force, phi])
    solved = np.linalg.lstsq(design, y, rcond=None)[0]
    return GaugeFit(basis, g, solved[: force.shape[1]].reshape(-1, channels), solved[force.shape[1] :])


def gauge_score(edges: Edges, channels: np.ndarray, most: int = 60_000) -> tuple[GaugeFit, float]:
    """Best general gauge: fitted on one half of the trajectories, R^2 (mean over channels) on the other."""
    half = np.unique(edges.trajectory)[::2]
    fitting = np.isin(edges.trajectory, half)
    rows = np.flatnonzero(fitting)
    rows = rows[:: max(1, len(rows) // most)]
    fit = gauge_fit(edges.inputs[rows], edges.force[rows], edges.messages[rows][:, channels])
    held = edges.take(~fitting)
    score = r_squared(held.messages[:, channels].astype(float), fit(held.inputs, held.force))
    return fit, float(score.mean())


def scores(edges: Edges, channels: np.ndarray) -> dict[str, Any]:
    """Every score of the chosen channels: each R^2 over all edges and trimmed by the truth, and sparsity."""
    table: dict[str, Any] = {}
    for suffix, kept in (("", edges), ("_trimmed", edges.trimmed())):
        y = kept.messages[:, channels]
        table[f"r2_force{suffix}"] = float(linear_fit(kept.force, y).r2.mean())
        table[f"r2_acceleration{suffix}"] = float(linear_fit(kept.acceleration, y).r2.mean())
        table[f"r2_gauge{suffix}"] = gauge_score(kept, channels)[1]
    return table | {"sparsity": sparsity(edges.messages, channels), "channels": channels.tolist()}
