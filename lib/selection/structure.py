"""Structure: which terms a rate consists of, before their radial functions have a formula.

Each pair term's function of the distance is a spline, so that all terms together are one linear regression on sums over pairs
(Lu, Maggioni, Tang and Zhong, arXiv:1910.04832). Terms are added and removed by the error on held-out groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline

from lib.selection.evidence import Evidence
from lib.selection.terms import RADIAL, PairTerm, SingleTerm, pair_terms, single_columns, single_terms

Term = PairTerm | SingleTerm

SPLINES = 12
"""Splines of each pair term, in the logarithm of the distance."""
FOLDS = 5
GAIN = 0.03
"""A term is kept if it lowers the held-out error at least by this part of it ..."""
SIGNIFICANT = 3.0
"""... and by so many standard errors, over groups ..."""
PLAIN = 0.5
"""... or if it leaves no more than this part of it, when a few groups may hold most of the gain."""
MOST_TERMS = 7


@dataclass(frozen=True)
class Basis:
    """Cubic splines of the logarithm of the distance."""

    knots: np.ndarray

    @classmethod
    def of(cls, r: np.ndarray, count: int = SPLINES, jump: float | None = None) -> Basis:
        """So many splines, three more that may jump at a distance.

        Every other knot is at a quantile of the distances [edges], the others are even in their logarithm, since the few
        close encounters tell most.
        """
        u = np.log(r)
        even = (count - 4) // 2
        inner = np.concatenate(
            [np.quantile(u, np.linspace(0, 1, count - 2 - even)), np.linspace(u.min(), u.max(), even + 2)[1:-1]]
        )
        inner.sort()
        if jump is not None:
            inner = np.sort(np.concatenate([inner[np.abs(inner - np.log(jump)) > 1e-3], np.full(4, np.log(jump))]))
        return cls(np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3]))

    def matrix(self, r: np.ndarray) -> np.ndarray:
        """Values [distances, splines]; distances beyond the knots count as the outermost."""
        u = np.clip(np.log(r), self.knots[0], self.knots[-1])
        return BSpline.design_matrix(u, self.knots, 3)

    def __len__(self) -> int:
        return len(self.knots) - 4


@dataclass(frozen=True)
class Dictionary:
    """All terms as columns of one weighted linear regression."""

    evidence: Evidence
    terms: tuple[Term, ...]
    basis: Basis
    columns: tuple[slice, ...]
    """One a term."""
    x: np.ndarray
    """[rows * dim, columns], weighted."""
    y: np.ndarray
    """[rows * dim], weighted."""
    fold: np.ndarray
    """[rows * dim]"""
    grams: tuple[tuple[np.ndarray, np.ndarray, float], ...] = field(repr=False)
    """x^T x, x^T y, y^T y of each fold."""

    @classmethod
    def of(
        cls, evidence: Evidence, terms: list[Term], target: np.ndarray | None = None, basis: Basis | None = None
    ) -> Dictionary:
        """Of the terms, for the evidence's target or another, [rows, dim], and the usual splines or others.

        Weights are 1 / (typical target + target), so that close encounters do not decide alone.
        """
        motion, edges = evidence.motion, evidence.motion.edges
        size = np.linalg.norm(evidence.target, axis=1)
        weight = 1 / ((evidence.typical + size) * evidence.spread)
        basis, pairs = basis or Basis.of(edges.r), motion.pair_columns()
        splines = basis.matrix(edges.r)
        blocks, columns, start = [], [], 0
        for term in terms:
            if isinstance(term, PairTerm):
                along = edges.line if term.direction == RADIAL else edges.turned
                w = term.weight(pairs)
                parts = [evidence.summed(sparse.diags_array(w * along[:, k]) @ splines).toarray() for k in range(motion.dim)]
                block = np.stack(parts, axis=1)
            else:
                block = (evidence.average @ single_columns(term, motion))[..., None]
            blocks.append((block * weight[:, None, None]).reshape(-1, block.shape[-1]))
            columns.append(slice(start, start := start + block.shape[-1]))
        x = np.concatenate(blocks, axis=1)
        y = ((evidence.target if target is None else target) * weight[:, None]).ravel()
        fold = np.repeat(evidence.folds(FOLDS), motion.dim)
        grams = []
        for k in range(FOLDS):
            part = x[fold == k]
            grams.append((part.T @ part, part.T @ y[fold == k], float(y[fold == k] @ y[fold == k])))
        return cls(evidence, tuple(terms), basis, tuple(columns), x, y, fold, tuple(grams))

    def numbers(self, chosen: list[int]) -> np.ndarray:
        """Columns of the chosen terms."""
        return (
            np.concatenate([np.arange(self.columns[k].start, self.columns[k].stop) for k in chosen])
            if chosen
            else np.array([], int)
        )

    @cached_property
    def total(self) -> tuple[np.ndarray, np.ndarray]:
        """x^T x and x^T y of all folds."""
        return sum(g for g, _, _ in self.grams), sum(m for _, m, _ in self.grams)

    def held_out(self, chosen: list[int]) -> np.ndarray:
        """Weighted square error on each fold, [folds], of a fit to the others."""
        own = self.numbers(chosen)
        if not len(own):
            return np.array([square for _, _, square in self.grams])
        block = np.ix_(own, own)
        total, moment = self.total[0][block], self.total[1][own]
        errors = []
        for gram, along, square in self.grams:
            here = gram[block]
            beta = _solve(total - here, moment - along[own])
            errors.append(square - 2 * beta @ along[own] + beta @ here @ beta)
        return np.array(errors)

    def error(self, chosen: list[int]) -> float:
        """Held-out weighted square error over that of no terms at all: the median over folds.

        A close encounter that one fold alone has is nothing that splines fitted to the others can follow.
        """
        return float(np.median(self.held_out(chosen) / np.maximum(self.held_out([]), 1e-300)))

    def row_errors(self, chosen: list[int]) -> np.ndarray:
        """Held-out weighted square error of each row, [rows]."""
        own = self.numbers(chosen)
        residual = self.y.copy()
        if len(own):
            total, moment = self.total
            for k, (gram, along, _) in enumerate(self.grams):
                beta = _solve((total - gram)[np.ix_(own, own)], (moment - along)[own])
                here = self.fold == k
                residual[here] -= self.x[here][:, own] @ beta
        return (residual.reshape(len(self.evidence.target), -1) ** 2).sum(axis=1)

    def better(self, fewer: list[int], more: list[int]) -> float:
        """By how many standard errors, over groups, the second set of terms has the smaller held-out error."""
        gain = self.row_errors(fewer) - self.row_errors(more)
        number = np.unique(self.evidence.group, return_inverse=True)[1]
        by_group = np.bincount(number, gain)
        return float(by_group.sum() / max(by_group.std(ddof=1) * np.sqrt(len(by_group)), 1e-300))


def _solve(gram: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Least squares by the normal equations, columns in units of themselves, with the slightest ridge."""
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-300))
    scaled = gram * scale[:, None] * scale
    scaled[np.diag_indices_from(scaled)] += 1e-9
    return scale * np.linalg.solve(scaled, scale * moment)


