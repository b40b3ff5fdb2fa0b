"""Figures of the notebooks: each function draws on axes that it is given or makes, and returns the figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import sympy
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from lib.messages import gauges
from lib.messages.extraction import linear_fit, r_squared
from lib.network.variants import Variant
from lib.physics.bodies import Bodies
from lib.physics.laws import M1, M2, Q1, Q2, SOFTENING, Law, S
from lib.report.palette import INK, OUTCOMES, SERIES, of_variant

UNITS = "simulation units"
"""Of what is simulated under a registered law: the units in which the law is written."""


def style() -> None:
    """Set the style of all figures: small, plain, readable when compressed."""
    plt.rcdefaults()  # a user's own settings are for other figures
    sns.set_theme(context="notebook", style="ticks", palette=list(SERIES))
    plt.rcParams.update(
        {
            "figure.dpi": 72,
            "savefig.dpi": 72,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "axes.edgecolor": INK,
        }
    )


def _frame(axis: Axes, points: np.ndarray, margin: float = 0.1) -> None:
    """Limits of a square that holds points [..., dim], their first two components, at one scale."""
    flat = points[..., :2].reshape(-1, 2)
    low, high = flat.min(axis=0), flat.max(axis=0)
    centre, half = (low + high) / 2, (0.5 + margin) * max(high - low)
    axis.set(xlim=centre[0] + [-half, half], ylim=centre[1] + [-half, half], aspect="equal")
    axis.locator_params(nbins=4)


def trails(features: np.ndarray, count: int = 4) -> Figure:
    """Paths of the first `count` trajectories [trajectories, times, n, 2*dim+2], fading in; dots as heavy as bodies."""
    figure, axes = plt.subplots(1, count, figsize=(3.2 * count, 3.4))
    colours = sns.color_palette(n_colors=features.shape[2])
    for axis, bodies in zip(axes, features[:count], strict=True):
        for k in range(bodies.shape[1]):
            path = bodies[:, k, :2]
            segments = np.stack([path[:-1], path[1:]], axis=1)
            shades = [(*colours[k], alpha) for alpha in np.linspace(0.05, 1, len(segments))]
            axis.add_collection(LineCollection(list(segments), colors=shades, linewidths=1.8))
            axis.scatter(*path[-1], s=25 * Bodies(bodies).mass[-1, k] ** (2 / 3), color=colours[k], zorder=3)
        _frame(axis, bodies)
        axis.set_xlabel(f"x / {UNITS}")
    axes[0].set_ylabel(f"y / {UNITS}")
    return figure


def film(figure: Figure, draw: Callable[[int], None], moments: Iterable[int], path: Path, fps: int) -> None:
    """Write a GIF of the figure as `draw` changes it from moment to moment, laid out once, and close the figure."""
    moments, writer = list(moments), PillowWriter(fps=fps)
    draw(moments[0])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    with writer.saving(figure, path, plt.rcParams["savefig.dpi"]):
        for moment in moments:
            draw(moment)
            writer.grab_frame()
    plt.close(figure)


def animate(bodies: np.ndarray, path: Path, frames: int = 50, tail: int = 25) -> None:
    """Write a trajectory [times, n, 2*dim+2] as a small GIF: each body with the tail of its recent path."""
    figure, axis = plt.subplots(figsize=(3, 3))
    _frame(axis, bodies, margin=0.05)
    axis.set(xticks=[], yticks=[])
    colours = sns.color_palette(n_colors=bodies.shape[1])
    paths = [axis.plot([], [], color=colour, alpha=0.5, linewidth=1.5)[0] for colour in colours]
    dots = axis.scatter(*bodies[0, :, :2].T, s=25 * Bodies(bodies).mass[0] ** (2 / 3), c=colours, zorder=3)

    def draw(now: int) -> None:
        for k, line in enumerate(paths):
            line.set_data(*bodies[max(0, now - tail) : now + 1, k, :2].T)
        dots.set_offsets(bodies[now, :, :2])

    film(figure, draw, np.linspace(0, len(bodies) - 1, frames).astype(int), path, fps=15)


def force_profile(law: Law) -> Figure:
    """Force and potential between bodies of unit mass and charge against their distance."""
    r = np.linspace(0.05, 4, 400)
    force = np.broadcast_to(sympy.lambdify((S, M1, M2, Q1, Q2), law.force, "numpy")(r + SOFTENING, 1.0, 1.0, 1.0, 1.0), r.shape)
    potential = np.broadcast_to(law.receiver_potential(r + SOFTENING, 1.0, 1.0, 1.0, 1.0), r.shape)
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.9))
    for axis, values, label in zip(axes, (force, potential), ("force", "potential"), strict=True):
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.plot(r, values)
        axis.set(xlabel=f"distance r / {UNITS}", ylabel=f"{label} / {UNITS}")
        if np.abs(values).max() > 20:
            axis.set_yscale("symlog", linthresh=1)
    return figure


def energy_drift(times: np.ndarray, error: np.ndarray) -> Figure:
    """Quantiles over trajectories of the relative energy error [trajectories, times]."""
    figure, axis = plt.subplots(figsize=(6.5, 3))
    for quantile, shade in ((0.5, 1.0), (0.95, 0.65), (1.0, 0.35)):
        label = {0.5: "median", 0.95: "95th percentile", 1.0: "largest"}[quantile]
        axis.semilogy(times[1:], np.quantile(error, quantile, axis=0)[1:], color="C0", alpha=shade, label=label)
    axis.set(xlabel=f"time / {UNITS}", ylabel="relative energy error")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def acceleration_sizes(accelerations: np.ndarray) -> Figure:
    """Fraction of bodies whose |a| exceeds a value; accelerations [..., dim]."""
    size = np.sort(np.linalg.norm(accelerations, axis=-1).ravel())[::-1]
    pick = np.unique(np.geomspace(1, len(size), 400).astype(int)) - 1
    figure, axis = plt.subplots(figsize=(5, 3))
    axis.loglog(size[pick], (pick + 1) / len(size))
    axis.set(xlabel=f"size of the acceleration, |a| / {UNITS}", ylabel="fraction of bodies above")
    return figure


def _plain_numbers(axis: Axis) -> None:
    """Of a logarithmic axis that spans few decades: 0.2, 0.5 and 1 in place of powers."""
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    few = np.ptp(np.log10(axis.get_view_interval())) < 2
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}" if few else NullFormatter())


def learning_curve(history: pd.DataFrame) -> Figure:
    """Training and validation loss against graphs seen, with the channels kept where they were pruned."""
    figure, axis = plt.subplots(figsize=(5.5, 3.2))
    axis.loglog(history["graphs"], history["train_loss_per_node"], color="C0", alpha=0.5, label="training")
    axis.loglog(history["graphs"], history["validation_loss_per_node"], color="C0", label="validation")
    axis.set(xlabel="graphs seen in training", ylabel="|error|$_1$ per node")
    _plain_numbers(axis.yaxis)
    if history["channels"].nunique() > 1:
        twin = axis.twinx()
        twin.plot(history["graphs"], history["channels"], color="C1")
        twin.set_ylabel("channels kept", color="C1")
    axis.legend(frameon=False)
    return figure


def predicted_against_true(
    true: np.ndarray, predicted: np.ndarray, symbol: str = "a", unit: str = UNITS, most: int = 3_000
) -> Figure:
    """Predicted against true vectors [..., dim], all components, and the size of the error against that of the vector.

    They are accelerations in simulation units unless `symbol` and `unit` say otherwise. The first panel is logarithmic
    but for the smallest tenth of components, where it is linear.
    """
    true, predicted = (a.reshape(-1, a.shape[-1]) for a in (true, predicted))
    pick = np.linspace(0, len(true) - 1, min(most, len(true))).astype(int)
    true, predicted = true[pick], predicted[pick]
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6))
    linear = float(np.quantile(np.abs(true), 0.1)) or 1.0
    whole = 10.0 ** np.floor(np.log10(linear))
    for k in range(true.shape[1]):
        axes[0].scatter(
            true[:, k], predicted[:, k], s=4, alpha=0.4, linewidths=0, rasterized=True, label=f"${symbol}_{'xyz'[k]}$"
        )
    limit = 1.5 * float(np.abs(true).max())
    axes[0].plot([-limit, limit], [-limit, limit], color=INK, linewidth=0.8, zorder=0)
    axes[0].set_xscale("symlog", linthresh=whole)
    axes[0].set_yscale("symlog", linthresh=whole)
    axes[0].set(xlim=(-limit, limit), ylim=(-limit, limit))
    top, bottom = int(np.log10(limit)), np.log10(whole)
    powers = 10.0 ** np.arange(top, bottom + 0.9, -max(1, np.ceil((top - bottom) / 2)))
    axes[0].set(xticks=[*-powers, 0, *powers[::-1]], yticks=[*-powers, 0, *powers[::-1]])
    axes[0].set(xlabel=f"true components / {unit}", ylabel=f"predicted / {unit}")
    # at the points' own transparency a legend's markers look grey
    for marker in axes[0].legend(frameon=False, markerscale=3).legend_handles:
        marker.set_alpha(1)
    size, error = (np.linalg.norm(a, axis=1) for a in (true, predicted - true))
    axes[1].scatter(size, error, s=4, alpha=0.4, linewidths=0, rasterized=True)
    span = np.array([size[size > 0].min(), size.max()])
    for fraction, look in ((1.0, "-"), (0.01, "--")):
        axes[1].plot(span, fraction * span, look, color=INK, linewidth=0.8, label=f"error of {100 * fraction:g}%")
    axes[1].set(xscale="log", yscale="log")
    axes[1].set(xlabel=f"size of the true ${symbol}$ / {unit}", ylabel=f"error / {unit}")
    axes[1].legend(frameon=False)
    return figure


def network(variant: Variant, dim: int) -> Figure:
    """Diagram of a variant's network: inputs, messages and outputs with their sizes."""
    features, width = 2 * dim + 2, variant.width(dim)
    hidden = " - ".join(map(str, variant.hidden))
    edge = "edge(i, j) - edge(j, i)" if variant.antisymmetric else "edge(i, j)"
    message = f"message\n{width} channels" + (",\nmean and variance" if variant.gaussian else "")
    node = "node(i, sum)"
    if variant.network == "hamiltonian":
        edge, node = "pair(i, j) + pair(j, i)", "(sum - self'(i)) / m"
        message = f"message: minus the\nslope in x of i, {width}"
    boxes = [
        (f"bodies i and j\n2 x {features} numbers", "white"),
        (f"{edge}\n{hidden}", "C0"),
        (message, "C1"),
        ("sum over j", "white"),
        (f"{node}\n{hidden}", "C0"),
        (f"acceleration of i\n{dim} numbers", "white"),
    ]
    figure, axis = plt.subplots(figsize=(11, 1.5))
    for k, (text, colour) in enumerate(boxes):
        shade = "white" if colour == "white" else (*sns.color_palette()[int(colour[1])], 0.25)
        look = {"boxstyle": "round,pad=0.5", "facecolor": shade, "edgecolor": INK}
        axis.text(2.1 * k, 0, text, ha="center", va="center", fontsize=9.5, bbox=look, zorder=2)
        if k:
            axis.annotate("", (2.1 * k - 0.85, 0), (2.1 * k - 1.25, 0), arrowprops={"arrowstyle": "->", "color": INK})
    axis.set(xlim=(-1.2, 2.1 * len(boxes) - 1), ylim=(-0.6, 0.6))
    axis.axis("off")
    return figure


