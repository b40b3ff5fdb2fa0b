"""Rows in long form become experiments: arrays by time and body, with what is constant in time as properties."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.forces import as_accelerations
from lib.observed.packed import LIMIT
from lib.observed.plane import FLAT, is_flat
from lib.observed.quantities import ACCELERATION, AXES, BOX, FORCE, GIVEN, MOTION, VELOCITY
from lib.observed.recording import Experiment, Recording
from lib.observed.wording import counted, listed

CONSTANT = 1e-9
"""Relative change in time up to which a value is called constant."""
DENSER = 4
"""How much larger than the largest file the arrays may be in which missing rows take room too."""


@dataclass(frozen=True)
class Rows:
    """A table in long form under our names."""

    table: pd.DataFrame
    """Columns time, body, x, y, and what else there is of trajectory, frame, z, velocities, accelerations, forces,
    periods of the box and properties; the index tells the place in the file."""
    properties: list[str]
    """Columns that are properties of bodies if they are constant in time."""
    notes: list[str]
    time_unit: str = ""
    length_unit: str = ""


def recording_of(rows: Rows) -> Recording:
    """Experiments of rows in any order; `InputError` where rows contradict each other.

    Nothing is cut or resampled: each experiment keeps its own times and bodies, missing rows are NaN.
    """
    notes = list(rows.notes)
    table = rows.table
    if table.empty:
        raise InputError("has no row of which time, body and position are known")
    if "trajectory" not in table:
        table = table.assign(trajectory=pd.Categorical.from_codes(np.zeros(len(table), int), categories=["1"]))
    table = _with_position(_single(_in_order(table, notes), "trajectory" in rows.table, notes), notes)
    axes = [axis for axis in AXES if axis in table]
    vectors = {name: _vector(table, axes, columns, notes) for name, columns in _VECTORS.items()}
    constant = _constant(table, rows.properties, notes)
    columns = {"position": axes, **{name: chosen for name, chosen in vectors.items() if chosen}}
    values = {name: table[chosen].to_numpy(float) for name, chosen in columns.items()}
    fixed = {name: table[name].to_numpy(float) for name in constant}
    time, body, names = table["time"].to_numpy(float), table["body"].cat.codes.to_numpy(), table["body"].cat.categories
    starts = np.flatnonzero(np.diff(table["trajectory"].cat.codes.to_numpy(), prepend=-1))
    experiments, forces, room = [], [], 0
    for first, end in itertools.pairwise([*starts, len(table)]):
        times, k = np.unique(time[first:end], return_inverse=True)
        codes, i = np.unique(body[first:end], return_inverse=True)
        room += len(times) * len(codes) * len(axes) * len(values) * time.itemsize
        if room > LIMIT * DENSER:
            raise InputError(
                f"has {len(codes)} bodies at {len(times)} times, most of them missing: keep those followed for long"
            )
        laid = {}
        for name, rows_of_name in values.items():
            laid[name] = np.full((len(times), len(codes), len(axes)), np.nan)
            laid[name][k, i] = rows_of_name[first:end]
        properties = {name: _of_bodies(column[first:end], i, len(codes)) for name, column in fixed.items()}
        bodies = tuple(str(names[code]) for code in codes)
        experiments.append(
            Experiment(times, laid["position"], laid.get("velocity"), laid.get("acceleration"), properties, bodies)
        )
        forces.append(laid.get("force"))
    experiments, told = as_accelerations(experiments, forces)
    return Recording(tuple(experiments), _box(table, axes), (*notes, *told), rows.time_unit, rows.length_unit)


_VECTORS = {"velocity": VELOCITY, "acceleration": ACCELERATION, "force": FORCE}


def _in_order(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Rows sorted by trajectory, time and body; `InputError` where time goes back while frames go on."""
    if "frame" in table:
        ordered = table.sort_values(["trajectory", "frame"], kind="stable")
        back = (ordered["time"].diff() < 0) & (ordered["trajectory"] == ordered["trajectory"].shift())
        back &= ordered["frame"] > ordered["frame"].shift()
        if back.any():
            line = back.idxmax() if back.index.is_unique else ordered.index[int(back.to_numpy().argmax())]
            raise InputError(f"{table.index.name or 'row'} {line}: time goes back while frames go on; correct one of them")
    ordered = table.sort_values(["trajectory", "time", "body"], kind="stable")
    if (table.groupby(["trajectory", "body"], observed=True, sort=False)["time"].diff() < 0).any():
        notes.append("The rows are in no order of time and were sorted.")
    return ordered


