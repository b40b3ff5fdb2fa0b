"""What is shown of a user's own data: formulas with error bars, tables, and figures in units of the data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import sympy
from matplotlib.figure import Figure
from scipy.stats import norm

from lib.observed.held_out import HeldOut
from lib.observed.noise import noise_of
from lib.observed.periodic import unwrapped
from lib.observed.recording import Recording
from lib.observed.rollout import Rollout
from lib.report.palette import INK
from lib.selection.law import Announcement, Constant, Law, read_law
from lib.selection.structure import Profile
from lib.selection.terms import RADIAL, PairTerm

DATA_UNITS = "units of the data"
SAME = 1e-9
"""Relative difference within which a number of a formula is one of the fitted constants."""
POWER = re.compile(r"e(-?\d+)$")
UNKNOWN = 10.0
"""Standard error, in sizes of a constant, beyond which the constant has no digits to show."""
MOST_BODIES = 30
"""Paths drawn of one trajectory."""


def with_error(constant: Constant) -> str:
    """A size with its standard error in brackets, in units of its last two digits: 1.7998(12), 6.02(11)e23."""
    size, error = abs(constant.value), constant.standard_error
    if not error or not np.isfinite(error):
        return f"{size:.6g}"
    if error > UNKNOWN * size:
        return f"{size:.1g}(undetermined)"
    place = int(np.floor(np.log10(error))) - 1
    if place <= 0 and 1e-3 <= size < 1e5:
        return f"{size:.{-place}f}({error / 10.0**place:.0f})"
    power = int(np.floor(np.log10(max(size, error))))
    return f"{size / 10.0**power:.{power - place}f}({error / 10.0**place:.0f})e{power}"


def told(expression: sympy.Expr, constants: Sequence[Constant]) -> sympy.Expr:
    """The expression with names such as 1.7998(12) in place of its fitted constants."""
    by_number = {}
    for number in expression.atoms(sympy.Float):
        for constant in constants:
            if abs(abs(float(number)) - abs(constant.value)) <= SAME * abs(constant.value):
                by_number[number] = sympy.Symbol(with_error(constant), positive=True) * (1 if number > 0 else -1)
                break
        else:
            by_number[number] = sympy.Float(number, 6)
    return expression.xreplace(by_number)


def formula_lines(announcement: Announcement) -> list[str]:
    """The law in LaTeX, a line each for the pair's parts and everything else."""
    law, constants = announcement.law, announcement.constants
    left = r"\ddot{\mathbf x}_1" if law.order == 2 else r"\dot{\mathbf x}_1"
    vectors = {r"F\,\hat{\mathbf r}_{12}": law.radial, r"T\,\hat{\mathbf t}_{12}": law.transverse}
    pair = " + ".join(vector for vector, form in vectors.items() if form != 0)
    single = [one for one in law.single if one != 0]
    pair = rf"\left({pair}\right)" if "+" in pair else pair
    divisor = r"\frac{1}{m_1}" if law.divides_by_mass else ""
    total = rf"{divisor}\sum_{{2 \ne 1}} {pair}" if pair else ""
    total = " + ".join([*([total] if total else []), *([r"\mathbf s_1"] if single else [])]) or "0"
    lines = [f"{left} = {total}"]
    if law.radial != 0:
        lines.append(f"F = {latex(law.radial, constants)}")
    if law.transverse != 0:
        lines.append(f"T = {latex(law.transverse, constants)}")
    if single:
        lines += [f"s_{axis} = {latex(one, constants)}" for axis, one in zip("xyz", law.single, strict=False)]
    return lines


def latex(expression: sympy.Expr, constants: Sequence[Constant]) -> str:
    """An expression in LaTeX with standard errors in brackets."""
    found = told(expression, constants)
    names = {s: POWER.sub(r"\\cdot 10^{\1}", s.name) for s in found.free_symbols if s.name[:1].isdigit()}
    return sympy.latex(found, symbol_names=names)


PREDICTED = {"structure": "splines in place of formulas"}
"""Words for what predicts, where its name in a record is not plain."""


def summary(record: Mapping[str, Any]) -> list[str]:
    """A few lines of the record of a law: announced or not, the formula with error bars, why, and how well it predicts."""
    law = read_law(record)
    constants = [Constant(**one) for one in record["constants"]]
    what = "acceleration" if law.order == 2 else "velocity"
    parts = {"along the line of a pair": law.radial, "across it": law.transverse}
    words = [f"{told(form, constants)} {where}" for where, form in parts.items() if form != 0]
    if words and law.divides_by_mass:
        words = [f"({' and '.join(words)})/m1"]
    words += [f"{told(one, constants)} along {axis}" for axis, one in zip("xyz", law.single, strict=False) if one != 0]
    formula = f"{what} of body 1: {', '.join(words) or '0'}"
    held_out = record["held_out_error"].items()
    errors = ", ".join(f"{PREDICTED.get(name, name)} {value:.3g}" for name, value in held_out if value is not None)
    errors = f"held-out error, 1 being that of no law: {errors}"
    if record["announced"]:
        return [f"a law is announced; {formula}", errors]
    return [f"no law is announced: {record['reason']}", f"the best that was found, {formula}", errors]


