"""The announced formula of halos, or none: chosen as a law is, without knowing which formula was planted.

A density is no force, so that what is announced is called an empirical formula. It is chosen by the steps of a law's
choice: constants fitted to training halos, the noise that the best of them leaves, description length, the densest and
heaviest halos held out, error bars by a bootstrap over octants of boxes.

A factor of the edge can be undone by the node, and one of a numerator by its denominator. In the logarithms of the
constants such a factor is a direction in which the prediction does not change, and along it one constant is made 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy
import torch
from scipy import sparse

from lib.distillation.expressions import parse
from lib.distillation.simplification import rounded
from lib.files import write_json
from lib.many_body import halo_formula, halos
from lib.many_body.halo_formula import EDGE_NAMES, NODE_NAMES, HaloFormula
from lib.network.neighbourhoods import Neighbourhoods, NeighbourNetwork
from lib.selection import bootstrap
from lib.selection.announce import BETTER, EXPLAINS, SAME, TIE, short_to
from lib.selection.checks import REGION, TENTH
from lib.selection.description_length import description_length
from lib.selection.fitting import Family, Fit, deviations, fit, robust_square, with_shared_constants
from lib.selection.law import Constant
from lib.selection.moves import joined, shorter

HALOS = 1_000
"""Whose densities are explained, of all boxes alike."""
FIRST, KEPT, IMPROVED = 25, 8, 4
"""Evaluations of each candidate at first, candidates that are looked at again, and those that are changed."""
FREE = 1e-9
"""Singular value, relative to the largest, of a direction in which nothing changes."""
UNCHANGED = 1e-6
"""Relative change of predictions that is rounding."""


@dataclass(frozen=True)
class Densities:
    """Evidence: overdensities of halos, and what is around each."""

    target: np.ndarray
    """[halos, 1]"""
    group: np.ndarray
    """[halos], the octant of a box that each is in."""
    mass: np.ndarray
    """[halos]"""
    edges: np.ndarray
    """[edges, 4], in the order of `EDGE_NAMES`."""
    index: np.ndarray
    """[edges], the halo that each leads to; ascending."""

    @classmethod
    def of(cls, batch: Neighbourhoods, group: np.ndarray) -> Densities:
        """Of halos, each with its neighbours, and the group [halos] that each is of."""
        x, target = halo_formula.inputs(batch), batch.targets.numpy().astype(float)
        return cls(target, group, halo_formula.masses(batch), x, batch.index.numpy())

    @property
    def spread(self) -> np.ndarray:
        """[halos], standard deviation of noise relative to other halos: alike."""
        return np.ones(len(self.target))

    @property
    def typical(self) -> float:
        """Median size of a target."""
        return float(np.median(np.abs(self.target)))

    def summed(self, columns: np.ndarray) -> np.ndarray:
        """Columns [edges, ...] summed over the edges that lead to a halo, [halos, ...]."""
        count = len(self.index)
        ones = sparse.csr_matrix((np.ones(count), (self.index, np.arange(count))), (len(self.target), count))
        return ones @ columns

    def take(self, chosen: np.ndarray) -> Densities:
        """The chosen halos [halos; bool]."""
        kept = chosen[self.index]
        number = np.cumsum(chosen) - 1
        return Densities(self.target[chosen], self.group[chosen], self.mass[chosen], self.edges[kept], number[self.index[kept]])


class HaloFamily(Family):
    """Formulas of halos that differ in their constants: values and slopes on `Densities`."""

    def __init__(self, formula: HaloFormula) -> None:
        self.law = formula
        self.forms, self.symbols, self.start = with_shared_constants([formula.edge, formula.node])
        self.thresholds = np.zeros(len(self.symbols), bool)
        inner = sympy.Symbol("s1", real=True)
        slopes = [[sympy.diff(form, one) for one in self.symbols] for form in self.forms]
        names = [[*self.symbols, *sympy.symbols(own, real=True)] for own in (EDGE_NAMES, NODE_NAMES)]
        wanted = [[self.forms[0], *slopes[0]], [self.forms[1], sympy.diff(self.forms[1], inner), *slopes[1]]]
        self._edge, self._node = (sympy.lambdify(n, w, "numpy", cse=True) for n, w in zip(names, wanted, strict=True))

    def value(self, evidence: Densities, constants: np.ndarray) -> np.ndarray:
        """Predicted densities [halos, 1]."""
        return self.predict(evidence, constants)[0]

    def predict(self, evidence: Densities, constants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predicted densities [halos, 1] and their slopes [halos, 1, constants]."""
        with np.errstate(all="ignore"):
            sent = _columns(self._edge(*constants, *evidence.edges.T), len(evidence.edges))
            received = evidence.summed(sent)
            found = _columns(self._node(*constants, evidence.mass, received[:, 0]), len(evidence.mass))
        slopes = found[:, 2:] + found[:, 1:2] * received[:, 1:]
        return found[:, :1], slopes[:, None]

    def of_forms(self, forms: list[sympy.Expr]) -> HaloFormula:
        """The formula with other expressions."""
        return HaloFormula(*forms)


