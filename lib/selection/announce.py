"""The announcement: one law with error bars, or none with the reason, without the truth (design section 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy

from lib.distillation.digits import short
from lib.selection import bootstrap, candidates, checks, hypotheses
from lib.selection.breaks import find_break
from lib.selection.candidates import Candidate
from lib.selection.choice import BEHIND, Scored, again, first_fits, improved, noise, score, shortened, simple
from lib.selection.evidence import Evidence
from lib.selection.fitting import Family, Fit, fit
from lib.selection.law import Announcement, Constant, Law
from lib.selection.moves import exponents, multiplied_out, with_own_constants
from lib.selection.structure import Basis, Dictionary, Structure, every_term, refined, search

STRUCTURE_EDGES, FORM_EDGES, FINAL_EDGES = 60_000, 12_000, 120_000
"""Edges at most on which structures are searched, formulas are tried, and the last ones are compared."""
STRUCTURES = 3
"""Structures whose formulas are tried ..."""
WORSE = 1.5
"""... if their held-out error is at most so many times the least."""
FINAL = 6
"""Formulas that are compared on all data."""
FEWEST = 3
"""Formulas that are offered to measured positions at least, and all that are not further behind than others are shortened."""
JUMPS = 0.05
"""Held-out error of smooth splines, relative to no law at all, above which a jump is looked for."""
TIE = 7.0
"""Nats within which two structures are a tie: odds of a thousand to one."""
BETTER = 3.0
"""Nats by which a longer law must fit better to count in a tie."""
UNDECIDED = 0.05
"""Part of the resampled trajectories in which another law followed through positions is shorter, above which it is a tie."""
SAME = 0.1
"""Standard deviations of noise within which two formulas give the same everywhere."""
EXPLAINS = 0.7
"""Held-out error, relative to no law at all, above which nothing is explained."""

SPLINES = 0.3
"""Held-out error of splines, in parts of the best law's, below which no formula says what they say."""


Recheck = Callable[[list[Scored], Evidence, np.ndarray], list[Scored]]


@dataclass(frozen=True)
class Prepared:
    """What the structure of evidence suggests, before formulas are chosen."""

    dictionary: Dictionary
    structures: tuple[Structure, ...]
    """Best first."""
    jump: float | None = None
    """Distance at which functions of the distance jump, if they do."""

    @classmethod
    def of(cls, evidence: Evidence) -> Prepared:
        """Structures searched on a part of the evidence."""
        part, terms = evidence.sample(STRUCTURE_EDGES, 0), every_term(evidence)
        dictionary = Dictionary.of(part, terms)
        structures = search(dictionary)
        # smooth splines follow a jump badly, and terms that help them a little would pass for a structure
        broken = None
        if structures[0].terms and JUMPS < structures[0].error < EXPLAINS:
            broken = find_break(refined(dictionary, structures[0]), structures[0])
        if broken is not None:
            dictionary = Dictionary.of(part, terms, basis=Basis.of(part.motion.edges.r, jump=broken[0]))
            structures = search(dictionary)
        return cls(dictionary, tuple(structures), None if broken is None else broken[0])

    @property
    def error(self) -> float:
        """Held-out error of the best structure, relative to no law."""
        return self.structures[0].error

    def candidates(self) -> list[Candidate]:
        """Formulas of the best structures."""
        good = [one for one in self.structures[:STRUCTURES] if one.error <= WORSE * self.error]
        return [one for structure in good for one in candidates.of_structure(self.dictionary, structure)]


def announce(
    evidence: Evidence,
    offered: Sequence[Candidate],
    prepared: Prepared,
    network_error: float | None = None,
    recheck: Recheck | None = None,
) -> Announcement:
    """The best law of those offered, with error bars; or none, with the reason.

    `network_error` is the root of the weighted held-out square error of a network, relative to no law, if there is one;
    `recheck` orders the last few laws anew, by what was measured itself; it gives none where that does not decide.
    """
    part = evidence.sample(FORM_EDGES, 1)
    fitted = first_fits(list(offered), part)
    first, _ = improved(fitted, part)
    large = evidence.sample(FINAL_EDGES, 2)
    found, deviation = finals(first, large)
    decided = []
    if recheck is not None and found[0].law.has_pairs:
        # averages carry errors that are no noise, which longer formulas follow
        near = [one for k, one in enumerate(found) if k < FEWEST or one.length < found[0].length + BEHIND]
        decided = recheck([*near, *score(simple(fitted), large, deviation)], large, deviation)
    if not decided:
        shorter = [shortened(one, large, deviation) if one.length < found[0].length + BEHIND else one for one in found]
        found = score(again(shorter), large, deviation)
        deviation = noise(found[0].fit, large)
    return verdict(decided or found, large, deviation, prepared, network_error)


