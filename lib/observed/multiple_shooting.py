"""Multiple shooting: constants, and a state for each segment, by the least squares of what is measured less followed.

With r_s(c, y_s) the residuals of segment s for constants c and initial state y_s, Gauss and Newton's step has the shape of an
arrow: the y_s are eliminated one by one, and what is left is a system in c alone (Bock, Modelling of Chemical Reaction Systems,
1981, p. 102). Nothing is smoothed away: noise is where it arose, in the positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib.observed.integrator import Model, residuals_of, slopes_of
from lib.observed.segments import Segments

OUTLIER = 4.0
"""Residuals of so many standard deviations count half (Cauchy's loss)."""
FAR = 10.0
"""Times the median loss of segments, beyond which a segment's loss counts by its logarithm."""
LOOSE = 100.0
"""Times `OUTLIER` in the first iteration, a quarter of it in each further one."""
ITERATIONS = 40
DAMPING = 1e-9, 1e8
"""Least and largest of a segment's states, in parts of their information."""
CONVERGED = 0.02
"""Standard errors by which an iteration moves the constants at last."""
FEW = 20
"""With fewer trajectories the sandwich estimate takes segments for independent instead."""
UNDETERMINED = 1e-9
"""Relative size of an eigenvalue of the information that the data do not determine."""


@dataclass(frozen=True)
class Minimum:
    parameters: np.ndarray
    starts: np.ndarray
    covariance: np.ndarray
    determined: np.ndarray
    scale: float
    converged: bool


def minimum(
    model: Model,
    parameters: np.ndarray,
    free: np.ndarray,
    segments: Segments,
    worst: float = np.inf,
    slow: float = 0.0,
    iterations: int = ITERATIONS,
    loose: float = LOOSE,
) -> Minimum:
    """Gauss, Newton, Levenberg and Marquardt's method, each segment with a damping of its own.

    Ended where the residuals' scale stays above `worst`, or where an iteration lowers the loss by less than the part `slow` of
    it. `loose`: as many times `OUTLIER` in the first iteration.
    """
    starts, count, data = segments.start, len(parameters), _Numbers.of(segments, int(free.sum()))
    now = residuals_of(model, parameters, starts, segments)
    damping, own, converged = 1e-3, np.full(len(starts), 1e-3), False
    for iteration in range(iterations):
        # outliers count in full at first: a state guessed from one would else be held for right, and the rest for outliers
        looser = max(loose / 4**iteration, 1.0)
        if looser == 1 and data.scale(now) > worst:
            break
        scale = looser * data.scale(now)
        losses = losses_of(now, scale)
        most = data.most(losses)
        cost = _total(losses, most)
        equations = _equations(model, parameters, starts, segments, scale)
        if not are_finite(equations):
            break
        moved = False
        while not moved and damping < 1e8:
            information, slope, solved = eliminated = eliminated_states(*equations, count, own)
            if not are_finite(eliminated):
                damping, own = damping * 10, own * 10
                continue
            information, slope = (np.tensordot(1 / (1 + losses / most), one, 1) for one in (information, slope))
            damped = information + damping * np.diag(np.diag(information))
            change = np.zeros(count)
            if free.any():
                change[free] = -_solve(damped[np.ix_(free, free)], slope[free])[0]
            states = starts - (solved[..., -1] + solved[..., :-1] @ change).reshape(starts.shape)
            then = residuals_of(model, parameters + change, states, segments)
            worse = ~(losses_of(then, scale) <= losses)
            if worse.any():
                # a step that is too long for one segment does not hold up the others
                states[worse] = starts[worse]
                then[worse] = residuals_of(model, parameters + change, starts[worse], segments.take(worse))
            own = np.clip(np.where(worse, own * 10, own / 10), *DAMPING)
            less = _total(losses_of(then, scale), most)
            moved = less <= cost
            damping = damping / 10 if moved else damping * 10
        if not moved:
            damping = 1e-3
            if looser == 1:
                converged = True  # no step of any length is better
                break
            continue
        parameters, starts, now = parameters + change, states, then
        step = change[free] @ information[np.ix_(free, free)] @ change[free]
        if looser == 1 and damping < 1e-3 and np.sqrt(max(step, 0.0)) < CONVERGED * scale:
            converged = True
            break
        if looser == 1 and damping < 1e-3 and less > (1 - slow) * cost:
            break
    return _with_errors(model, parameters, starts, free, segments, data, now, converged)


@dataclass(frozen=True)
class _Numbers:
    """What was measured in segments."""

    seen: np.ndarray
    """[segments, numbers; bool]"""
    inflation: float
    """Of the noise over the residuals' standard deviation, for degrees of freedom."""

    @classmethod
    def of(cls, segments: Segments, constants: int) -> _Numbers:
        """Of segments that so many constants are fitted to, and states."""
        order, dim = segments.start.shape[1], segments.start.shape[-1]
        seen = np.repeat((segments.weight > 0)[..., None], dim, -1).reshape(len(segments.time), -1)
        unknowns = int(segments.active.sum()) * order * dim + constants
        return cls(seen, float(np.sqrt(seen.sum() / max(seen.sum() - unknowns, 1))))

    def scale(self, residuals: np.ndarray) -> float:
        """Standard deviation of the noise, by the median of what is left [segments, numbers]."""
        found = float(np.median(np.abs(residuals[self.seen]))) / 0.6745 * self.inflation
        return max(found, np.finfo(float).tiny)

    def most(self, losses: np.ndarray) -> np.ndarray:
        """Of each segment [segments], the loss beyond which it counts less."""
        each = np.maximum(self.seen.sum(1), 1)
        return np.maximum(FAR * np.median(losses / each) * each, np.finfo(float).tiny)


def _with_errors(
    model: Model,
    parameters: np.ndarray,
    starts: np.ndarray,
    free: np.ndarray,
    segments: Segments,
    data: _Numbers,
    left: np.ndarray,
    converged: bool,
) -> Minimum:
    """The minimum with its covariance, a sandwich over trajectories; `left` are its residuals."""
    count, scale = len(parameters), data.scale(left)
    equations = _equations(model, parameters, starts, segments, scale)
    eliminated = eliminated_states(*equations, count, np.zeros(len(starts))) if are_finite(equations) else equations
    if not are_finite(eliminated):
        return Minimum(parameters, starts, np.full((count, count), np.nan), np.zeros(count, bool), scale, False)
    information, slopes, _ = eliminated
    losses = losses_of(left, scale)
    weight = 1 / (1 + losses / data.most(losses))
    information, slopes = np.tensordot(weight, information, 1)[np.ix_(free, free)], weight[:, None] * slopes[:, free]
    clusters = segments.trajectory if len(np.unique(segments.trajectory)) >= FEW else np.arange(len(starts))
    cluster = np.unique(clusters, return_inverse=True)[1]
    scores = np.zeros((cluster.max() + 1, slopes.shape[1]))
    np.add.at(scores, cluster, slopes)
    covariance, determined = np.zeros((count, count)), np.ones(count, bool)
    if free.any():
        sensitivity, determined[free] = _solve(information, scores.T)
        # residuals of fitted states are smaller than the noise, and so are their scores
        correction = data.inflation**2 * len(scores) / max(len(scores) - 1, 1)
        covariance[np.ix_(free, free)] = correction * sensitivity @ sensitivity.T
    return Minimum(parameters, starts, covariance, determined, scale, converged)


def _equations(
    model: Model, parameters: np.ndarray, starts: np.ndarray, segments: Segments, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each segment, the information [segments, unknowns, unknowns] and the gradient [segments, unknowns]."""
    found = []
    for residual, slopes in slopes_of(model, parameters, starts, segments):
        weighted = slopes / (1 + (residual / (OUTLIER * scale)) ** 2)[:, None]
        found.append((slopes.T @ weighted, weighted.T @ residual))
    information, gradient = (np.stack(each) for each in zip(*found, strict=True))
    return information, gradient


def are_finite(equations: tuple[np.ndarray, ...]) -> bool:
    return all(np.isfinite(one).all() for one in equations)


def losses_of(residuals: np.ndarray, scale: float) -> np.ndarray:
    """Cauchy's loss of each segment [segments]; infinite where an integration failed."""
    with np.errstate(over="ignore"):
        found = (OUTLIER * scale) ** 2 / 2 * np.log1p((residuals / (OUTLIER * scale)) ** 2).sum(1)
    return np.where(np.isfinite(found), found, np.inf)


def _total(losses: np.ndarray, most: np.ndarray) -> float:
    """The losses of segments together, each growing as the logarithm beyond the most [segments] that one may have: in close
    encounters states have many local minima, and a segment in a wrong one must not tell the constants."""
    return float((most * np.log1p(losses / most)).sum())


def eliminated_states(
    information: np.ndarray, gradient: np.ndarray, count: int, damping: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Information and gradient of the parameters once each segment's state, damped by its own [segments], is eliminated; and
    what gives the states back."""
    diagonal = np.arange(information.shape[1])
    states = information[:, count:, count:].copy()
    inner = diagonal[count:] - count
    states[:, inner, inner] *= 1 + damping[:, None]
    # states that nothing tells of, such as those of bodies that are not there, stay
    states[:, inner, inner] += np.where(states[:, inner, inner] == 0, 1.0, 0.0)
    coupling = information[:, count:, :count]
    right = np.concatenate([coupling, gradient[:, count:, None]], axis=2)
    try:
        solved = np.linalg.solve(states, right)
    except np.linalg.LinAlgError:  # a segment tells nothing of some direction of its state, which stays
        solved = np.linalg.pinv(states, 1e-10, hermitian=True) @ right
    back = coupling.transpose(0, 2, 1) @ solved
    own = information[:, :count, :count] - back[..., :-1]
    slope = gradient[:, :count] - back[..., -1]
    return own, slope, solved


def _solve(information: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution in the directions that the information determines, and which parameters it determines [parameters]."""
    # what is left of a parameter's information once states are eliminated may be rounding alone, and negative
    own = np.diag(information)
    size = np.sqrt(np.where(own > np.finfo(float).tiny, own, np.inf))
    values, vectors = np.linalg.eigh(information / size[:, None] / size)
    good = values > UNDETERMINED * values.max()
    inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T
    determined = (vectors[:, ~good] ** 2).sum(1) < 1e-3
    return inverse @ (right / size.reshape(-1, *[1] * (right.ndim - 1))) / size.reshape(-1, *[1] * (right.ndim - 1)), determined
