"""Figures of argon and of halos."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from lib.report.palette import INK, SERIES

FORCE = "kJ/mol/Å"


def radial_force(r: np.ndarray, found: np.ndarray, true: Callable[[np.ndarray], np.ndarray], most: int = 8_000) -> Figure:
    """Above, the force F(r) that the messages of pairs [pairs] at distances r [pairs], in Å, hold, and the true one; below,
    their difference. Forces are in kJ/mol/Å."""
    figure, axes = plt.subplots(2, 1, figsize=(6, 5), height_ratios=(2, 1), sharex=True)
    r, found = r[:most], found[:most]
    grid = np.linspace(r.min(), r.max(), 500)
    dots = {"s": 3, "linewidths": 0, "alpha": 0.6, "color": SERIES[0], "rasterized": True}
    axes[0].scatter(r, found, label="messages, a dot a pair", **dots)
    axes[0].plot(grid, true(grid), color=SERIES[1], linewidth=1.2, label="true force")
    axes[0].set(ylabel=f"F(r) / {FORCE}", ylim=(-0.8, 3))
    legend = axes[0].legend(frameon=False)
    legend.legend_handles[0].set_sizes([20])
    axes[1].scatter(r, found - true(r), **dots)
    axes[1].axhline(0, color=INK, linewidth=0.8)
    low, high = np.quantile(found - true(r), [0.01, 0.99])
    half = 1.5 * max(-low, high)
    axes[1].set(xlabel="distance r / Å", ylabel=f"difference / {FORCE}", ylim=(-half, half))
    return figure


def catalogue(positions: np.ndarray, masses: np.ndarray, delta: np.ndarray, usual: np.ndarray, depth: float = 30.0) -> Figure:
    """Halos [halos] of a slab, z below `depth`, coloured by their overdensity, and how overdensities are distributed.

    Positions [halos, 3] and depth are in Mpc/h; `usual` is the index of those that are seen in training.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), width_ratios=(1.15, 1))
    slab = positions[:, 2] < depth
    points = axes[0].scatter(*positions[slab, :2].T, s=6 * masses[slab], c=delta[slab], cmap="viridis", linewidths=0)
    figure.colorbar(points, ax=axes[0], label="overdensity δ")
    axes[0].set(xlabel="x / Mpc/h", ylabel="y / Mpc/h", aspect="equal")
    axes[1].hist([delta[usual], np.delete(delta, usual)], bins=60, stacked=True, label=["seen in training", "densest fifth"])
    axes[1].set(xlabel="overdensity δ", ylabel="halos")
    axes[1].legend(frameon=False)
    return figure


def halo_messages(distance: np.ndarray, sent: np.ndarray, mass: np.ndarray, most: int = 5_000) -> Figure:
    """Messages [pairs] against the distance to the neighbour, in Mpc/h, coloured by its mass [pairs]."""
    figure, axis = plt.subplots(figsize=(6, 3.4))
    look = {"s": 3, "linewidths": 0, "cmap": "viridis", "rasterized": True}
    points = axis.scatter(distance[:most], sent[:most], c=np.log10(mass[:most]), **look)
    figure.colorbar(points, ax=axis, label="log$_{10}$ of the neighbour's mass")
    axis.set(xlabel="distance to the neighbour / Mpc/h", ylabel="message")
    return figure