def _columns(values: Sequence[Any], count: int) -> np.ndarray:
    return np.stack([np.broadcast_to(np.asarray(one, float), count) for one in values], axis=1)


@dataclass(frozen=True)
class Scored:
    """A fitted formula with its description length."""

    fit: Fit
    length: float

    @property
    def formula(self) -> HaloFormula:
        """The formula."""
        return self.fit.law

    @property
    def text(self) -> str:
        """The formula with constants to three digits, by which candidates count as the same."""
        return " | ".join(str(rounded(one, 3)) for one in (self.formula.edge, self.formula.node))


@dataclass(frozen=True)
class Empirical:
    """What is announced of densities: one empirical formula, or none with the reason."""

    formula: HaloFormula
    """The best that was found, announced or not."""
    reason: str | None
    """Why none is announced; None where one is."""
    constants: tuple[Constant, ...]
    held_out_error: dict[str, float]
    tied_with: tuple[str, ...]
    candidates: tuple[dict[str, Any], ...]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "announced": self.reason is None,
            "kind": "empirical formula",
            "reason": self.reason,
            "edge": str(self.formula.edge),
            "node": str(self.formula.node),
            "constants": [
                {"name": one.name, "value": one.value, "standard_error": float(f"{one.standard_error:.4g}")}
                for one in self.constants
            ],
            "held_out_error": {name: float(f"{value:.4g}") for name, value in self.held_out_error.items()},
            "tied_with": list(self.tied_with),
            "candidates": list(self.candidates),
        }

    def write(self, path: Path) -> None:
        """Write the record."""
        write_json(path, self.record())


def densities(split: str, profile: str, seed: int, count: int = HALOS) -> tuple[Densities, list[Neighbourhoods]]:
    """So many halos of all boxes of a split alike, as evidence and as the batches that a network takes."""
    rng, batches, parts = np.random.default_rng(seed), [], []
    boxes = halos.boxes(split, profile)
    for number, (catalogue, delta, receivers) in enumerate(boxes):
        chosen = rng.choice(receivers, count // len(boxes), replace=False)
        octant = (catalogue.positions[chosen] > catalogue.box / 2) @ [1, 2, 4]
        batches.append(halos.neighbourhoods(catalogue, delta, chosen))
        parts.append(Densities.of(batches[-1], 8 * number + octant))
    starts = np.cumsum([0, *(len(part.target) for part in parts[:-1])])
    index = np.concatenate([part.index + start for part, start in zip(parts, starts, strict=True)])
    target, group, mass, edges = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("target", "group", "mass", "edges")
    )
    return Densities(target, group, mass, edges, index), batches


