"""A figure to play with: messages against m^-k f for any k, and what is announced at a level of noise.

It is one piece of HTML with all that it needs inside, so that a page with it works from disk and without a network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib import paths
from lib.files import read_json
from lib.messages import extraction
from lib.messages.extraction import Edges
from lib.network import weights
from lib.network.catalogue import CORE, parse_run
from lib.network.variants import VARIANTS, get_variant
from lib.physics import datasets
from lib.physics.forces import Pairs, pair_force, pair_inputs
from lib.physics.laws import get_law
from lib.physics.systems import DIMENSIONS, parse_system
from lib.report import noise_maps, palette
from lib.runs import Run, System
from lib.selection.judgement import judge
from lib.selection.law import LAW, noise_folder, read_announcement

EDGES = 400
"""Of a system's frozen test set, evenly spread: those whose messages are shown."""
EXPONENTS = np.linspace(-0.5, 1.5, 41)
"""The k of m^-k that can be chosen."""
DIGITS = 4
"""Significant digits of what is shown."""
SHOWN = (*VARIANTS, "hamiltonian")
SYSTEMS = tuple(f"{law}-{dim}d" for dim in DIMENSIONS for law in CORE)
ACCELERATION = "of the median acceleration"
"""The unit of noise on accelerations."""
HERE = Path(__file__).parent

Json = dict[str, Any]


def data(profile: str = "full") -> Json:
    """All that the figure shows: messages of the core systems' runs whose weights are at hand, and noise maps."""
    systems = {name: found for name in SYSTEMS if (found := of_system(parse_system(name), profile))["messages"]}
    used = [name for name in SHOWN if any(name in one["messages"] for one in systems.values())]
    variants = {name: {"title": get_variant(name).title, "colour": palette.of_variant(name)} for name in used}
    table = noise_maps.read(paths.noise_maps(profile))
    maps = [*of_noise_maps(table), *of_runs(profile)]
    exponents = EXPONENTS.round(2).tolist()
    return {"exponents": exponents, "systems": systems, "variants": variants, "maps": maps, "outcomes": palette.OUTCOMES}


def of_system(system: System, profile: str = "full") -> Json:
    """Edges of a system's frozen test set: true forces, the receiver's mass and charge, and by variant the messages and R².

    `typical` tells the edges whose force is not among the strongest twentieth of all.
    """
    inputs = pair_inputs(system, datasets.frozen(system).graphs()[0]).reshape(-1, system.dim + 5)
    force = pair_force(system.law, inputs)
    shown = np.linspace(0, len(force) - 1, min(EDGES, len(force))).astype(int)
    pairs, runs = Pairs(inputs[shown]), [Run(system, name, profile=profile) for name in SHOWN]
    charged = {"charge": _rounded(pairs.q1)} if system.law == "charge" else {}
    return {
        "title": get_law(system.law).title,
        "edges": len(force),
        "mass": _rounded(pairs.m1),
        "force": _rounded(force[shown].T),
        "typical": _typical(force)[shown].astype(int).tolist(),
        "messages": {run.variant: of_run(run, shown) for run in runs if paths.weights(run).exists()},
    } | charged


def _typical(force: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(force, axis=1)
    return size < np.quantile(size, extraction.TRIM)


def of_run(run: Run, shown: np.ndarray) -> Json:
    """A run's messages in the channels of most `information`, on the shown edges of the frozen test set, and the R² of their
    linear fit on m^-k f by the exponent k, over all its edges and trimmed; where bodies have charges, on m^-k f / q too."""
    model, _ = weights.load(run)
    edges = extraction.extract(model, run, datasets.frozen(run.system))
    sent = edges.messages[:, extraction.choose_channels(edges, run.system.dim)]
    fields = {"force": np.ones(len(sent))} | ({"field": edges.pairs.q1} if run.system.law == "charge" else {})
    parts = {"all": np.full(len(sent), True), "trimmed": _typical(edges.force)}
    scores = {
        name: {part: scored(edges.take(own), sent[own], charge[own]) for part, own in parts.items()}
        for name, charge in fields.items()
    }
    return {"sent": _rounded(sent[shown].T), "r2": scores}


def scored(edges: Edges, sent: np.ndarray, charge: np.ndarray) -> list[float]:
    """Mean R² over channels of the linear fit of messages [edges, channels] on m^-k f / charge, for each of `EXPONENTS`."""
    mass = edges.pairs.m1
    true = (edges.force / (mass**k * charge)[:, None] for k in EXPONENTS)
    return [round(float(extraction.linear_fit(x, sent).r2.mean()), 6) for x in true]


def _rounded(values: np.ndarray) -> list:
    return [_rounded(row) if row.ndim else float(f"{row:.{DIGITS}g}") for row in np.asarray(values, float)]


def of_noise_maps(table: pd.DataFrame) -> list[Json]:
    """Maps of the noise of what is measured, without any network, from the table that `lib.report.noise_maps` fills."""
    words = {
        "accelerations": ("accelerations, no network", ACCELERATION, "trajectories"),
        "positions": ("positions alone, no network", "of the spread of positions", "each"),
    }
    columns = {"trajectories": "number of trajectories", "each": "snapshots from one measured to the next"}
    found = []
    for measured, (title, unit, across) in words.items():
        rows = table[table["measured"] == measured]
        if len(rows):
            cells = {
                (float(row.noise), row.system, str(getattr(row, across))): [row.outcome, row.expression or row.reason]
                for row in rows.itertuples()
            }
            order = [str(value) for value in sorted(rows[across].unique())]
            found.append(_map(title, unit, columns[across], order, cells))
    return found


def of_runs(profile: str) -> list[Json]:
    """The map of noise on accelerations for runs of networks: those whose records with noise are there."""
    cells = {}
    for name in SYSTEMS:
        for variant in SHOWN:
            run = parse_run(name, variant, profile=profile)
            folder = paths.outputs(run)
            levels = [float(path.parent.name.removeprefix("noise-")) for path in folder.glob(f"noise-*/{LAW}")]
            for noise in {0.0, *levels} if levels else ():
                told = read_announcement(read_json(folder / noise_folder(noise) / LAW))
                cells[noise, name, variant] = [
                    judge(told, run.system).outcome,
                    told.law.text if told.announced else told.reason,
                ]
    order = [name for name in SHOWN if any(name == column for *_, column in cells)]
    return [_map("accelerations, fitted beside a network", ACCELERATION, "variant", order, cells)] if cells else []


def _map(title: str, unit: str, across: str, columns: list[str], cells: dict[tuple[float, str, str], list[str]]) -> Json:
    levels = sorted({noise for noise, *_ in cells})
    rows = [name for name in SYSTEMS if any(name == row for _, row, _ in cells)]
    values = [[[cells.get((noise, row, column)) for column in columns] for row in rows] for noise in levels]
    return {"title": title, "unit": unit, "across": across, "levels": levels, "rows": rows, "columns": columns, "cells": values}


def html(content: Json) -> str:
    """The figure as a piece of HTML: its markup, its data and its script."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    markup, script = ((HERE / f"explorer.{kind}").read_text(encoding="utf-8") for kind in ("html", "js"))
    return f'{markup}<script type="application/json" id="play-data">{text}</script>\n<script>\n{script}</script>\n'
