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
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lib.messages.extraction import linear_fit
from lib.network.variants import Variant
from lib.physics.bodies import Bodies
from lib.physics.laws import M1, M2, Q1, Q2, SOFTENING, Law, S

INK = "#333333"


def style() -> None:
    """Set the style of all figures: small, plain, readable when compressed."""
    plt.rcdefaults()  # a user's own settings are for other figures
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
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


def trails(features: np.ndarray, count: int = 4) -> Figure:
    """Paths of the first `count` trajectories [trajectories, times, n, 2*dim+2], fading in; dots as heavy as bodies."""
    figure, axes = plt.subplots(1, count, figsize=(3.2 * count, 3.2))
    colours = sns.color_palette(n_colors=features.shape[2])
    for axis, bodies in zip(axes, features[:count], strict=True):
        for k in range(bodies.shape[1]):
            path = bodies[:, k, :2]
            segments = np.stack([path[:-1], path[1:]], axis=1)
            shades = [(*colours[k], alpha) for alpha in np.linspace(0.05, 1, len(segments))]
            axis.add_collection(LineCollection(list(segments), colors=shades, linewidths=1.8))
            axis.scatter(*path[-1], s=25 * Bodies(bodies).mass[-1, k] ** (2 / 3), color=colours[k], zorder=3)
        axis.autoscale_view()
        axis.set(aspect="equal", xlabel="x", xticks=[], yticks=[])
    axes[0].set_ylabel("y")
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
    low, high = bodies[..., :2].min(axis=(0, 1)), bodies[..., :2].max(axis=(0, 1))
    centre, half = (low + high) / 2, 0.55 * max(high - low)
    axis.set(xlim=centre[0] + [-half, half], ylim=centre[1] + [-half, half], aspect="equal", xticks=[], yticks=[])
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
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.6))
    for axis, values, label in zip(axes, (force, potential), ("force", "potential"), strict=True):
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.plot(r, values)
        axis.set(xlabel="r", ylabel=label)
        if np.abs(values).max() > 20:
            axis.set_yscale("symlog", linthresh=1)
    return figure


def energy_drift(times: np.ndarray, error: np.ndarray) -> Figure:
    """Quantiles over trajectories of the relative energy error [trajectories, times]."""
    figure, axis = plt.subplots(figsize=(6.5, 3))
    for quantile, shade in ((0.5, 1.0), (0.95, 0.65), (1.0, 0.35)):
        label = {0.5: "median", 0.95: "95th percentile", 1.0: "largest"}[quantile]
        axis.semilogy(times[1:], np.quantile(error, quantile, axis=0)[1:], color="C0", alpha=shade, label=label)
    axis.set(xlabel="time", ylabel="relative energy error")
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def acceleration_sizes(accelerations: np.ndarray) -> Figure:
    """Fraction of bodies whose |a| exceeds a value; accelerations [..., dim]."""
    size = np.sort(np.linalg.norm(accelerations, axis=-1).ravel())[::-1]
    pick = np.unique(np.geomspace(1, len(size), 400).astype(int)) - 1
    figure, axis = plt.subplots(figsize=(5, 3))
    axis.loglog(size[pick], (pick + 1) / len(size))
    axis.set(xlabel="|a|", ylabel="fraction of bodies above")
    return figure


def learning_curve(history: pd.DataFrame) -> Figure:
    """Training and validation loss against graphs seen, with the channels kept where they were pruned."""
    figure, axis = plt.subplots(figsize=(5.5, 3.2))
    axis.loglog(history["graphs"], history["train_loss_per_node"], color="C0", alpha=0.5, label="training")
    axis.loglog(history["graphs"], history["validation_loss_per_node"], color="C0", label="validation")
    axis.set(xlabel="graphs seen", ylabel="|error|$_1$ per node")
    if history["channels"].nunique() > 1:
        twin = axis.twinx()
        twin.plot(history["graphs"], history["channels"], color="C1")
        twin.set_ylabel("channels kept", color="C1")
    axis.legend(frameon=False)
    return figure


def predicted_against_true(true: np.ndarray, predicted: np.ndarray, symbol: str = "a", most: int = 3_000) -> Figure:
    """First two components of predicted against true vectors [..., dim], accelerations unless `symbol` says otherwise."""
    true, predicted = (a.reshape(-1, a.shape[-1]) for a in (true, predicted))
    pick = np.linspace(0, len(true) - 1, most).astype(int)
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2))
    for k, axis in enumerate(axes):
        axis.scatter(true[pick, k], predicted[pick, k], s=3, alpha=0.4, linewidths=0, rasterized=True)
        axis.axline((0, 0), slope=1, color=INK, linewidth=0.8, zorder=0)
        axis.set(xlabel=f"true ${symbol}_{'xyz'[k]}$", ylabel=f"predicted ${symbol}_{'xyz'[k]}$")
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
    axis.set(xlabel="distance to the nearest body", ylabel="|error|$_1$")
    axis.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for formatter in (axis.xaxis.set_major_formatter, axis.xaxis.set_minor_formatter):
        formatter("{x:g}")
    axis.legend(frameon=False)
    return figure