def finals(first: list[Scored], evidence: Evidence) -> tuple[list[Scored], np.ndarray]:
    """The first few laws fitted to all data, those with poles left out, and the noise [rows] that the best of them leaves."""
    good = [one for one in first if not checks.has_pole(one.law, evidence)][:FINAL] or first[:1]
    deviation = noise(score(again(good[:1]), evidence, np.ones(len(evidence.target)) * evidence.typical)[0].fit, evidence)
    found = score(again(good), evidence, deviation)
    return found, noise(found[0].fit, evidence)


def verdict(
    found: list[Scored], evidence: Evidence, deviation: np.ndarray, prepared: Prepared, network_error: float | None
) -> Announcement:
    """The announcement of the shortest of the compared laws that holds in held-out regions; or none, with the reason."""
    dictionary, structure = prepared.dictionary, prepared.structures[0]
    regions = [checks.region_misfit(one.law, evidence, deviation) for one in found]
    limit = max(checks.REGION, checks.REGION * min(regions))
    # averages over windows are too rough to overrule positions
    order = [k for k in range(len(found)) if regions[k] <= limit or found[k].shot is not None]
    # a formula that can stand for many others gives way to one that cannot, where the data hardly tell
    order.sort(key=lambda k: found[k].length + TIE * is_interpolation(found[k]))
    best = found[order[0]]
    rivals = [found[k] for k in order if k == order[0] or not is_interpolation(found[k])]
    ties = [one for one in rivals[1:] if (is_tie(best, one) or is_undecided(best, one)) and not is_same(best, one)]
    ties = [one for one in ties if not is_one_structure(best.fit, one.fit, evidence, deviation)]
    frequency = bootstrap.wins([one.told for one in rivals], [one.length for one in rivals])[0]
    values, errors = bootstrap.constants(best.precise, best.fit, evidence, deviation)
    law, constants = presented(best.precise.family.with_constants(values), errors)
    left = checks.residuals(best.fit, evidence, list(dictionary.terms))
    prediction = best.fit.family.value(evidence, best.fit.constants)
    weight = 1 / (evidence.typical + np.linalg.norm(evidence.target, axis=1))[:, None]
    error = float(np.sqrt((((evidence.target - prediction) * weight) ** 2).sum() / ((evidence.target * weight) ** 2).sum()))
    reason = reason_against(best, ties, left, error, structure.error, network_error)
    return Announcement(
        announced=reason is None,
        law=law,
        reason=reason,
        constants=constants,
        properties={name: {"given": True} for name in evidence.motion.properties},
        noise=float(np.median(deviation)),
        hypotheses=hypotheses.compare(dictionary, structure),
        held_out_error={"law": error, "structure": structure.error}
        | ({} if network_error is None else {"network": network_error}),
        tied_with=tuple(one.text for one in ties),
        confidence=float(frequency) if reason is None else None,
        candidates=tuple(
            {
                "law": one.text,
                "nats_behind": round(one.length - best.length, 1),
                "held_out_regions": round(region, 2),
                "source": one.source,
            }
            for one, region in zip(found, regions, strict=True)
        ),
    )


def is_tie(best: Scored, other: Scored) -> bool:
    """Whether the data do not tell another structure from the best; a longer law must fit better to count."""
    fewer = len(other.told.constants) <= len(best.told.constants)
    better = other.told.misfit.sum() < best.told.misfit.sum() - BETTER
    return other.length < best.length + TIE and (fewer or better)


