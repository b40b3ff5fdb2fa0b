"""Figures of the solar system."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from lib.many_body.solar_system import AU, BODIES, YEAR
from lib.many_body.strengths import Errors, Fit, System
from lib.report.palette import INK

OBLIQUITY = np.radians(23.44)
"""Angle of the ecliptic to the ephemeris's equator; orbits are drawn as seen from above the ecliptic."""


COLOURS = dict(
    zip(
        BODIES,
        (
            "#e6a700",
            "#7f7f7f",
            "#e377c2",
            "#1f77b4",
            "#222222",
            "#d62728",
            "#8c564b",
            "#bcbd22",
            "#17becf",
            "#2f3fbf",
            "#9467bd",
        ),
        strict=True,
    )
)


def orbits(system: System) -> Figure:
    """The paths of the inner planets, of the outer ones, and of the Moon around the Earth, each at its own scale."""
    x, y, z = np.moveaxis(system.position, -1, 0)
    flat = np.stack([x, np.cos(OBLIQUITY) * y + np.sin(OBLIQUITY) * z], axis=-1)
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.3))
    for axis, names, days in ((axes[0], BODIES[:4] + BODIES[5:6], 690), (axes[1], BODIES[:1] + BODIES[6:], None)):
        for name in names:
            path = flat[:days, BODIES.index(name)]
            axis.plot(*path.T, color=COLOURS[name], linewidth=1)
            axis.plot(*path[-1], "o", color=COLOURS[name], markersize=9 if name == "Sun" else 4, label=name)
        axis.legend(frameon=False, fontsize="x-small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    about = (flat[:340, BODIES.index("Moon")] - flat[:340, BODIES.index("Earth")]) * AU / 1e5
    axes[2].plot(*about.T, color=COLOURS["Moon"], linewidth=0.7)
    axes[2].plot(0, 0, "o", color=COLOURS["Earth"])
    for axis, title, unit in zip(
        axes, ("inner planets", "outer planets", "the Moon around the Earth"), ("AU", "AU", "10⁵ km"), strict=True
    ):
        axis.set(aspect="equal", title=title, xlabel=f"x / {unit}", ylabel=f"y / {unit}")
    return figure


def force(free: Fit, errors: Errors, knots: np.ndarray, law: Fit, system: System) -> Figure:
    """The pull of a body of the Sun's strength, of any shape, over distance; below it relative to the announced law."""
    values = np.array(list(free.constants.values()))
    deviations = errors.total[len(free.strengths) :]
    r = np.geomspace(knots[0], knots[-1], 300)
    k = law.constants["k"]
    figure, axes = plt.subplots(2, 1, figsize=(6.2, 6), height_ratios=(1.6, 1), sharex=True)
    axes[0].loglog(r, k / r**2, color=INK, linewidth=1, label="announced law, k m / r²")
    axes[0].loglog(knots, np.exp(values), "o", markersize=5, label="force of any shape, fitted at these distances")
    axes[0].set(ylabel="pull of the Sun's strength / AU day⁻²")
    axes[0].legend(frameon=False, fontsize="small")
    off = np.exp(values) * knots**2 / k - 1
    axes[1].axhline(0, color=INK, linewidth=1)
    for part in (slice(0, 2), slice(2, None)):
        low, high = (off[part] + 2 * side * deviations[part] for side in (-1, 1))
        axes[1].fill_between(knots[part], low, high, color="C0", alpha=0.2, linewidth=0)
    axes[1].errorbar(knots, off, 2 * deviations, fmt="o", markersize=4, linewidth=1)
    axes[1].set_yscale("symlog", linthresh=1e-9, linscale=1)
    axes[1].set(xlabel="distance r / AU", ylabel="F(r) r² / k − 1")
    axes[1].set_yticks([-1e-3, -1e-6, -1e-9, 0, 1e-9, 1e-6, 1e-3])
    distances = np.sort(system.places.inputs[0].ravel())
    gap = np.diff(np.log(distances)).argmax()
    for axis in axes:
        axis.axvspan(distances[gap], distances[gap + 1], color="0.93", zorder=0)
    axes[1].text(
        np.sqrt(distances[gap] * distances[gap + 1]),
        1e-7,
        "no pair\nthis far apart",
        ha="center",
        fontsize="small",
        color="0.4",
    )
    return figure


def misfits(by_formula: Mapping[str, np.ndarray]) -> Figure:
    """Residuals relative to each body's acceleration, each [bodies], by the name of what is compared."""
    figure, axis = plt.subplots(figsize=(7.5, 3.6))
    for (name, values), marker in zip(by_formula.items(), "sov^D", strict=False):
        axis.semilogy(BODIES, values, marker, markersize=6, label=name)
    axis.set(ylabel="rms residual / rms acceleration")
    axis.tick_params(axis="x", rotation=45)
    axis.grid(axis="y", linewidth=0.4)
    axis.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def strengths(ratio: np.ndarray, error: np.ndarray, others: Mapping[str, float]) -> Figure:
    """Estimated over true strengths [bodies - 1] with two standard errors, and how far both and other work are off."""
    names = BODIES[1:]
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.6))
    axes[0].axhline(0, color=INK, linewidth=1)
    axes[0].errorbar(names, ratio - 1, 2 * error, fmt="o", markersize=4, linewidth=1.2, capsize=3)
    axes[0].set_yscale("symlog", linthresh=1e-8, linscale=1)
    axes[0].set_yticks([-1e-2, -1e-4, -1e-6, -1e-8, 0, 1e-8, 1e-6, 1e-4, 1e-2])
    axes[0].set(ylabel="estimated / true − 1", title="with two standard errors")
    axes[1].semilogy(names, 100 * np.abs(ratio - 1), "o", label="here")
    axes[1].semilogy(names, 100 * error, "_", markersize=14, color="C0", label="here, standard error")
    axes[1].semilogy(
        list(others), list(others.values()), "s", color="C1", label="learned masses, Lemos et al.\n(Mercury and Mars: over 90%)"
    )
    axes[1].axhline(1, color=INK, linewidth=0.8, linestyle=":")
    axes[1].set(ylabel="off by / %", title="beside a network's learned masses")
    axes[1].legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    for axis in axes:
        axis.tick_params(axis="x", rotation=45)
    return figure


def ahead(times: np.ndarray, errors: Mapping[str, np.ndarray]) -> Figure:
    """Distance from the ephemeris in km over the time after the data, each [times, bodies], by what predicts it."""
    figure, axes = plt.subplots(1, len(errors), figsize=(3.9 * len(errors), 3.6), sharey=True)
    for axis, (name, error) in zip(axes, errors.items(), strict=True):
        for k, body in enumerate(BODIES):
            axis.semilogy((times[1:] - times[0]) / YEAR, error[1:, k], color=COLOURS[body], linewidth=1.1, label=body)
        axis.set(title=name, xlabel="years after the data")
        axis.grid(axis="y", linewidth=0.4)
    axes[0].set(ylabel="error / km")
    axes[-1].legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