def rollouts(true: np.ndarray, learned: np.ndarray) -> Figure:
    """True paths (thin) and learned ones (wide, pale) of trajectories [trajectories, times, n, 2*dim+2]."""
    figure, axes = plt.subplots(1, len(true), figsize=(3.2 * len(true), 3.2))
    colours = sns.color_palette(n_colors=true.shape[2])
    for axis, exact, found in zip(axes, true, learned, strict=True):
        for k, colour in enumerate(colours):
            axis.plot(*found[:, k, :2].T, color=colour, linewidth=5, alpha=0.3, solid_capstyle="round")
            axis.plot(*exact[:, k, :2].T, color=colour, linewidth=1)
            axis.plot(*exact[-1, k, :2], "o", color=colour, markersize=4)
        low, high = exact[..., :2].min(axis=(0, 1)), exact[..., :2].max(axis=(0, 1))
        centre, half = (low + high) / 2, 0.6 * max(high - low)
        axis.set(xlim=centre[0] + [-half, half], ylim=centre[1] + [-half, half], aspect="equal", xticks=[], yticks=[])
    return figure


def divergence(times: np.ndarray, true: np.ndarray, learned: dict[str, np.ndarray]) -> Figure:
    """Quartiles over trajectories of the mean distance of learned from true bodies [trajectories, times, n, 2*dim+2]."""
    figure, axis = plt.subplots(figsize=(5.5, 3))
    for name, found in learned.items():
        apart = np.linalg.norm(Bodies(true).position - Bodies(found).position, axis=-1).mean(axis=-1)
        low, middle, high = np.quantile(apart, [0.25, 0.5, 0.75], axis=0)
        axis.fill_between(times[1:], low[1:], high[1:], alpha=0.25, linewidth=0)
        axis.semilogy(times[1:], middle[1:], label=f"{name}, median and middle half")
    axis.set(xlabel="time", ylabel="distance from the truth")
    axis.legend(frameon=False)
    return figure


def channel_spread(information: np.ndarray, chosen: np.ndarray, label: str) -> Figure:
    """Spread or divergence of each message channel [channels], in falling order, the chosen ones marked."""
    order = np.argsort(-information, kind="stable")[:20]
    figure, axis = plt.subplots(figsize=(5, 2.8))
    axis.bar(range(len(order)), information[order], color=["C1" if k in chosen else "C0" for k in order])
    axis.set(xlabel="channel, in falling order (the first 20)", ylabel=label, xticks=[])
    return figure


def message_against_fit(messages: np.ndarray, fits: dict[str, np.ndarray], most: int = 3_000) -> Figure:
    """Each message channel (rows) against its best linear combination of true quantities (columns)."""
    pick = np.linspace(0, len(messages) - 1, most).astype(int)
    channels = messages.shape[1]
    figure, axes = plt.subplots(channels, len(fits), figsize=(3.2 * len(fits), 2.8 * channels), squeeze=False)
    for row in range(channels):
        for axis, (name, fitted) in zip(axes[row], fits.items(), strict=True):
            axis.scatter(fitted[pick, row], messages[pick, row], s=3, alpha=0.4, linewidths=0, rasterized=True)
            axis.axline((fitted[pick, row].mean(),) * 2, slope=1, color=INK, linewidth=0.8, zorder=0)
            low, high = np.quantile(messages[pick, row], [0.005, 0.995])
            axis.set(xlim=(low, high), ylim=(low, high))
            axis.set_xlabel(f"fit on the {name}")
            axis.set_ylabel(f"message {row + 1}")
    return figure