@dataclass(frozen=True)
class Structure:
    """A set of terms with their held-out error."""

    terms: tuple[Term, ...]
    error: float
    """Root of the held-out weighted square error over that of no terms at all, by the median over folds."""


def search(dictionary: Dictionary, keep: int = 4) -> list[Structure]:
    """Sets of terms, best first: grown one by one from each of the best first terms, and pruned."""
    error = dictionary.error
    found: dict[tuple[int, ...], float] = {(): 1.0}
    everything = range(len(dictionary.terms))
    first = sorted(everything, key=lambda k: error([k]))[:keep]
    for start in first:
        chosen = [start]
        while len(chosen) < MOST_TERMS:
            now = error(chosen)
            best = min((k for k in everything if k not in chosen), key=lambda k: error([*chosen, k]))
            after = error([*chosen, best])
            if not _is_gain(dictionary, chosen, [*chosen, best], now, after):
                break
            chosen.append(best)
            chosen = _pruned(dictionary, chosen, error)
        chosen = _pruned(dictionary, chosen, error)
        found[tuple(sorted(chosen))] = error(chosen)
    ordered = sorted(found, key=lambda one: found[one])
    return [Structure(tuple(dictionary.terms[k] for k in one), float(np.sqrt(max(found[one], 0.0)))) for one in ordered]


