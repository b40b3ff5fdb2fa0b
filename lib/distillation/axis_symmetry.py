"""Axis symmetry: what is found along one axis is tried along the others.

No axis is special: the components of a central message are g F(r) d / r, d = dx, dy[, dz], one function for all,
each up to a factor. Searched one by one they may end in different forms, where a polynomial fits nearly as well.
Each component's front is therefore offered what the others say, axes swapped, with constants fitted to its own data,
and a closed form that does not fit is tried with one form for all.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import sympy

from lib.distillation.expressions import parse, symbols
from lib.distillation.refit import Function, refitted
from lib.distillation.regression import Front, pareto
from lib.distillation.scaling import spread


def swap_axes(expression: sympy.Expr, one: str, other: str) -> sympy.Expr:
    """An expression with two of its inputs swapped."""
    here, there = (symbols([name])[name] for name in (one, other))
    return expression.xreplace({here: there, there: here})


def along_all_axes(expression: sympy.Expr, own: int, vectors: list[list[str]]) -> list[sympy.Expr]:
    """An expression for the component along axis `own`, as an expression for each component.

    `vectors` are lists of inputs, a component along each axis, which are swapped together.
    """
    found = []
    for axis in range(len(vectors[0])):
        along = expression
        for components in vectors:
            along = swap_axes(along, components[own], components[axis])
        found.append(along)
    return found


def fitted(expression: sympy.Expr, x: np.ndarray, y: np.ndarray, names: list[str]) -> sympy.Expr:
    """An expression with the constants that fit it best to y [rows] at inputs [rows, inputs]."""
    unit = spread(y)

    def residual(function: Function) -> np.ndarray:
        return (function(*x.T) - y) / unit

    return refitted([expression], [names], residual, scale=1.0)[0]


def with_swapped_axes(fronts: list[Front], x: np.ndarray, targets: np.ndarray, names: list[str]) -> list[Front]:
    """Fronts of components along axes, each with the expressions of the others as well, axes swapped and fitted.

    Of targets [rows, dim] over inputs [rows, inputs], whose first names are those of the axes in the order of the fronts.
    """
    axes = names[: len(fronts)]

    def with_the_others(own: int) -> Front:
        started = time.monotonic()
        y = targets[:, own].astype(float)
        candidates = [parse(text, names) for text in fronts[own].table["expression"]]
        for axis, front in zip(axes, fronts, strict=True):
            if axis != axes[own]:
                offered = (swap_axes(parse(text, names), axis, axes[own]) for text in front.table["expression"])
                candidates += [fitted(expression, x, y, names) for expression in offered]
        table = pareto(candidates, x, y, names)
        return replace(fronts[own], table=table, seconds=fronts[own].seconds + time.monotonic() - started)

    return [with_the_others(own) for own in range(len(fronts))]