def error_against_distance(bodies: np.ndarray, error: np.ndarray, bins: int = 25) -> Figure:
    """Quartiles of a body's |error|_1 [graphs, n] against the distance of its neighbour; bodies [graphs, n, 2*dim+2]."""
    position = Bodies(bodies).position
    apart = np.linalg.norm(position[:, :, None] - position[:, None], axis=-1)
    nearest = np.where(np.eye(bodies.shape[1], dtype=bool), np.inf, apart).min(axis=-1).ravel()
    edges = np.quantile(nearest, np.linspace(0, 1, bins + 1))
    group = np.clip(np.searchsorted(edges, nearest) - 1, 0, bins - 1)
    quartiles = np.array([np.quantile(error.ravel()[group == k], [0.25, 0.5, 0.75]) for k in range(bins)])
    middle = np.array([np.median(nearest[group == k]) for k in range(bins)])
    figure, axis = plt.subplots(figsize=(5.5, 3))
    axis.fill_between(middle, quartiles[:, 0], quartiles[:, 2], alpha=0.25, linewidth=0, label="middle half")
    axis.loglog(middle, quartiles[:, 1], "o-", markersize=3, label="median")
    axis.set(xlabel=f"distance to the nearest body / {UNITS}", ylabel="|error|$_1$ of a body")
    _plain_numbers(axis.xaxis)
    _plain_numbers(axis.yaxis)
    axis.legend(frameon=False)
    return figure