def candidates(edge: pd.DataFrame, node: pd.DataFrame) -> list[HaloFormula]:
    """All rows of the message's front with all of the node's, those that depend on anything."""
    edges, nodes = (
        [one for one in (parse(text, names) for text in table["expression"]) if one.free_symbols]
        for table, names in ((edge, EDGE_NAMES), (node, NODE_NAMES))
    )
    return [HaloFormula(e, n) for e in edges for n in nodes if n.has(sympy.Symbol("s1", real=True))]


def scaled(found: Fit, evidence: Densities, deviation: np.ndarray) -> Fit:
    """The fit with a constant made 1 for each factor that does not change the prediction."""
    while len(found.constants):
        own = found.constants != 0
        relative = (found.slopes * found.constants).reshape(-1, len(found.constants))[:, own]
        size = np.maximum(np.linalg.norm(relative, axis=0), 1e-300)
        _, singular, directions = np.linalg.svd(relative / size, full_matrices=False)
        if singular[-1] > FREE * singular[0]:
            break
        direction = np.zeros(len(own))
        direction[own] = directions[-1] / size
        part = np.abs(direction) > 0.5 * np.abs(direction).max()
        weight = np.zeros(len(own))
        weight[own] = size
        k = int((part * weight).argmax())  # not a constant that hardly matters: it may have to go
        moved = found.constants * np.exp(-np.log(np.abs(found.constants[k])) / direction[k] * direction)
        before, after = (found.family.value(evidence, one) for one in (found.constants, moved))
        if not np.abs(after - before).max() < UNCHANGED * evidence.typical:
            break
        values = {s: sympy.Float(v) for s, v in zip(found.family.symbols, moved, strict=True)}
        values[found.family.symbols[k]] = sympy.Integer(int(np.sign(moved[k])))
        found = fit(
            HaloFamily(found.family.of_forms([form.xreplace(values) for form in found.family.forms])), evidence, deviation
        )
    return found


def score(formulas: Sequence[HaloFormula], evidence: Densities, deviation: np.ndarray, evaluations: int = 120) -> list[Scored]:
    """Formulas fitted, by description length, shortest first; those that come to the same are one."""
    found: dict[str, Scored] = {}
    for formula in formulas:
        fitted = scaled(fit(HaloFamily(formula), evidence, deviation, evaluations), evidence, deviation)
        one = Scored(fitted, description_length(fitted))
        if one.text not in found or one.length < found[one.text].length:
            found[one.text] = one
    return sorted(found.values(), key=lambda one: one.length)


def shortened(scored: Scored, evidence: Densities, deviation: np.ndarray) -> Scored:
    """The formula after all changes that take a constant from it and shorten its description."""
    changed = True
    while changed:
        changed = False
        for formula in (*shorter(scored.fit), *joined(scored.fit)):
            if not formula.edge.free_symbols or any(
                form.has(sympy.zoo, sympy.nan, sympy.oo) for form in vars(formula).values()
            ):
                continue
            fitted = scaled(fit(HaloFamily(formula), evidence, deviation), evidence, deviation)
            if (length := description_length(fitted)) < scored.length:
                scored, changed = Scored(fitted, length), True
                break
    return scored


def noise(best: Fit, evidence: Densities) -> np.ndarray:
    """[halos], standard deviations of the noise, as the best formula leaves it."""
    prediction = best.family.value(evidence, best.constants)
    return deviations(evidence, evidence.target - prediction, prediction)


def choose(formulas: Sequence[HaloFormula], evidence: Densities) -> tuple[list[Scored], np.ndarray]:
    """Formulas, improved, by description length on the noise [halos] that the best of them leaves; and that noise."""
    deviation = 0.01 * (evidence.typical + np.abs(evidence.target[:, 0]))
    found = score(formulas, evidence, deviation, FIRST)
    for _ in range(3):
        found = score([one.formula for one in found[:KEPT]], evidence, deviation)
        improved = [shortened(one, evidence, deviation) for one in found[:IMPROVED]]
        found = sorted([*improved, *found[IMPROVED:]], key=lambda one: one.length)
        deviation = noise(found[0].fit, evidence)
    return score([one.formula for one in found], evidence, deviation), deviation