def is_undecided(best: Scored, other: Scored) -> bool:
    """Whether a few trajectories alone tell another law from the best: close encounters lead each law astray elsewhere."""
    if best.shot is None or other.shot is None:
        return False
    return bool(bootstrap.wins([best.told, other.told], [best.length, other.length])[1] > UNDECIDED)


def is_interpolation(best: Scored) -> bool:
    """Whether a formula has an exponent of the distance that is free, and another constant that shapes it.

    Within noise such a formula can stand for many others.
    """
    family = best.told.family
    powers = exponents(family)
    shapes = set()
    for form in family.forms[:2]:
        for term in sympy.Add.make_args(sympy.expand(form)):
            factors = [factor for factor in sympy.Mul.make_args(term) if factor.has(sympy.Symbol("r", real=True))]
            shapes |= {symbol for factor in factors for symbol in factor.free_symbols & set(family.symbols)}
    return bool(powers & shapes) and len(shapes) > 1


def is_same(best: Scored, other: Scored) -> bool:
    """Whether two formulas give the same numbers, far within the noise."""
    return float(np.abs(best.told.residual - other.told.residual).max()) < SAME


def is_one_structure(best: Fit, other: Fit, evidence: Evidence, deviation: np.ndarray) -> bool:
    """Whether two formulas differ only in which of their constants are the same number, or in what is multiplied out.

    With all constants freed, one comes to the other.
    """
    for one, shared in ((best, other), (other, best)):
        free = fit(with_own_constants(multiplied_out(shared.law)), evidence, deviation)
        if float(np.abs(one.residual - free.residual).max()) < SAME:
            return True
    return False


def reason_against(
    best: Scored,
    ties: list[Scored],
    left: checks.Residuals,
    error: float,
    structure_error: float,
    network_error: float | None,
) -> str | None:
    """Why the best law is not announced; None if it is."""
    if not best.law.has_pairs and not structure_error < SPLINES * error:
        return "no interaction: terms of pairs do not lower the error on held-out data"
    if not np.isfinite(error):
        return "the best law has no value on some of the data"
    # averages over windows may be noise nearly all, where positions are followed to theirs
    if error > EXPLAINS and not (best.shot and best.shot.follows):
        return f"nothing explains the data: the best law leaves {error:.2f} of them"
    if best.shot is not None and best.shot.strays:
        return f"no law found follows the measured positions: the best leaves {best.shot.scale:.1f} times their noise"
    if not left.is_noise:
        return (
            f"no pair law explains it: what the best leaves is no noise (correlation {left.correlation:.2f} from one time to "
            f"the next, {max(left.explained, 0):.2f} of it explained by further terms)"
        )
    if structure_error < SPLINES * error:
        return f"splines of the same terms predict better than any law found ({structure_error:.2g} against {error:.2g})"
    if network_error is not None and network_error < 0.8 * error:
        return f"the network predicts better than any law found ({network_error:.2g} against {error:.2g})"
    if not left.exact and is_interpolation(best):
        return f"an exponent that is no whole number and another constant fit many laws: {best.text} may stand for another"
    if ties:
        return f"a tie: the data do not tell it from {ties[0].text}"
    return None


def presented(law: Law, errors: np.ndarray) -> tuple[Law, tuple[Constant, ...]]:
    """The law with its constants to a hundredth of their standard errors, masses of receivers divided out; and these."""
    family = Family(law)
    values = [short_to(value, error) for value, error in zip(family.start, errors, strict=True)]
    found = family.with_constants(np.array(values))
    m1 = sympy.Symbol("m1", real=True)
    if any(form.has(1 / m1) for form in (found.radial, found.transverse)):
        radial, transverse = (
            sympy.expand(form * m1, deep=False) if form != 0 else form for form in (found.radial, found.transverse)
        )
        found = replace(found, radial=radial, transverse=transverse, divides_by_mass=True)
    named = enumerate(zip(values, errors, strict=True), start=1)
    return found, tuple(Constant(f"c{k}", float(value), float(error)) for k, (value, error) in named)


def short_to(value: float, error: float) -> float:
    """A value to a hundredth of its standard error."""
    if not np.isfinite(error) or error <= 0 or value == 0:
        return short(value, 8)
    digits = int(np.clip(np.ceil(np.log10(abs(value) / error)) + 3, 2, 12))
    return short(value, digits)
