"""Gauges: the factor g and the offset h of the receiver on its messages, fitted to the true force or found without it.

    m_ij = g(v_i) A f_ij + h(v_i)

g = 1 is the force, g = 1/m_i the acceleration. The data do not fix g and h, since the node network sees v_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from lib.messages.extraction import Edges, bootstrap, cross_validated, folds, linear_fit, r_squared, sparsity
from lib.physics.bodies import Bodies
from lib.physics.forces import Pairs

Basis = SplineTransformer | FunctionTransformer
"""Smooth functions of the logarithm of a receiver's mass."""


def gauge_exponent(edges: Edges, channels: np.ndarray) -> tuple[float, float]:
    """The k of the best gauge g = m_i^-k, and its R^2 (mean over channels): 0 is the force, 1 the acceleration."""
    sent, mass = edges.messages[:, channels], edges.pairs.m1[:, None]
    exponents = np.linspace(-0.5, 1.5, 41)
    scores = [float(linear_fit(edges.force / mass**k, sent).r2.mean()) for k in exponents]
    best = int(np.argmax(scores))
    return float(exponents[best]), scores[best]


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
        return _receiver_features(self.basis, Pairs(inputs).m1, Pairs(inputs).q1)

    def gauge(self, inputs: np.ndarray) -> np.ndarray:
        """g(v_i), [edges], of the receivers of edges with inputs [edges, dim+5]."""
        return self.features(inputs) @ self.g

    def __call__(self, inputs: np.ndarray, force: np.ndarray) -> np.ndarray:
        """y [edges, channels] of edges with inputs [edges, dim+5] and force [edges, components]."""
        return self.gauge(inputs)[:, None] * (force @ self.a) + self.features(inputs) @ self.h


def mass_exponent(inputs: np.ndarray, gauge: np.ndarray) -> float:
    """The k of g ~ m_i^-k that fits a gauge [edges] best, over the masses between the 10th and the 90th percentile.

    It is NaN where masses do not vary.
    """
    mass = Pairs(inputs).m1
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


def sign(gauge: np.ndarray, charge: np.ndarray) -> float:
    """A number of the sign of a gauge [edges]: its mean's or, where it changes sign with the receiver's charge [edges], the
    sign that it has for positive charges. A gauge's sign is free, since it goes with that of A."""
    return max(gauge.mean(), (gauge * charge).mean() / (np.sqrt((charge**2).mean()) or 1.0), key=abs)


def gauge_fit(mass: np.ndarray, charge: np.ndarray, force: np.ndarray, y: np.ndarray, sweeps: int = 20) -> GaugeFit:
    """Least squares of y = g(m, q) f A + h(m, q) over g, A and h, by alternating between g and (A, h).

    Mass and charge [edges] are the receiver's; force f is [edges, components], y [edges, channels]. g has mean size 1.
    """
    y, force = y.astype(float), force.astype(float)
    basis = _mass_basis(mass)
    phi = _receiver_features(basis, mass, charge)
    size, channels = phi.shape[1], y.shape[1]
    # initial g: of the fit with one matrix A for each basis function, the best approximation of rank one
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


def general_fit(edges: Edges, channels: np.ndarray, most: int = 20_000, seed: int = 0) -> GaugeFit:
    """The general gauge of the chosen channels, fitted to at most so many edges, drawn at random."""
    drawn = edges.take(np.random.default_rng(seed).permutation(len(edges.force))[:most])
    return gauge_fit(drawn.pairs.m1, drawn.pairs.q1, drawn.force, drawn.messages[:, channels])


def predictions(edges: Edges, channels: np.ndarray) -> dict[str, np.ndarray]:
    """The chosen channels [edges, channels] as force, acceleration and general gauge predict them.

    All three alike: each fold of the trajectories is predicted by the fit to the others.
    """
    sent = edges.messages[:, channels].astype(float)
    general = np.empty_like(sent)
    for left_out in folds(edges.trajectory):
        predicted = edges.take(left_out)
        general[left_out] = general_fit(edges.take(~left_out), channels)(predicted.inputs, predicted.force)
    linear = {"force": edges.force, "acceleration": edges.acceleration}
    return {name: cross_validated(true, sent, edges.trajectory) for name, true in linear.items()} | {"gauge": general}