def _is_gain(dictionary: Dictionary, fewer: list[int], more: list[int], before: float, after: float) -> bool:
    """Whether more terms lower the held-out error clearly."""
    return after < PLAIN * before or (after < (1 - GAIN) * before and dictionary.better(fewer, more) > SIGNIFICANT)


def _pruned(dictionary: Dictionary, chosen: list[int], error: Callable[[list[int]], float]) -> list[int]:
    """The terms less those that the held-out error does not need."""
    while len(chosen) > 1:
        least = min(chosen, key=lambda k: error([c for c in chosen if c != k]))
        fewer = [c for c in chosen if c != least]
        if _is_gain(dictionary, fewer, chosen, error(fewer), error(chosen)):
            break
        chosen = fewer
    return chosen


def every_term(evidence: Evidence) -> list[Term]:
    """All terms that the evidence has inputs for."""
    motion = evidence.motion
    varying = [name for name, values in motion.properties.items() if np.ptp(values) > 0]
    return [*pair_terms(varying, motion.dim), *single_terms(varying, motion.dim, evidence.order)]


@dataclass(frozen=True)
class Profile:
    """One pair term's function of the distance as regressed, without a formula."""

    term: PairTerm
    r: np.ndarray
    """[points], quantiles of the distances."""
    value: np.ndarray
    """[points]"""
    standard_error: np.ndarray
    """[points], by groups."""


FINER = (SPLINES, 20, 32, 50)
"""Splines of a profile; so many as the held-out error asks for."""
POINTS = 60
"""Distances at which a profile is given."""


def refined(dictionary: Dictionary, structure: Structure) -> Dictionary:
    """The dictionary of a structure's terms alone, with as many splines as the held-out error asks for."""
    evidence, terms = dictionary.evidence, list(structure.terms)
    bases = [Basis.of(evidence.motion.edges.r, count) for count in FINER]
    tried = [Dictionary.of(evidence, terms, basis=basis) for basis in bases]
    return min(tried, key=lambda one: one.error(list(range(len(terms)))))


def profiles(dictionary: Dictionary, structure: Structure) -> tuple[list[Profile], dict[SingleTerm, float]]:
    """The functions of the distance of a structure's pair terms, and the coefficients of its single terms."""
    chosen = [dictionary.terms.index(term) for term in structure.terms]
    own = dictionary.numbers(chosen)
    gram, moment = dictionary.total[0][np.ix_(own, own)], dictionary.total[1][own]
    beta = _solve(gram, moment)
    residual = dictionary.y - dictionary.x[:, own] @ beta
    pulls = residual[:, None] * dictionary.x[:, own]
    number = np.repeat(np.unique(dictionary.evidence.group, return_inverse=True)[1], dictionary.evidence.target.shape[1])
    by_group = np.stack([np.bincount(number, column) for column in pulls.T], axis=1)
    inverse = np.linalg.pinv(gram, rcond=1e-12, hermitian=True)
    covariance = inverse @ (by_group.T @ by_group) @ inverse
    r = dictionary.evidence.motion.edges.r
    # even in quantiles and in the logarithm, as the splines are
    near, far = np.quantile(r, [0.001, 0.999])
    r = np.sort(np.concatenate([np.quantile(r, np.linspace(0.002, 0.998, POINTS // 2)), np.geomspace(near, far, POINTS // 2)]))
    splines = dictionary.basis.matrix(r).toarray()
    found, single, start = [], {}, 0
    for term in structure.terms:
        size = dictionary.columns[dictionary.terms.index(term)]
        here = slice(start, start := start + size.stop - size.start)
        if isinstance(term, PairTerm):
            error = np.sqrt(np.maximum(np.einsum("pk,kl,pl->p", splines, covariance[here, here], splines), 0))
            found.append(Profile(term, r, splines @ beta[here], error))
        else:
            single[term] = float(beta[here][0])
    return found, single