def _single(table: pd.DataFrame, has_trajectories: bool, notes: list[str]) -> pd.DataFrame:
    """One row for each body and time; `InputError` where two contradict each other."""
    key = ["trajectory", "time", "body"]
    doubled = table.duplicated(key)
    if not doubled.any():
        return table
    values = [*key, *(name for name in MOTION if name in table)]
    contradicting = doubled & ~table.duplicated(values)
    if contradicting.any():
        k = int(contradicting.to_numpy().argmax())
        body, time = table["body"].iloc[k], table["time"].iloc[k]
        hint = "remove one" if has_trajectories else "remove one, or number the experiments in a column trajectory"
        raise InputError(
            f"{table.index.name or 'row'} {table.index[k]}: body {body} stands at time {time:g} a second time with other "
            f"values; {hint}"
        )
    notes.append(f"{counted(int(doubled.sum()), 'row')} standing twice with the same values counted once.")
    return table[~doubled.to_numpy()]


def _with_position(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Rows with a position; `InputError` where none has one."""
    axes = [axis for axis in AXES if axis in table]
    if "z" in axes and is_flat(table["z"].to_numpy(float)):
        table, axes = table.drop(columns="z"), axes[:2]
        notes.append(FLAT)
    known = table[axes].notna().all(axis=1)
    if not known.any():
        raise InputError(f"has no row with all of {', '.join(axes)}")
    if not known.all():
        notes.append(f"{counted(int((~known).sum()), 'row')} without a position taken as missing.")
    return table[known]


def _vector(table: pd.DataFrame, axes: list[str], columns: dict[str, tuple[str, ...]], notes: list[str]) -> list[str] | None:
    """Columns of a vector, None where the file has none; one with a component missing is left out, told."""
    wanted = list(columns)[: len(axes)]
    found = [name for name in wanted if name in table and table[name].notna().any()]
    if found == wanted:
        return wanted
    if found:
        notes.append(f"Left out, since other components are missing: {listed(found)}.")
    return None


def _constant(table: pd.DataFrame, names: list[str], notes: list[str]) -> list[str]:
    """Properties: constant in time for each body of each trajectory, and telling bodies or experiments apart."""
    changing, alike, unknown, kept = [], [], [], []
    groups = table.groupby(["trajectory", "body"], observed=True, sort=False)
    for name in names:
        values = table[name].to_numpy(float)
        if np.isinf(values).any():
            unknown.append(name)
            continue
        lowest, highest = groups[name].min().to_numpy(), groups[name].max().to_numpy()
        if np.isnan(lowest).any():
            unknown.append(name)
        elif (highest / 2 - lowest / 2 > CONSTANT / 2 * np.maximum(np.abs(highest), np.abs(lowest))).any():
            changing.append(name)
        elif name not in GIVEN and lowest.min() == highest.max():
            alike.append(name)
        else:
            kept.append(name)
    if changing:
        notes.append(f"Left out, since they change in time and are no properties of bodies: {listed(changing)}.")
    if alike:
        notes.append(f"Left out, since they are the same in all rows: {listed(alike)}.")
    if unknown:
        notes.append(f"Left out, since some bodies have no finite value: {listed(unknown)}.")
    return kept


def _of_bodies(values: np.ndarray, body: np.ndarray, count: int) -> np.ndarray:
    known = ~np.isnan(values)
    found = np.full(count, np.nan)
    found[body[known][::-1]] = values[known][::-1]
    return found


def _box(table: pd.DataFrame, axes: list[str]) -> np.ndarray | None:
    names = list(BOX)[: len(axes)]
    if not set(names) <= set(table):
        return None
    values = table[names].to_numpy(float)
    if np.isnan(values).any() or (values != values[0]).any() or (values[0] <= 0).any():
        raise InputError(f"columns {', '.join(names)} hold no periods of a box: one positive number in all rows")
    return values[0]