def fits(edges: Edges, channels: np.ndarray, suffix: str = "") -> dict[str, float]:
    """R^2 of the chosen channels in each gauge, over all the edges given, none of which the fit that predicts it has seen.

    Those of force and acceleration come with their standard errors. The general gauge contains both; where few
    collisions hold most of the variance, its flexible fit may predict worse than theirs, and the best of the three counts.
    """
    sent, found, scores = edges.messages[:, channels].astype(float), {}, []
    for gauge, predicted in predictions(edges, channels).items():
        scores.append(float(r_squared(sent, predicted).mean()))
        if gauge == "gauge":
            found[f"r2_gauge{suffix}"] = max(scores)
        else:
            found[f"r2_{gauge}{suffix}"] = scores[-1]
            found[f"r2_{gauge}{suffix}_error"] = bootstrap(sent, predicted, edges.trajectory)
    return found


def scores(edges: Edges, channels: np.ndarray) -> dict[str, Any]:
    """Every score of the chosen channels: each R^2 over all edges and over those trimmed by the truth, and sparsity."""
    about = {"sparsity": sparsity(edges.messages, channels), "channels": channels.tolist()}
    return fits(edges, channels) | fits(edges.trimmed(), channels, "_trimmed") | about


@dataclass(frozen=True)
class ReactionGauge:
    """A gauge found from action and reaction alone: u(v_i) m_ij - k(v_i) = -(u(v_j) m_ji - k(v_j)), u = 1/g."""

    basis: Basis
    u: np.ndarray
    """[basis], coefficients of u."""
    k: np.ndarray
    """[basis, channels], coefficients of k."""

    def inverse(self, inputs: np.ndarray) -> np.ndarray:
        """1/g(v_i), [edges], of the receivers of edges with inputs [edges, dim+5]; where it was fitted its mean size is 1."""
        return self._features(inputs) @ self.u

    def _features(self, inputs: np.ndarray) -> np.ndarray:
        return _receiver_features(self.basis, Pairs(inputs).m1, Pairs(inputs).q1)

    def exponent(self, inputs: np.ndarray) -> float:
        """The k of g ~ m_i^-k, over the receivers of edges with inputs [edges, dim+5]."""
        return mass_exponent(inputs, 1 / self.inverse(inputs))

    def correct(self, inputs: np.ndarray, sent: np.ndarray) -> np.ndarray:
        """Gauge-corrected messages [edges, channels], u m - k: the force, up to A."""
        return self.inverse(inputs)[:, None] * sent - self._features(inputs) @ self.k

    def correct_sums(self, bodies: np.ndarray, sums: np.ndarray, senders: np.ndarray) -> np.ndarray:
        """The same of sums [graphs, n, channels] of messages from so many senders [n] to bodies [graphs, n, 2*dim+2]."""
        receivers = Bodies(bodies.reshape(-1, bodies.shape[-1]).astype(float))
        features = _receiver_features(self.basis, receivers.mass, receivers.charge).reshape(*sums.shape[:2], -1)
        return (features @ self.u)[..., None] * sums - senders[:, None] * (features @ self.k)


def reaction_gauge(inputs: np.ndarray, sent: np.ndarray, returned: np.ndarray) -> ReactionGauge:
    """The gauge that makes messages [edges, channels] most nearly opposite to those of the other direction.

    With p_ij = u(v_i) m_ij - k(v_i), the least sum of |p_ij + p_ji|^2 against that of |p_ij - p_ji|^2, which excludes
    u = 0: the eigenvector of the smallest generalized eigenvalue. The true force is not used.
    """
    # in units of their spread, so that the ridge below means the same for messages of any size
    unit = sent.astype(float).std() or 1.0
    sent, returned = sent.astype(float) / unit, returned.astype(float) / unit
    pairs = Pairs(inputs)
    basis = _mass_basis(pairs.m1)
    here, there = _receiver_features(basis, pairs.m1, pairs.q1), _receiver_features(basis, pairs.m2, pairs.q2)
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
    found = found / (np.copysign(np.abs(u).mean(), sign(u, pairs.q1)) or 1.0)
    return ReactionGauge(basis, found[:size], unit * found[size:].reshape(channels, size).T)