def region_misfit(formula: HaloFormula, evidence: Densities, deviation: np.ndarray) -> float:
    """Mean robust square on the densest and the heaviest tenth of halos of a formula fitted without them; 1 for noise alone.

    What the constants' own uncertainty adds is allowed for.
    """
    limits = [np.quantile(values, 1 - TENTH) for values in (evidence.target[:, 0], evidence.mass)]
    inside = (evidence.target[:, 0] < limits[0]) & (evidence.mass < limits[1])
    inner = fit(HaloFamily(formula), evidence.take(inside), deviation[inside])
    value, slopes = inner.family.predict(outer := evidence.take(~inside), inner.constants)
    allowed = np.einsum("rap,pq,raq->ra", slopes, inner.covariance, slopes)
    return float(np.mean(robust_square((outer.target - value) / np.sqrt(deviation[~inside][:, None] ** 2 + allowed))))


def relative_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Root mean square error of densities [halos], relative to their standard deviation."""
    return float(np.sqrt(((predicted - true) ** 2).mean()) / true.std())


def announced(edge: pd.DataFrame, node: pd.DataFrame, model: NeighbourNetwork, profile: str, seed: int = 0) -> Empirical:
    """What is announced of the fronts of a run's message and node; errors are told on the boxes of validation."""
    evidence, _ = densities("train", profile, seed)
    found, deviation = choose(candidates(edge, node), evidence)
    unseen, batches = densities("validation", profile, seed)
    with torch.no_grad():
        by_network = np.concatenate([model(batch).numpy()[:, 0].astype(float) for batch in batches])
    return verdict(found, evidence, deviation, unseen, by_network)


def verdict(
    found: list[Scored], evidence: Densities, deviation: np.ndarray, unseen: Densities, by_network: np.ndarray
) -> Empirical:
    """The announcement of the shortest formula that holds for held-out halos; or none, with the reason.

    `by_network` [halos] is what a network predicts of halos that nothing was fitted to.
    """
    regions = [region_misfit(one.formula, evidence, deviation) for one in found]
    order = [k for k in range(len(found)) if regions[k] <= REGION * max(min(regions), 1.0)]
    best = found[order[0]]
    ties = tuple(found[k].text for k in order[1:] if _is_tie(best, found[k]))
    errors = bootstrap.standard_errors(best.fit)
    values = [short_to(value, error) for value, error in zip(best.fit.constants, errors, strict=True)]
    true = unseen.target[:, 0]
    predicted = best.fit.family.value(unseen, best.fit.constants)[:, 0]
    error = {"formula": relative_error(predicted, true), "network": relative_error(by_network, true)}
    reason = None
    if not error["formula"] <= EXPLAINS:
        reason = f"nothing explains the densities: the best formula leaves {error['formula']:.2f} of them"
    elif error["network"] < 0.8 * error["formula"]:
        reason = f"the network predicts better than any formula ({error['network']:.2g} against {error['formula']:.2g})"
    elif ties:
        reason = f"a tie: the data do not tell it from {ties[0]}"
    return Empirical(
        best.fit.family.with_constants(np.array(values)),
        reason,
        tuple(Constant(f"c{k}", float(v), float(e)) for k, (v, e) in enumerate(zip(values, errors, strict=True), start=1)),
        error,
        ties,
        tuple(
            {"formula": one.text, "nats_behind": round(one.length - best.length, 1), "held_out_regions": round(region, 2)}
            for one, region in zip(found, regions, strict=True)
        ),
    )


def _is_tie(best: Scored, other: Scored) -> bool:
    """Whether the data do not tell another structure from the best; a longer formula must fit better to count."""
    same = np.abs(best.fit.residual - other.fit.residual).max() < SAME
    fewer = len(other.fit.constants) <= len(best.fit.constants)
    better = other.fit.misfit.sum() < best.fit.misfit.sum() - BETTER
    return not same and other.length < best.length + TIE and (fewer or better)