def trajectories(recording: Recording, count: int = 4) -> Figure:
    """The first few trajectories in the plane of x and y: paths that fade in, and bodies where they end; crosses where the
    rows are no path."""
    shown = recording.experiments[:count]
    figure, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 3.4), squeeze=False)
    for number, (axis, one) in enumerate(zip(axes[0], shown, strict=True)):
        path = unwrapped(one.position, recording.box)
        colours = sns.color_palette(n_colors=min(path.shape[1], 10))
        for body in range(min(path.shape[1], MOST_BODIES)):
            known = np.flatnonzero(one.present[:, body])
            if not len(known):
                continue
            x, y = path[known, body, 0], path[known, body, 1]
            colour = colours[body % len(colours)]
            axis.plot(x, y, color=colour, linewidth=1.2, alpha=0.6)
            axis.plot(x[-1], y[-1], "o", color=colour, markersize=5)
        axis.set(aspect="equal", xlabel=_label("x", recording.length_unit), title=f"trajectory {number + 1}")
        axis.ticklabel_format(style="sci", scilimits=(-3, 4))
    axes[0][0].set_ylabel(_label("y", recording.length_unit))
    return figure


def _label(what: str, unit: str) -> str:
    return f"{what} / {unit or DATA_UNITS}"


def sampling(recording: Recording) -> pd.DataFrame:
    """Noise of each measured quantity, its spread and the ratio of both, from the data alone."""
    rows = {}
    for name in ("position", "velocity", "acceleration"):
        values = [getattr(one, name) for one in recording.experiments]
        if any(one is None for one in values):
            continue
        noise = noise_of(recording.experiments, name, recording.box if name == "position" else None)
        spread = float(np.nanstd(np.concatenate([one.reshape(-1, recording.dim) for one in values]), axis=0).mean())
        rows[name] = {"noise": noise.standard_deviation, "spread": spread, "noise / spread": noise.standard_deviation / spread}
    return pd.DataFrame(rows).T


def hypotheses(announcement: Announcement) -> pd.DataFrame:
    """Each hypothesis: what was decided, and the held-out errors that decided it, relative to no law."""
    rows = {}
    for name, one in announcement.hypotheses.items():
        errors = dict(one.get("held_out_error", {})) if isinstance(one, Mapping) else {}
        found = one.get("found") if isinstance(one, Mapping) else one
        decided = {True: "yes", False: "no"}.get(found, str(found)) if isinstance(found, bool) else str(found)
        rows[name] = {"decided": decided, "held-out error": ", ".join(f"{key}: {value:.4g}" for key, value in errors.items())}
    return pd.DataFrame(rows).T


def along(law: Law, term: PairTerm) -> sympy.Expr | None:
    """The law's function of the distance that goes with a term's product of properties; None where it has none."""
    form = law.radial if term.direction == RADIAL else law.transverse
    if law.divides_by_mass:
        form = form / sympy.Symbol("m1", real=True)
    found = []
    for part in sympy.Add.make_args(sympy.expand(form)):
        one = sympy.simplify(part / term.factor)
        if {symbol.name for symbol in one.free_symbols} <= {"r"}:
            found.append(one)
    total = sympy.Add(*found)
    return total if total != 0 else None


def functions(profiles: Sequence[Profile], law: Law, recording: Recording, announced: bool) -> Figure:
    """Each pair term's function of the distance as regressed by splines, with its band, and the formula's over it."""
    figure, axes = plt.subplots(1, max(len(profiles), 1), figsize=(4.6 * max(len(profiles), 1), 3.4), squeeze=False)
    for axis, profile in zip(axes[0], profiles, strict=False):
        band = 2 * profile.standard_error
        axis.fill_between(profile.r, profile.value - band, profile.value + band, alpha=0.3, linewidth=0, color="C0")
        axis.plot(profile.r, profile.value, color="C0", label="regressed, ± 2 standard errors")
        low, high = np.quantile(profile.value, [0.0, 1.0])
        form = along(law, profile.term)
        if form is not None:
            grid = np.geomspace(profile.r[0], profile.r[-1], 400)
            with np.errstate(all="ignore"):
                values = sympy.lambdify(sympy.Symbol("r", real=True), form, "numpy")(grid)
            values = np.broadcast_to(np.asarray(values, float), grid.shape)
            axis.plot(grid, values, "--", color="C1", label="announced formula" if announced else "best formula, not announced")
        room = 0.15 * max(high - low, 1e-300)
        axis.set(xlabel=_label("r", recording.length_unit), ylim=(low - room, high + room))
        axis.set_ylabel(f"f(r) / {DATA_UNITS}")
        factor = "" if profile.term.factor == 1 else rf"{sympy.latex(profile.term.factor)}\,"
        axis.set_title(f"{profile.term.direction}: ${factor}f(r)$")
        axis.set_xscale("log")
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.legend(frameon=False, fontsize=8)
    if not profiles:
        axes[0][0].text(0.5, 0.5, "no term of pairs", ha="center", transform=axes[0][0].transAxes)
        axes[0][0].axis("off")
    return figure


