"""Gauges: what the receiver's own factor on its messages is, fitted against the truth or found without it.

    m_ij = g(v_i) A f_ij + h(v_i)

g = 1 is the force, g = 1/m_i the acceleration; the data fix no other g, since the node network sees v_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from lib.messages.extraction import Edges, bootstrap, linear_fit, r_squared, sparsity

Basis = SplineTransformer | FunctionTransformer
"""Smooth functions of the logarithm of a receiver's mass."""


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

    basis: Basis
    g: np.ndarray
    """[basis], coefficients of g."""
    a: np.ndarray
    """[components, channels]."""
    h: np.ndarray
    """[basis, channels], coefficients of h."""

    def features(self, inputs: np.ndarray) -> np.ndarray:
        """Basis functions of the receiver, [edges, basis]."""
        return _receiver_features(self.basis, inputs[:, -4], inputs[:, -2])

    def gauge(self, inputs: np.ndarray) -> np.ndarray:
        """g(v_i), [edges], of the receivers of edges with inputs [edges, dim+5]."""
        return self.features(inputs) @ self.g

    def __call__(self, inputs: np.ndarray, force: np.ndarray) -> np.ndarray:
        return self.gauge(inputs)[:, None] * (force @ self.a) + self.features(inputs) @ self.h


def mass_exponent(inputs: np.ndarray, gauge: np.ndarray) -> float:
    """The k of g ~ m_i^-k that fits a gauge [edges] best, over the middle four fifths of the masses; not a number where
    masses do not vary."""
    mass = inputs[:, -4]
    if np.ptp(mass) == 0:
        return float("nan")
    low, high = np.quantile(mass, [0.1, 0.9])
    usual = (mass > low) & (mass < high) & (gauge != 0)
    return float(-np.polyfit(np.log(mass[usual]), np.log(np.abs(gauge[usual])), 1)[0])


def _mass_basis(mass: np.ndarray) -> Basis:
    logarithm = np.log(mass[:, None])
    if np.ptp(logarithm) == 0:  # a gauge cannot depend on what does not vary
        return FunctionTransformer(np.ones_like).fit(logarithm)
    return SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="constant").fit(logarithm)


def _receiver_features(basis: Basis, mass: np.ndarray, charge: np.ndarray) -> np.ndarray:
    splines = basis.transform(np.log(mass[:, None]))
    return np.concatenate([splines, splines * charge[:, None]], axis=1)


def gauge_fit(mass: np.ndarray, charge: np.ndarray, force: np.ndarray, y: np.ndarray, sweeps: int = 20) -> GaugeFit:
    """Least squares of y [edges, channels] over g, A and h, by alternating between g and (A, h).

    Mass and charge [edges] are the receiver's, force [edges, components] what y is a linear image of, up to a gauge.
    """
    y, force = y.astype(float), force.astype(float)
    basis = _mass_basis(mass)
    phi = _receiver_features(basis, mass, charge)
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


FOLDS = 5
"""Parts of the trajectories, each scored by a gauge that was fitted on the others."""


def general_fit(edges: Edges, channels: np.ndarray, most: int = 20_000, seed: int = 0) -> GaugeFit:
    """The general gauge of the chosen channels, fitted on at most so many edges, drawn at random."""
    rows = np.random.default_rng(seed).permutation(len(edges.force))[:most]
    inputs = edges.inputs[rows]
    return gauge_fit(inputs[:, -4], inputs[:, -2], edges.force[rows], edges.messages[rows][:, channels])


def gauge_score(edges: Edges, channels: np.ndarray) -> float:
    """R^2 (mean over channels) against the best general gauge, over all edges, none of which was fitted.

    Each fifth of the trajectories is predicted by the gauge fitted on the others. The score is no lower than those, got
    in the same way, of the force and the acceleration, which the general gauge contains: where a few collisions hold
    all variance, a flexible fit may fare worse than they.
    """
    sent = edges.messages[:, channels].astype(float)
    guesses = np.empty((3, *sent.shape))
    fold = np.unique(edges.trajectory, return_inverse=True)[1] % FOLDS
    for part in range(FOLDS):
        held = fold == part
        fitted, left = edges.take(~held), edges.take(held)
        guesses[0, held] = general_fit(fitted, channels)(left.inputs, left.force)
        guesses[1, held] = linear_fit(fitted.force, sent[~held])(left.force)
        guesses[2, held] = linear_fit(fitted.acceleration, sent[~held])(left.acceleration)
    return max(float(r_squared(sent, guess).mean()) for guess in guesses)