def rollouts(true: np.ndarray, learned: np.ndarray) -> Figure:
    """True paths (thin) and learned ones (wide, pale) of trajectories [trajectories, times, n, 2*dim+2]."""
    figure, axes = plt.subplots(1, len(true), figsize=(3.2 * len(true), 3.4), squeeze=False)
    colours = sns.color_palette(n_colors=true.shape[2])
    for axis, exact, found in zip(axes[0], true, learned, strict=True):
        for k, colour in enumerate(colours):
            axis.plot(*found[:, k, :2].T, color=colour, linewidth=5, alpha=0.3, solid_capstyle="round")
            axis.plot(*exact[:, k, :2].T, color=colour, linewidth=1)
            axis.plot(*exact[-1, k, :2], "o", color=colour, markersize=4)
        _frame(axis, exact)
        axis.set_xlabel(f"x / {UNITS}")
    axes[0][0].set_ylabel(f"y / {UNITS}")
    return figure


def divergence(times: np.ndarray, true: np.ndarray, learned: dict[str, np.ndarray]) -> Figure:
    """Quartiles over trajectories of the mean distance of learned from true bodies [trajectories, times, n, 2*dim+2]."""
    figure, axis = plt.subplots(figsize=(5.5, 3))
    for name, found in learned.items():
        apart = np.linalg.norm(Bodies(true).position - Bodies(found).position, axis=-1).mean(axis=-1)
        low, middle, high = np.quantile(apart, [0.25, 0.5, 0.75], axis=0)
        axis.fill_between(times[1:], low[1:], high[1:], alpha=0.25, linewidth=0)
        axis.semilogy(times[1:], middle[1:], label=f"{name}, median and middle half")
    axis.set(xlabel=f"time / {UNITS}", ylabel=f"distance / {UNITS}")
    axis.legend(frameon=False)
    return figure


