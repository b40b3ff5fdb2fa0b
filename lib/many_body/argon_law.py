"""The announced law of argon: chosen as that of any data is, without knowing which force was simulated.

Candidates are the rows of the front that was searched on the network's messages, as functions of the distance alone, and
the formulas that the engine generates from splines of the sum over pairs. Constants are fitted to net forces.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import sympy
import torch

from lib.distillation.expressions import parse
from lib.many_body import argon
from lib.many_body.argon import Liquid
from lib.many_body.argon_force import NAMES
from lib.network.neighbourhoods import Neighbourhoods, NeighbourNetwork
from lib.selection.announce import Prepared, announce
from lib.selection.candidates import Candidate
from lib.selection.evidence import Evidence
from lib.selection.law import Announcement, Law
from lib.selection.motion import Motion

ATOMS = 1_000
"""Whose net forces are explained."""


def evidence_of(batch: Neighbourhoods, group: np.ndarray) -> Evidence:
    """Net forces of receivers, and of each the atoms around it; `group` [receivers] says of which frame each is.

    A receiver with its neighbours is one snapshot, the receiver at the origin: forces do not depend on where it is.
    """
    count, index = len(batch.targets), batch.index.numpy()
    order = np.argsort(np.concatenate([np.arange(count), index]), kind="stable")  # each receiver before its neighbours
    snapshot = np.concatenate([np.arange(count), index])[order]
    position = np.concatenate([np.zeros((count, 3)), -batch.edges.numpy().astype(float)])[order]
    rates = np.concatenate([batch.targets.numpy().astype(float), np.full((len(index), 3), np.nan)])[order]
    starts = np.flatnonzero(order < count)
    place = np.arange(len(order)) - starts[snapshot]
    acts = np.zeros((place.max() + 1,) * 2, bool)
    acts[0, 1:] = True  # on the receiver alone: the neighbours' own neighbours are not there
    motion = Motion(position, np.zeros_like(position), {}, snapshot, place, snapshot, ties=acts)
    return Evidence.of_rates(motion, rates, group[snapshot])


def of_front(table: pd.DataFrame) -> list[Candidate]:
    """Laws that the rows of a front in `NAMES` say: what they are of the distance, directions left out."""
    nothing = dict.fromkeys(sympy.symbols(NAMES[:3], real=True), sympy.S.Zero)
    said = [(row, parse(text, NAMES).xreplace(nothing)) for row, text in enumerate(table["expression"])]
    return [Candidate(Law(3, one), f"messages, row {row + 1}") for row, one in said if one.has(sympy.Symbol("r", real=True))]


@torch.no_grad()
def network_error(model: NeighbourNetwork, batch: Neighbourhoods, evidence: Evidence) -> float:
    """Root of the network's weighted square error of net forces, relative to no law."""
    weight = 1 / (evidence.typical + np.linalg.norm(evidence.target, axis=1))[:, None]
    left = evidence.target - model(batch).numpy().astype(float)
    return float(np.linalg.norm(left * weight) / np.linalg.norm(evidence.target * weight))


def announced(
    front: pd.DataFrame, model: NeighbourNetwork, liquid: Liquid, rng: np.random.Generator, count: int = ATOMS
) -> Announcement:
    """What is announced of a liquid's net forces: one radial function, in kJ/mol/Angstrom, or none with the reason."""
    shape = np.array(liquid.positions.shape[:3])
    state, frame, atom = rng.integers(0, shape[:, None], (3, count))
    batch = argon.neighbourhoods(liquid, state, frame, atom)
    evidence = evidence_of(batch, state * shape[1] + frame)
    prepared = Prepared.of(evidence)
    offered = [*of_front(front), *prepared.candidates()]
    return announce(evidence, offered, prepared, network_error(model, batch, evidence))