def formation(watched: pd.DataFrame) -> Figure:
    """Sparsity, both R^2 and the gauge's exponent against graphs seen."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    shown = watched[watched["graphs"] > 0]  # the axis is logarithmic
    for name, label in (("r2_force", "$R^2$ force"), ("r2_acceleration", "$R^2$ acceleration"), ("sparsity", "sparsity")):
        axes[0].semilogx(shown["graphs"], shown[name], label=label)
    axes[0].set(xlabel="graphs seen", ylim=(-0.02, 1.02))
    axes[0].legend(frameon=False)
    for level, label in ((0, "force"), (1, "acceleration")):
        axes[1].axhline(level, color=INK, linewidth=0.8, linestyle=":")
        axes[1].text(shown["graphs"].min(), level + 0.03, label, fontsize=9)
    axes[1].scatter(shown["graphs"], shown["exponent"], s=14, c=shown["r2_exponent"], cmap="mako_r", vmin=0, vmax=1)
    axes[1].set(xscale="log", xlabel="graphs seen", ylabel="k of the gauge $m_i^{-k}$", ylim=(-0.6, 1.6))
    return figure


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
        axis.semilogy(table["complexity"], table["loss"], drawstyle="steps-post", marker="o", markersize=4)
        label = "the law" if recovered else "engine's choice"
        axis.plot(table["complexity"][row], table["loss"][row], "*", markersize=16, color="C1", label=label)
        axis.set(xlabel="complexity", title=f"message {k + 1}")
        axis.legend(frameon=False)
    axes[0][0].set_ylabel("$1 - R^2$")
    return figure


def encodings(table: pd.DataFrame) -> Figure:
    """Every run by its trimmed R^2 against force and acceleration."""
    figure, axis = plt.subplots(figsize=(5.2, 4.2))
    # the palette has three oranges and two pinks, too alike for points: the second of each come last
    colours = [f"C{k}" for k in (7, 1, 2, 4, 9, 0, 8, 6, 3, 5)][: table["variant"].nunique()]
    looks = {"hue": "variant", "style": "system", "palette": colours, "s": 70, "alpha": 0.85}
    sns.scatterplot(table, x="r2_force_trimmed", y="r2_acceleration_trimmed", **looks, ax=axis)
    axis.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xlabel="trimmed $R^2$, force", ylabel="trimmed $R^2$, acceleration")
    axis.legend(frameon=False, bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=9)
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
    """The exponent k of the gauge m^-k against graphs seen, a panel a system and a line a variant."""
    systems = list(dict.fromkeys(name.partition("/")[0] for name in watched))
    figure, axes = _panels(len(systems), (2.6, 2.4))
    for axis, system in zip(axes.flat, systems, strict=False):
        for level in (0, 1):
            axis.axhline(level, color=INK, linewidth=0.8, linestyle=":")
        for name, frame in watched.items():
            if name.startswith(f"{system}/"):
                # where no such gauge fits, its exponent means nothing
                fitted = frame[(frame["graphs"] > 0) & (frame["r2_exponent"] > 0.5)]
                axis.semilogx(fitted["graphs"], fitted["exponent"], marker=".", markersize=4, label=name.partition("/")[2])
        axis.set(title=system, ylim=(-0.6, 1.6))
    figure.supxlabel("graphs seen", fontsize="medium")
    figure.supylabel("k of the gauge $m_i^{-k}$", fontsize="medium")
    axes[0][-1].legend(frameon=False, bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=9)
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
        for way, fill in (("without", "white"), ("with", "C0")):
            axis.plot(rows[way], place, "o", color="C0", markerfacecolor=fill, label=f"{way} reciprocity")
        axis.set(title=variant, xlim=(-0.05, 1.05))
    axes[0][0].set_yticks([*lines.values()], [*lines])
    axes[0][-1].legend(frameon=False, bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=9)
    figure.supxlabel(label, fontsize="medium")
    return figure


def heat(table: pd.DataFrame, title: str) -> Figure:
    """Values between 0 and 1 as a heat map: rows systems or gauges, columns variants, but for those without any."""
    table = table.dropna(axis=1, how="all").dropna(how="all")
    figure, axis = plt.subplots(figsize=(0.95 * len(table.columns) + 1.6, 0.38 * len(table) + 1.1))
    look = {"fmt": ".3f", "annot_kws": {"size": "small"}, "cmap": "mako", "linewidths": 1}
    sns.heatmap(table.astype(float), annot=True, vmin=0, vmax=1, cbar=False, ax=axis, **look)
    axis.set(title=title, xlabel="", ylabel="")
    axis.tick_params(length=0)
    return figure


OUTCOMES = {"right": "#029e73", "none": "#d9d9d9", "wrong": "#d55e00"}
"""Colours of what an announcement comes to."""


def outcomes(table: pd.DataFrame, down: str, across: str, labels: dict[str, str]) -> Figure:
    """What was announced, `outcome`, of each system, over two columns of a table: a panel a system, a square a cell."""
    systems = list(dict.fromkeys(table["system"]))
    figure, axes = plt.subplots(1, len(systems), figsize=(2.6 * len(systems) + 0.6, 3.2), sharey=True, squeeze=False)
    numbers = {name: k for k, name in enumerate(OUTCOMES)}
    for axis, system in zip(axes[0], systems, strict=True):
        cells = table[table["system"] == system].pivot(index=down, columns=across, values="outcome").sort_index(ascending=False)
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
    size = (2.6 * len(systems) + 2, (0.22 * len(lines) + 0.8) * len(measures))
    figure, axes = plt.subplots(len(measures), len(systems), figsize=size, sharex="row", sharey=True, squeeze=False)
    for row, (measure, words) in zip(axes, measures.items(), strict=True):
        for axis, system in zip(row, systems, strict=True):
            for value in table[colour_by].unique():
                runs = table[(table["system"] == system) & (table[colour_by] == value)]
                axis.semilogx(runs[measure], runs["variant"].map(lines), "o", alpha=0.85, label=value)
            axis.set(xlabel=words)
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(axis="y", linewidth=0.5)
    for axis, system in zip(axes[0], systems, strict=True):
        axis.set_title(system)
    axes[0][0].set_yticks([*lines.values()], [*lines])
    axes[0][-1].legend(frameon=False, bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=9)
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