def fits(edges: Edges, channels: np.ndarray, suffix: str = "") -> dict[str, float]:
    """R^2 of the chosen channels in each gauge, over all the edges given, with the errors of the linear fits."""
    sent, found = edges.messages[:, channels], {}
    for gauge, true in (("force", edges.force), ("acceleration", edges.acceleration)):
        found[f"r2_{gauge}{suffix}"] = float(linear_fit(true, sent).r2.mean())
        found[f"r2_{gauge}{suffix}_error"] = bootstrap(true, sent, edges.trajectory)
    return found | {f"r2_gauge{suffix}": gauge_score(edges, channels)}


def scores(edges: Edges, channels: np.ndarray) -> dict[str, Any]:
    """Every score of the chosen channels: each R^2 over all edges and trimmed by the truth, and sparsity."""
    told = {"sparsity": sparsity(edges.messages, channels), "channels": channels.tolist()}
    return fits(edges, channels) | fits(edges.trimmed(), channels, "_trimmed") | told


@dataclass(frozen=True)
class ReactionGauge:
    """A gauge found from action and reaction alone: u(v_i) m_ij - k(v_i) = -(u(v_j) m_ji - k(v_j)), u = 1/g."""

    basis: Basis
    u: np.ndarray
    """[basis], coefficients of u."""
    k: np.ndarray
    """[basis, channels], coefficients of k."""

    def inverse(self, inputs: np.ndarray) -> np.ndarray:
        """1/g(v_i), [edges], of the receivers of edges with inputs [edges, dim+5], of mean size 1."""
        return self._features(inputs) @ self.u

    def _features(self, inputs: np.ndarray) -> np.ndarray:
        return _receiver_features(self.basis, inputs[:, -4], inputs[:, -2])

    def exponent(self, inputs: np.ndarray) -> float:
        """The k of g ~ m_i^-k, over the receivers of edges with inputs [edges, dim+5]."""
        return mass_exponent(inputs, 1 / self.inverse(inputs))

    def undo(self, inputs: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Messages [edges, channels] with the gauge and the offset taken off: the force, up to A."""
        return self.inverse(inputs)[:, None] * sent - self._features(inputs) @ self.k

    def undo_sums(self, bodies: np.ndarray, sums: np.ndarray, senders: np.ndarray) -> np.ndarray:
        """The same of sums [graphs, n, channels] of messages from so many senders [n] to bodies [graphs, n, 2*dim+2]."""
        receivers = bodies.reshape(-1, bodies.shape[-1]).astype(float)
        features = _receiver_features(self.basis, receivers[:, -1], receivers[:, -2]).reshape(*sums.shape[:2], -1)
        return (features @ self.u)[..., None] * sums - senders[:, None] * (features @ self.k)


def reverse(inputs: np.ndarray) -> np.ndarray:
    """Inputs [edges, dim+5] of the same pairs the other way round."""
    dim = inputs.shape[1] - 5
    turned = inputs[:, [*range(dim + 1), dim + 2, dim + 1, dim + 4, dim + 3]]
    return np.hstack([-turned[:, :dim], turned[:, dim:]])


def reaction_gauge(inputs: np.ndarray, sent: np.ndarray, returned: np.ndarray) -> ReactionGauge:
    """The gauge that makes messages [edges, channels] most nearly opposite to those of the other direction.

    Least violation for its size: the smallest generalised eigenvalue of (u m_ij - k_i) + (u m_ji - k_j)
    against the difference of the two, so that u = 0 is no answer. The true force is not used.
    """
    # in units of their spread, so that the ridge below means the same for messages of any size
    unit = sent.astype(float).std() or 1.0
    sent, returned = sent.astype(float) / unit, returned.astype(float) / unit
    basis = _mass_basis(inputs[:, -4])
    here, there = (_receiver_features(basis, way[:, -4], way[:, -2]) for way in (inputs, reverse(inputs)))
    size, channels = here.shape[1], sent.shape[1]
    even, odd = np.zeros((2, (1 + channels) * size, (1 + channels) * size))
    for c in range(channels):
        # the columns of u, and of this channel's k
        own = np.r_[0:size, (1 + c) * size : (2 + c) * size]
        one = np.hstack([here * sent[:, [c]], -here])
        two = np.hstack([there * returned[:, [c]], -there])
        even[np.ix_(own, own)] += (one + two).T @ (one + two)
        odd[np.ix_(own, own)] += (one - two).T @ (one - two)
    ridge = 1e-9 * np.trace(odd) / len(odd) * np.eye(len(odd))
    _, vectors = eigh(even + ridge, odd + ridge)
    found = vectors[:, 0]
    u = here @ found[:size]
    # the sign is free: positive on the whole or, of a gauge that changes sign with the charge, for positive charges
    charge = inputs[:, -2]
    sign = max(u.mean(), (u * charge).mean() / (np.sqrt((charge**2).mean()) or 1.0), key=abs)
    found = found / (np.copysign(np.abs(u).mean(), sign) or 1.0)
    return ReactionGauge(basis, found[:size], unit * found[size:].reshape(channels, size).T)