def channel_spread(information: np.ndarray, chosen: np.ndarray, label: str) -> Figure:
    """Spread or divergence of each message channel [channels], in falling order, the chosen ones marked."""
    order = np.argsort(-information, kind="stable")[:20]
    figure, axis = plt.subplots(figsize=(5, 2.8))
    axis.bar(range(len(order)), information[order], color=["C1" if k in chosen else "C0" for k in order])
    first = " (the first 20)" if len(information) > len(order) else ""
    axis.set(xlabel=f"channels, in falling order{first}", ylabel=label, xticks=[], xlim=(-0.8, max(len(order), 8) - 0.2))
    axis.legend(handles=[Patch(color="C1", label="chosen"), Patch(color="C0", label="others")], frameon=False)
    return figure


def message_against_fit(messages: np.ndarray, fits: dict[str, np.ndarray], most: int = 3_000) -> Figure:
    """Each message channel (rows) against its best linear combination of true quantities (columns), with its R^2."""
    pick = np.linspace(0, len(messages) - 1, min(most, len(messages))).astype(int)
    channels = messages.shape[1]
    figure, axes = plt.subplots(channels, len(fits), figsize=(3.2 * len(fits), 2.6 * channels + 0.2), squeeze=False)
    for column, (name, fitted) in zip(axes.T, fits.items(), strict=True):
        explained = r_squared(messages.astype(float), fitted)
        for row, axis in enumerate(column):
            axis.scatter(fitted[pick, row], messages[pick, row], s=3, alpha=0.4, linewidths=0, rasterized=True)
            axis.axline((fitted[pick, row].mean(),) * 2, slope=1, color=INK, linewidth=0.8, zorder=0)
            low, high = np.quantile(messages[pick, row], [0.005, 0.995])
            axis.set(xlim=(low, high), ylim=(low, high))
            axis.text(0.04, 0.92, f"$R^2$ = {explained[row]:.3f}", transform=axis.transAxes, fontsize=9)
        # below the last row alone: between rows it would pass for the title of the next
        column[-1].set_xlabel(f"best fit on the {name}")
    for row, axis in enumerate(axes[:, 0]):
        axis.set_ylabel(f"message {row + 1}")
    return figure


