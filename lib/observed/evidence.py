"""From a recording to evidence: rates that were measured, or their averages over windows where only positions were."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from lib.observed.derivatives import smooth
from lib.observed.noise import noise_of
from lib.observed.recording import Experiment, Recording
from lib.observed.weak_form import weak_rows
from lib.selection.evidence import Evidence
from lib.selection.motion import Motion

RATES = {1: "velocity", 2: "acceleration"}
"""What a law of each order of the motion gives."""
FEW = 8
"""Trajectories below which what is held out are stretches of time instead."""
STRETCHES = 40
"""Stretches of time, over all trajectories."""


def evidence_of(recording: Recording, order: int, reach: float = np.inf) -> Evidence:
    """What a law of this order must explain: accelerations (2) or velocities (1).

    As they were measured, if they were; else by the weak form. In the frame of one of the bodies only differences count.
    """
    measured = were_measured(recording, order)
    found = _measured(recording, RATES[order], order, reach) if measured else _averaged(recording, order, reach)
    return found if recording.frame == "inertial" else found.centred()


def were_measured(recording: Recording, order: int) -> bool:
    """Whether the rates that a law of this order gives were measured."""
    return all(getattr(one, RATES[order]) is not None for one in recording.experiments)


def _measured(recording: Recording, quantity: str, order: int, reach: float) -> Evidence:
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in ("position", "velocity", "rates", "snapshot", "index", "trajectory", "clock")
    }
    properties: dict[str, list[np.ndarray]] = {name: [] for name in recording.experiments[0].properties}
    snapshots = 0
    for number, one in enumerate(recording.experiments):
        velocity = one.velocity if one.velocity is not None else _velocity(one, recording.box)
        present = np.isfinite(one.position).all(2)
        whole = (present | ~present.any(0)).all(1) & (np.isfinite(velocity).all(2) | ~present).all(1)
        when, who = np.nonzero(present & whole[:, None])
        parts["position"].append(one.position[when, who])
        parts["velocity"].append(velocity[when, who])
        parts["rates"].append(getattr(one, quantity)[when, who])
        # one number a time that was measured, so that neighbours in number are neighbours in time
        parts["snapshot"].append(snapshots + when)
        parts["index"].append(who)
        parts["trajectory"].append(np.full(len(who), number))
        parts["clock"].append(one.time[when] - one.time[0])
        for name in properties:
            properties[name].append(np.asarray(one.properties[name], float)[who])
        snapshots += len(one.time) + 1
    flat = {name: np.concatenate(values) for name, values in parts.items()}
    motion = Motion(
        flat["position"],
        flat["velocity"],
        {name: np.concatenate(values) for name, values in properties.items()},
        flat["snapshot"],
        flat["index"],
        flat["trajectory"],
        recording.box,
        reach,
    )
    return Evidence.of_rates(motion, flat["rates"], groups(flat["trajectory"], flat["clock"]), order)


def _velocity(one: Experiment, box: np.ndarray | None) -> np.ndarray:
    noise = noise_of([one], "position", box).standard_deviation
    way = smooth([one], noise, box=box)[0]
    return np.full_like(one.position, np.nan) if way is None else way.first


def _averaged(recording: Recording, order: int, reach: float) -> Evidence:
    rows = weak_rows(recording, order, reach=reach)
    spread = rows.standard_deviation / np.median(rows.standard_deviation)
    return Evidence(
        rows.motion,
        rows.target,
        groups(rows.trajectory, rows.time),
        sparse.csr_matrix(rows.average),
        rows.index,
        np.unique(rows.time, return_inverse=True)[1],
        spread,
        _later(rows.trajectory, rows.index, rows.time, 2 * rows.half_width),
        order,
    )


def _later(trajectory: np.ndarray, index: np.ndarray, time: np.ndarray, width: float) -> np.ndarray:
    """[rows], the window of the same body that begins where this one ends; -1 where there is none."""
    order = np.lexsort((time, index, trajectory))
    found = np.full(len(time), -1)
    for step in (2, 3):
        here, there = order[:-step], order[step:]
        same = (trajectory[here] == trajectory[there]) & (index[here] == index[there])
        gap = time[there] - time[here]
        fits = same & (gap > 0.9 * width) & (gap < 1.4 * width) & (found[here] < 0)
        found[here[fits]] = there[fits]
    return found


def groups(trajectory: np.ndarray, time: np.ndarray) -> np.ndarray:
    """[rows], trajectories, or where these are few stretches of their times."""
    names, number = np.unique(trajectory, return_inverse=True)
    if len(names) >= FEW:
        return number
    each = -(-STRETCHES // len(names))
    found = np.zeros(len(number), int)
    for k in range(len(names)):
        rows = number == k
        edges = np.quantile(time[rows], np.linspace(0, 1, each + 1)[1:-1])
        found[rows] = each * k + np.searchsorted(edges, time[rows], side="right")
    return found
