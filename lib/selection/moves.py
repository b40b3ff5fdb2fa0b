"""Changes of a law that may make it shorter or truer: constants dropped, exponents made whole, distances softened."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import sympy

from lib.selection.fitting import Family, Fit
from lib.selection.law import Law
from lib.selection.radial_forms import SOFTENED, R

NEAR_WHOLE = 0.12
"""An exponent is tried as the integer or half that it is so near to, or within `ERRORS` standard errors of."""
ERRORS = 4.0
EQUAL = 1e-3
"""Constants are tried as one if they differ by this part of them, or by `ERRORS` standard errors."""
BOUNDLESS = 1e9
"""Size of a constant that may as well have no bound, as one may that changes nothing."""
SPLIT = 1e-9
"""Part of themselves by which constants differ that were one."""
WEAK = 6.0
"""A constant is tried as zero if it is within so many standard errors of it."""


def rebuilt(family: Family, values: dict[sympy.Symbol, sympy.Expr]) -> Law:
    """The law with expressions in place of its constants."""
    return family.of_forms([_at_positive_distances(form.xreplace(values)) for form in family.forms])


def _at_positive_distances(form: sympy.Expr) -> sympy.Expr:
    """The form where r > 0: no case of a distance below zero, no size of a distance."""
    positive = sympy.Symbol("r", positive=True)
    return form.xreplace({R: positive}).replace(lambda e: e.is_Piecewise, lambda e: e.func(*e.args)).xreplace({positive: R})


def exponents(family: Family) -> set[sympy.Symbol]:
    """Constants that are exponents."""
    found: set[sympy.Symbol] = set()
    for form in family.forms:
        for power in form.atoms(sympy.Pow):
            if power.exp.is_Symbol or (power.exp.is_Mul and -power.exp in family.symbols):
                found |= power.exp.free_symbols & set(family.symbols)
    return found


def shorter(fit: Fit) -> Iterator[Law]:
    """Laws with one constant less: an exponent made whole, or a constant that is hardly needed set to zero."""
    family = fit.family
    known = {s: sympy.Float(v) for s, v in zip(family.symbols, fit.constants, strict=True)}
    error = np.sqrt(np.maximum(np.diag(fit.covariance), 0))
    # what changes nothing has no error either
    error[(np.diag(fit.information) == 0) & ~family.thresholds] = np.inf
    powers = exponents(family)
    with np.errstate(all="ignore"):
        doubt = np.nan_to_num(error / np.abs(fit.constants), nan=np.inf)
    for k in np.argsort(-doubt):
        symbol, value = family.symbols[k], fit.constants[k]
        if symbol in powers:
            whole = sympy.Rational(round(2 * value), 2)
            if abs(value - float(whole)) <= max(NEAR_WHOLE, ERRORS * error[k]) and abs(whole) <= 20:
                yield rebuilt(family, known | {symbol: whole})
            continue
        if abs(value) > BOUNDLESS or np.isinf(error[k]):
            yield _at_infinity(family, known, symbol, value)
        # also one without bound, of a term that vanishes whatever its size
        if abs(value) <= WEAK * error[k] or not np.isfinite(error[k]):
            yield rebuilt(family, known | {symbol: sympy.Integer(0)})


def _at_infinity(family: Family, known: dict[sympy.Symbol, sympy.Expr], symbol: sympy.Symbol, value: float) -> Law:
    """The law where a constant has no bound; not defined where it has no limit."""
    positive = sympy.Symbol("r", positive=True)
    rest = {one: number for one, number in known.items() if one != symbol} | {R: positive}
    forms = [_limit(form.xreplace(rest), symbol, sympy.oo if value > 0 else -sympy.oo) for form in family.forms]
    return family.of_forms([form.xreplace({positive: R}) for form in forms])


def _limit(form: sympy.Expr, symbol: sympy.Symbol, end: sympy.Expr) -> sympy.Expr:
    """Each part's limit, or that of a quotient of polynomials; SymPy's `limit` may not end where exponents are floats."""
    by_parts = form.subs(symbol, end)
    if not by_parts.has(sympy.nan):
        return by_parts
    above, below = (sympy.collect(sympy.expand(part), symbol, evaluate=False) for part in sympy.fraction(sympy.together(form)))
    try:
        first, second = (max(parts, key=lambda power: sympy.degree(power, symbol)) for parts in (above, below))
    except sympy.PolynomialError:
        return by_parts
    return above[first] / below[second] * (first / second).subs(symbol, end)


def joined(fit: Fit) -> Iterator[Law]:
    """Laws in which two constants that are equal, or opposite, within their errors are one."""
    family = fit.family
    known = {s: sympy.Float(v) for s, v in zip(family.symbols, fit.constants, strict=True)}
    for i, j in itertools.combinations(range(len(family.symbols)), 2):
        one, other = fit.constants[i], fit.constants[j]
        sign = 1 if one * other > 0 else -1
        variance = fit.covariance[i, i] + fit.covariance[j, j] - 2 * sign * fit.covariance[i, j]
        if abs(one - sign * other) <= max(ERRORS * np.sqrt(max(variance, 0.0)), EQUAL * abs(one)):
            yield rebuilt(family, known | {family.symbols[j]: sign * known[family.symbols[i]]})


def multiplied_out(law: Law) -> Law:
    """The law with its products of sums multiplied out: a quadratic may come as a product with two roots."""
    radial, transverse, *single = map(sympy.expand_mul, (law.radial, law.transverse, *law.single))
    return replace(law, radial=radial, transverse=transverse, single=tuple(single))


def with_own_constants(law: Law) -> Law:
    """The law with a constant of its own in each place where one stands, each a very little off."""
    count = itertools.count(1)

    def own(form: sympy.Basic) -> sympy.Basic:
        if isinstance(form, sympy.Float):
            return form * (1 + SPLIT * next(count))
        return form.func(*map(own, form.args)) if form.args else form

    radial, transverse, *single = map(own, (law.radial, law.transverse, *law.single))
    return replace(law, radial=radial, transverse=transverse, single=tuple(single))


def softened(fit: Fit) -> Iterator[Law]:
    """Laws whose distance is softened in another way, with a constant of a hundredth of a unit to start from."""
    law = fit.law
    if not law.radial.has(R) and not law.transverse.has(R):
        return
    for name, distance in SOFTENED.items():
        if name != "none":
            longer = distance(R, sympy.Float(0.02))
            yield replace(law, radial=_with_distance(law.radial, longer), transverse=_with_distance(law.transverse, longer))


def _with_distance(form: sympy.Basic, distance: sympy.Expr) -> sympy.Basic:
    """The form with another distance, but where it breaks: a constant in both would have no slope."""
    if form == R:
        return distance
    if isinstance(form, sympy.Piecewise):
        return sympy.Piecewise(*((_with_distance(piece, distance), condition) for piece, condition in form.args))
    return form.func(*(_with_distance(part, distance) for part in form.args)) if form.args else form


def of_free_powers(law: Law) -> Law:
    """The law with each power of a distance made free, to start from where it is."""
    return replace(law, radial=_of_free_powers(law.radial), transverse=_of_free_powers(law.transverse))


def _of_free_powers(form: sympy.Basic) -> sympy.Basic:
    base, exponent = form.as_base_exp()
    if base.has(R) and exponent.is_Rational and (form.is_Pow or form == R):
        return base ** sympy.Float(float(exponent))
    if isinstance(form, sympy.Piecewise):
        return sympy.Piecewise(*((_of_free_powers(piece), condition) for piece, condition in form.args))
    return form.func(*map(_of_free_powers, form.args)) if form.is_Mul or form.is_Add else form


def is_defined(law: Law) -> bool:
    """Whether no constant has made a form infinite or undefined."""
    forms = (law.radial, law.transverse, *law.single)
    return not any(form.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I, sympy.AccumBounds) for form in forms)