def residuals(found: HeldOut) -> Figure:
    """Held-out targets against predictions, and the residuals in standard deviations beside a normal distribution."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    what = "acceleration" if found.law.order == 2 else "velocity"
    target, prediction = found.evidence.target.ravel(), found.prediction.ravel()
    pick = np.random.default_rng(0).permutation(len(target))[:4_000]
    axes[0].scatter(prediction[pick], target[pick], s=4, alpha=0.4, linewidths=0, rasterized=True)
    low, high = np.quantile(target, [0.005, 0.995])
    room = 0.1 * (high - low)
    axes[0].axline((0, 0), slope=1, color=INK, linewidth=0.8)
    axes[0].set(xlim=(low - room, high + room), ylim=(low - room, high + room))
    axes[0].set(xlabel=f"predicted {what} / {DATA_UNITS}", ylabel="measured, held out")
    grid = np.linspace(-5, 5, 61)
    axes[1].hist(np.clip(found.residual.ravel(), -5, 5), bins=grid, density=True, alpha=0.5, label="held out")
    axes[1].plot(grid, norm.pdf(grid), color=INK, linewidth=1, label="noise alone")
    axes[1].set(xlabel="residual / standard deviation", ylabel="density", yticks=[])
    axes[1].text(0.03, 0.92, f"χ² per component: {found.chi_square:.3g}", transform=axes[1].transAxes, fontsize=9)
    axes[1].legend(frameon=False)
    return figure


def rollouts(found: Sequence[Rollout], recording: Recording) -> Figure:
    """Above, measured paths (dots) and those of the law (lines); below, their distance against time."""
    figure, axes = plt.subplots(2, len(found), figsize=(3.6 * len(found), 5.4), squeeze=False, height_ratios=[2, 1])
    for (above, below), one in zip(axes.T, found, strict=True):
        colours = sns.color_palette(n_colors=min(len(one.bodies), 10))
        for body in range(min(len(one.bodies), MOST_BODIES)):
            colour = colours[body % len(colours)]
            above.plot(*one.measured[:, body, :2].T, ".", color=colour, markersize=3, alpha=0.5)
            above.plot(*one.predicted[:, body, :2].T, color=colour, linewidth=1)
        low, high = np.nanmin(one.measured[..., :2], (0, 1)), np.nanmax(one.measured[..., :2], (0, 1))
        centre, half = (low + high) / 2, 0.6 * max(high - low)
        above.set(xlim=centre[0] + [-half, half], ylim=centre[1] + [-half, half], aspect="equal")
        above.set(xlabel=_label("x", recording.length_unit), title=f"trajectory {one.trajectory}")
        below.semilogy(one.time[1:], np.maximum(one.distance[1:], 1e-300), color="C0")
        below.set(xlabel=_label("time", recording.time_unit))
    axes[0][0].set_ylabel(_label("y", recording.length_unit))
    axes[1][0].set_ylabel(_label("mean distance", recording.length_unit).replace(" / ", "\n/ "))
    return figure


def undetermined(announcement: Announcement) -> list[str]:
    """What the data do not say, a plain sentence each."""
    found = [f"The data do not tell the law from: {one}." for one in announcement.tied_with]
    for constant in announcement.constants:
        error = constant.standard_error
        if error is None or not np.isfinite(error):
            found.append(f"The constant {constant.name} is not determined.")
        elif error > 0.5 * abs(constant.value):
            bound = abs(constant.value) + 2 * error
            found.append(
                f"The constant {constant.name} is not determined: its size is at most {bound:.3g} (two standard errors)."
            )
    for name, one in announcement.properties.items():
        if one.get("scale") == "free":
            found.append(f"{name.capitalize()} was learned: only its ratios between bodies are known, its scale is free.")
            values, errors = np.abs(one["values"]), np.nan_to_num(one["standard_errors"], nan=np.inf)
            found += [
                f"The {name} of body {body + 1} is not determined"
                + (f": its size is at most {bound:.3g}." if bound < np.inf else ".")
                for body, bound in enumerate(values + 2 * errors)
                if errors[body] > 0.5 * values[body]
            ]
    if announcement.frame != "inertial":
        found.append(f"Accelerations are known only up to a vector common to all bodies: {announcement.frame} moves too.")
    if not announcement.announced:
        found.insert(0, f"No law is announced: {announcement.reason}.")
    return found or ["Nothing that was asked: no rival law, no free constant, no learned property."]