def gauge(mass: np.ndarray, charge: np.ndarray, g: np.ndarray, most: int = 600) -> Figure:
    """The gauge g of receivers [edges] against their mass and, where charges vary, their charge.

    Lines are the gauges of a force (constant) and of an acceleration (1/m), and the field's (1/q). The sign is chosen by
    `gauges.sign`.
    """
    g = np.copysign(1, gauges.sign(g, charge)) * g
    shown = np.argsort(mass)[:: max(1, len(mass) // most)]
    mass, charge, g = mass[shown], charge[shown], g[shown]
    charged = np.ptp(charge) > 0
    typical = float(np.median(np.abs(g)))
    figure, axes = plt.subplots(1, 1 + charged, figsize=(4.2 * (1 + charged), 3.4), squeeze=False, sharey=True)
    heavy, *rest = axes[0]
    signs = (("q > 0", charge > 0, SERIES[0]), ("q < 0", charge < 0, SERIES[1])) if charged else (("", mass > 0, SERIES[0]),)
    for words, own, colour in signs:
        heavy.plot(mass[own], g[own], ".", markersize=4, color=colour, label=words or None)
    line = np.geomspace(mass.min(), mass.max(), 200)
    # where most receivers are, the lines are as large as the gauge
    heavy.plot(line, np.median(np.abs(g) * mass) / line, "--", color=INK, linewidth=1, label="acceleration, 1/m")
    heavy.axhline(typical, linestyle=":", color=INK, linewidth=1, label="force, constant")
    heavy.axhline(0, color=INK, linewidth=0.6)
    top = 1.6 * float(np.quantile(np.abs(g), 0.99))
    heavy.set(xscale="log", xlabel=f"mass of the receiver / {UNITS}", ylabel="gauge g", ylim=(min(0, 1.2 * g.min()), top))
    for axis in rest:
        rng = np.random.default_rng(0)
        few = len(np.unique(charge)) < 10
        beside = charge + (rng.uniform(-0.1, 0.1, len(charge)) if few else 0)
        points = axis.scatter(beside, g, s=8, c=np.log10(mass), cmap="viridis", linewidths=0)
        figure.colorbar(points, ax=axis, label="log$_{10}$ of the mass")
        for side in (charge[charge < 0], charge[charge > 0]):
            if len(side) and g.min() < 0 < g.max():
                line = np.linspace(side.min(), side.max(), 100) if not few else np.linspace(side[0] - 0.2, side[0] + 0.2, 2)
                field = typical * (np.sign(line) if few else np.median(np.abs(charge)) / line)
                axis.plot(line, field, "--", color=INK, linewidth=1, label="field, 1/q" if side[0] > 0 else None)
        axis.axhline(typical, linestyle=":", color=INK, linewidth=1, label="force, constant")
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.set(xlabel=f"charge of the receiver / {UNITS}")
        if few:
            axis.set_xticks(np.unique(charge))
    for axis in axes[0]:
        axis.legend(frameon=False, fontsize=8)
    return figure


def formation(watched: pd.DataFrame) -> Figure:
    """Sparsity, both R^2 and the gauge's exponent against graphs seen."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    shown = watched[watched["graphs"] > 0]  # the axis is logarithmic
    for name, label in (("r2_force", "$R^2$ force"), ("r2_acceleration", "$R^2$ acceleration"), ("sparsity", "sparsity")):
        axes[0].semilogx(shown["graphs"], shown[name], label=label)
    axes[0].set(xlabel="graphs seen in training", ylabel="score", ylim=(-0.02, 1.02))
    axes[0].legend(frameon=False, fontsize=9)
    _levels(axes[1])
    points = axes[1].scatter(shown["graphs"], shown["exponent"], s=14, c=shown["r2_exponent"], cmap="mako_r", vmin=0, vmax=1)
    figure.colorbar(points, ax=axes[1], label="$R^2$ in that gauge")
    axes[1].set(xscale="log", xlabel="graphs seen in training", ylabel="k of the gauge $m_i^{-k}$")
    return figure


def _levels(axis: Axes) -> None:
    """Dotted lines at the exponents of force and acceleration, named on the axis, on which they stand."""
    for level in (0, 1):
        axis.axhline(level, color=INK, linewidth=0.8, linestyle=":", zorder=0)
    axis.set(ylim=(-0.6, 1.6), yticks=[-0.5, 0, 0.5, 1, 1.5], yticklabels=["−0.5", "force 0", "0.5", "accel. 1", "1.5"])


def animate_formation(watched: pd.DataFrame, sent: list[np.ndarray], force: np.ndarray, path: Path) -> None:
    """Write the messages [edges, channels] of each moment against their best fit on the force [edges, dim] as a small GIF."""
    channels = force.shape[1]
    figure, axes = plt.subplots(1, channels, figsize=(2.3 * channels, 2.5))
    final = np.quantile(sent[-1], [0.01, 0.99], axis=0)
    clouds = []
    for k, axis in enumerate(axes):
        axis.axline((final[0, k],) * 2, slope=1, color=INK, linewidth=0.8, zorder=0)
        axis.set(xlim=final[:, k], ylim=final[:, k], xticks=[], yticks=[])
        clouds.append(axis.scatter([], [], s=4, alpha=0.5, linewidths=0))

    def draw(moment: int) -> None:
        fit = linear_fit(force, sent[moment])
        fitted = fit(force)
        for k, (axis, cloud) in enumerate(zip(axes, clouds, strict=True)):
            cloud.set_offsets(np.column_stack([fitted[:, k], sent[moment][:, k]]))
            axis.set_title(f"message {k + 1}: $R^2$ {fit.r2[k]:.2f}", fontsize=9)
        figure.supxlabel(f"fit on the force, after {watched['graphs'].iloc[moment]:,.0f} graphs", fontsize=9)

    film(figure, draw, range(len(sent)), path, fps=6)


def fronts(tables: list[pd.DataFrame], marked: list[int], recovered: bool) -> Figure:
    """Loss against complexity of each channel's front; the verdict's expression marked."""
    figure, axes = plt.subplots(1, len(tables), figsize=(4 * len(tables), 3.2), sharey=True, squeeze=False)
    for k, (axis, table, row) in enumerate(zip(axes[0], tables, marked, strict=True)):
        axis.semilogy(table["complexity"], table["loss"], drawstyle="steps-post", marker="o", markersize=4, zorder=1)
        label = "the law" if recovered else "engine's choice"
        axis.plot(table["complexity"][row], table["loss"][row], "*", markersize=16, color="C1", label=label)
        axis.set(xlabel=f"complexity of the formula for message {k + 1}")
        axis.legend(frameon=False)
    axes[0][0].set_ylabel("unexplained, $1 - R^2$")
    return figure


def encodings(table: pd.DataFrame) -> Figure:
    """Every run by its trimmed R^2 against force and acceleration: a panel a law, a colour a variant, hollow in 3D."""
    law, dim = (table["system"].str.rpartition("-")[part] for part in (0, 2))
    laws, variants = list(dict.fromkeys(law)), list(dict.fromkeys(table["variant"]))
    figure, axes = _panels(len(laws), (2.4, 2.4))
    for axis, name in zip(axes.flat, laws, strict=False):
        for variant in variants:
            for inside in dict.fromkeys(dim):
                rows = table[(law == name) & (dim == inside) & (table["variant"] == variant)]
                colour = of_variant(variant)
                look = {"s": 34, "alpha": 0.9, "edgecolors": colour, "facecolors": "none" if inside == "3d" else colour}
                axis.scatter(rows["r2_force_trimmed"], rows["r2_acceleration_trimmed"], **look)
        axis.set(title=name, xlim=(-0.06, 1.06), ylim=(-0.06, 1.06), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    figure.supxlabel("trimmed $R^2$ against the force", fontsize="medium")
    figure.supylabel("trimmed $R^2$ against the acceleration", fontsize="medium")
    dots = [Line2D([], [], marker="o", linestyle="", color=of_variant(variant), label=variant) for variant in variants]
    for inside in dict.fromkeys(dim):
        fill = "none" if inside == "3d" else INK
        dots.append(Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor=fill, label=inside.upper()))
    figure.legend(handles=dots, loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _panels(count: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    """`count` panels of a size in inches, in rows of four, with room for a legend; axes [rows, columns]."""
    columns = min(4, count)
    rows = -(-count // columns)
    total = (size[0] * columns + 1, size[1] * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=total, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, axes


def gauges_forming(watched: dict[str, pd.DataFrame]) -> Figure:
    """The exponent k of the gauge m^-k against graphs seen, a panel a system and a colour a variant."""
    systems = list(dict.fromkeys(name.partition("/")[0] for name in watched))
    variants = list(dict.fromkeys(name.partition("/")[2] for name in watched))
    figure, axes = _panels(len(systems), (2.4, 2.2))
    for axis, system in zip(axes.flat, systems, strict=False):
        _levels(axis)
        for name, frame in watched.items():
            if name.startswith(f"{system}/"):
                # where no such gauge fits, its exponent means nothing
                fitted = frame[(frame["graphs"] > 0) & (frame["r2_exponent"] > 0.5)]
                colour = of_variant(name.partition("/")[2])
                axis.semilogx(fitted["graphs"], fitted["exponent"], marker=".", markersize=4, color=colour)
        axis.set(title=system)
    figure.supxlabel("graphs seen in training", fontsize="medium")
    figure.supylabel("k of the gauge $m_i^{-k}$", fontsize="medium")
    lines = [Line2D([], [], marker=".", color=of_variant(variant), label=variant) for variant in variants]
    figure.legend(handles=lines, loc="outside right upper", frameon=False, fontsize=9)
    return figure


def tunings(answers: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Messages per unit of force [directions, channels] against the direction of the force [directions], a panel a run."""
    figure, axes = plt.subplots(1, len(answers), figsize=(3.2 * len(answers), 2.8), squeeze=False)
    for axis, (name, (direction, answer)) in zip(axes[0], answers.items(), strict=True):
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.plot(direction, answer)
        axis.set(title=name, xlabel="direction of the force, degrees", xticks=[-180, -90, 0, 90, 180], yticks=[])
    axes[0][0].set_ylabel("message / |force|")
    return figure


def paired_comparison(pairs: pd.DataFrame, label: str) -> Figure:
    """A score of runs with reciprocal messages (full) and without (hollow), a panel a variant and a line a system."""
    variants, systems = pairs["variant"].unique(), pairs["system"].unique()
    size = (1.8 * len(variants) + 2.6, 0.25 * len(systems) + 0.9)
    figure, axes = plt.subplots(1, len(variants), figsize=size, sharex=True, sharey=True, squeeze=False)
    lines = {system: -place for place, system in enumerate(systems)}
    for axis, variant in zip(axes.flat, variants, strict=True):
        rows = pairs[pairs["variant"] == variant]
        place = rows["system"].map(lines)
        axis.hlines(place, rows["without"], rows["with"], color=INK, linewidth=0.8)
        colour = of_variant(variant)
        for way, fill in (("without", "white"), ("with", colour)):
            axis.plot(rows[way], place, "o", color=colour, markerfacecolor=fill)
        axis.set(title=variant, xlim=(-0.08, 1.08), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
    axes[0][0].set_yticks([*lines.values()], [*lines])
    ways = (("without reciprocity", "white"), ("with", INK))
    dots = [Line2D([], [], marker="o", linestyle="", color=INK, markerfacecolor=fill, label=way) for way, fill in ways]
    figure.legend(handles=dots, loc="outside right upper", frameon=False, fontsize=9)
    figure.supxlabel(label, fontsize="medium")
    return figure


def heat(table: pd.DataFrame, title: str) -> Figure:
    """Values between 0 and 1 as a heat map: rows systems or gauges, columns variants, but for those without any."""
    table = table.dropna(axis=1, how="all").dropna(how="all")
    figure, axis = plt.subplots(figsize=(0.95 * len(table.columns) + 1.6, 0.38 * len(table) + 1.1))
    look = {"fmt": ".3f", "annot_kws": {"size": "small"}, "cmap": "mako", "linewidths": 1}
    shown = table.astype(float).round(3) + 0.0  # no zero with a minus
    sns.heatmap(shown, annot=True, vmin=0, vmax=1, cbar=False, ax=axis, **look)
    axis.set(title=title, xlabel="", ylabel="")
    axis.tick_params(length=0)
    return figure


def outcomes(table: pd.DataFrame, down: str, across: str, labels: dict[str, str]) -> Figure:
    """What was announced, `outcome`, of each system, over two columns of a table: a panel a system, a square a cell."""
    systems = list(dict.fromkeys(table["system"]))
    figure, axes = plt.subplots(1, len(systems), figsize=(2.6 * len(systems) + 0.6, 3.2), sharey=True, squeeze=False)
    numbers = {name: k for k, name in enumerate(OUTCOMES)}
    rows, columns = sorted(set(table[down]), reverse=True), sorted(set(table[across]))
    for axis, system in zip(axes[0], systems, strict=True):
        cells = (
            table[table["system"] == system].pivot(index=down, columns=across, values="outcome").reindex(rows, columns=columns)
        )
        colours = sns.color_palette(list(OUTCOMES.values()))
        drawn = cells.replace(numbers).astype(float)
        look = {"cmap": colours, "vmin": -0.5, "vmax": 2.5, "cbar": False, "linewidths": 1}
        sns.heatmap(drawn, annot=cells.fillna(""), fmt="", annot_kws={"size": "small"}, ax=axis, **look)
        axis.set(title=system, xlabel=labels[across], ylabel=labels[down] if axis is axes[0][0] else "")
        axis.tick_params(length=0, labelrotation=0)
    return figure


def trials(table: pd.DataFrame, colour_by: str, measures: dict[str, str]) -> Figure:
    """Measures of runs, less is better: a row of panels a measure, a column a system, a line a variant, and a colour for
    each value of the column `colour_by`."""
    systems, lines = table["system"].unique(), {variant: -place for place, variant in enumerate(table["variant"].unique())}
    size = (2.5 * len(systems) + 2, (0.22 * len(lines) + 0.8) * len(measures))
    figure = plt.figure(figsize=size)
    values = table[colour_by].unique()
    for part, (measure, words) in zip(np.atleast_1d(figure.subfigures(len(measures), 1)), measures.items(), strict=True):
        axes = part.subplots(1, len(systems), sharex=True, sharey=True, squeeze=False)[0]
        for axis, system in zip(axes, systems, strict=True):
            for value, colour in zip(values, sns.color_palette(n_colors=len(values)), strict=True):
                runs = table[(table["system"] == system) & (table[colour_by] == value)]
                axis.semilogx(runs[measure], runs["variant"].map(lines), "o", alpha=0.85, color=colour, label=value)
            axis.set(title=system)
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(axis="y", linewidth=0.5)
        axes[0].set_yticks([*lines.values()], [*lines])
        axes[-1].legend(frameon=False, bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=9)
        part.supxlabel(words, fontsize="medium")
    return figure


def work_precision(table: pd.DataFrame) -> Figure:
    """Throughput against energy error of each system, a line for each way of integrating."""
    systems = table["system"].unique()
    columns = min(5, len(systems))
    rows = -(-len(systems) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.9 * columns, 2.7 * rows), squeeze=False, sharex=True, sharey=True)
    for axis, system in zip(axes.flat, systems, strict=False):
        for way, points in table[table["system"] == system].groupby("way"):
            points = points.sort_values("tolerance")
            axis.loglog(points["energy_error_95"], points["trajectories_per_second"], "o-", markersize=4, label=way)
        axis.set_title(system)
    for axis in axes.flat[len(systems) :]:
        axis.set_visible(False)
    axes.flat[0].legend(frameon=False)
    figure.supxlabel("95th percentile of the relative energy error")
    figure.supylabel("trajectories per second")
    return figure
