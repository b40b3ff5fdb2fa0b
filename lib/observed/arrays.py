"""Arrays in numpy's files, npz and npy; never unpickled."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from io import BytesIO
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.forces import as_accelerations
from lib.observed.packed import LIMIT, TOO_LARGE
from lib.observed.quantities import GIVEN, plain
from lib.observed.recording import Experiment, Recording
from lib.observed.rows import CONSTANT
from lib.observed.units import FRAMES
from lib.observed.wording import counted, listed, quoted

NPY = b"\x93NUMPY"
NAMES = {
    "position": ("position", "positions", "pos", "coordinates", "coords", "xyz", "xy"),
    "time": ("time", "times", "t", "timestamps"),
    "velocity": ("velocity", "velocities", "vel", "v"),
    "acceleration": ("acceleration", "accelerations", "acc", "a"),
    "force": ("force", "forces", "f"),
    "box": ("box", "box_size", "periods", "cell"),
    "dt": ("dt", "time_step", "timestep", "delta_t"),
    "bodies": ("bodies", "body", "names", "particles", "body_names"),
    **GIVEN,
}
"""Names of arrays, each with those that it may have in a file."""
PICKLED = "holds pickled objects, which can run code and are never opened: save plain arrays of numbers"


def read_npy(content: bytes) -> pd.DataFrame | Recording:
    """One array: a table where it has named fields, else positions [trajectories, times, bodies, dim]."""
    array = _array(content)
    if array.dtype.names:
        if array.ndim != 1 or any(array.dtype[name].shape or array.dtype[name].names for name in array.dtype.names):
            raise InputError("has fields that are no columns: save a flat table")
        table = pd.DataFrame({name: _text(array[name]) for name in array.dtype.names})
        table.index.name = "row"
        return table
    return _recording({"position": array}, {})


def read_npz(content: bytes, columns: Mapping[str, str]) -> Recording:
    """Arrays by name (design section 7); `columns` maps our names to the file's."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LIMIT:
                raise InputError(TOO_LARGE)
            arrays = {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except InputError:
        raise
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, BadZipFile, zlib.error) as error:
        raise InputError(f"is a damaged npz: {quoted(error)}") from None
    return _recording(arrays, columns)


def _array(content: bytes) -> np.ndarray:
    """The array of an npy file; `InputError` if it is damaged or pickled."""
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(stream)
        if dtype.hasobject:
            raise InputError(PICKLED)
        if dtype.itemsize * int(np.prod([int(k) for k in shape], dtype=object)) > len(content):
            raise InputError("is a damaged numpy file: it ends before its array does")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # the header is evaluated as a literal, which fails in many ways
        raise InputError(f"is a damaged numpy file: {quoted(error)}") from None


def _text(values: np.ndarray) -> np.ndarray:
    return np.char.decode(values, "latin-1") if values.dtype.kind == "S" else values


def _recording(arrays: dict[str, np.ndarray], columns: Mapping[str, str]) -> Recording:
    notes: list[str] = []
    found, others = _by_name(arrays, columns)
    if "position" not in found:
        raise InputError(f"has no array position [trajectories, times, bodies, dim]: it has {listed(arrays) or 'none'}")
    position = _numbers("position", found["position"])
    single = position.ndim == 3
    if single:
        position = position[None]
        notes.append("The array of positions has three axes: times, bodies, components of one experiment.")
    if position.ndim != 4 or position.shape[3] not in (2, 3) or 0 in position.shape:
        shape = " x ".join(map(str, found["position"].shape))
        raise InputError(f"position is {shape or 'a number'}: it must be trajectories x times x bodies x 2 or 3")
    vectors = {name: _vector(name, found[name], position) for name in ("velocity", "acceleration", "force") if name in found}
    time, unit = _time(found, position, notes)
    properties = {name: found[name] for name in GIVEN if name in found}
    properties |= {name: array for name, array in others.items() if array.dtype.kind in "iufb"}
    kept = _properties(properties, position, notes)
    words = [name for name, array in others.items() if array.dtype.kind not in "iufb"]
    if words:
        notes.append(f"Left out, since they hold no numbers: {listed(words)}.")
    names = _bodies(found, position.shape[2])
    experiments = [
        Experiment(
            time[s][known],
            position[s][known],
            vectors["velocity"][s][known] if "velocity" in vectors else None,
            vectors["acceleration"][s][known] if "acceleration" in vectors else None,
            {name: values[s] for name, values in kept.items()},
            names,
        )
        for s in range(len(position))
        for known in [~np.isnan(time[s])]
    ]
    forces = [vectors["force"][s][~np.isnan(time[s])] if "force" in vectors else None for s in range(len(position))]
    experiments, told = as_accelerations(experiments, forces)
    return Recording(tuple(experiments), _box(found, position.shape[3]), (*notes, *told), unit)


def _by_name(
    arrays: Mapping[str, np.ndarray], columns: Mapping[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    for ours, theirs in columns.items():
        if ours not in NAMES:
            raise InputError(f"array {quoted(ours)!r} is unknown: choose among {', '.join(NAMES)}")
        if theirs not in arrays:
            raise InputError(f"array {quoted(theirs)!r}, to be read as {ours}, is missing: the file has {listed(arrays)}")
    found = {ours: arrays[theirs] for ours, theirs in columns.items()}
    free = {name: array for name, array in arrays.items() if name not in columns.values()}
    for ours, names in NAMES.items():
        fitting = [name for name in free if plain(name) in names]
        if ours in found or not fitting:
            continue
        ranks = {name: names.index(plain(name)) for name in fitting}
        best = [name for name in fitting if ranks[name] == min(ranks.values())]
        if len(best) > 1:
            raise InputError(f"arrays {listed(best)} would all be read as {ours}: name one of them {ours}")
        found[ours] = free.pop(best[0])
    return found, free


def _numbers(name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "iufb":
        raise InputError(f"array {quoted(name)} holds {array.dtype} where numbers belong")
    array = array.astype(float)
    if np.isinf(array).any():
        raise InputError(f"array {quoted(name)} holds an infinite value")
    return array


def _vector(name: str, array: np.ndarray, position: np.ndarray) -> np.ndarray:
    array = _numbers(name, array)
    if array.ndim == 3 and position.shape[0] == 1:
        array = array[None]
    if array.shape != position.shape:
        shape = " x ".join(map(str, array.shape))
        raise InputError(f"{name} is {shape}: it must have the shape of position, {' x '.join(map(str, position.shape))}")
    return array


def _time(found: Mapping[str, np.ndarray], position: np.ndarray, notes: list[str]) -> tuple[np.ndarray, str]:
    """Times [trajectories, times], NaN where a row is missing, and their unit; `InputError` where they go back."""
    count, times = position.shape[:2]
    if "time" not in found:
        steps = np.broadcast_to(np.arange(times, dtype=float), (count, times))
        step = _numbers("dt", found["dt"]) if "dt" in found else None
        if step is None:
            return steps, FRAMES
        if step.size != 1 or not float(step.ravel()[0]) > 0:
            raise InputError("dt must be one positive number")
        return steps * float(step.ravel()[0]), ""
    time = _numbers("time", found["time"])
    if time.shape in ((times,), (times, 1)):
        time = np.broadcast_to(time.ravel(), (count, times))
    if time.shape != (count, times):
        shape = " x ".join(map(str, time.shape))
        raise InputError(f"time is {shape}: it must be trajectories x times, {count} x {times}, or times alone")
    for s, row in enumerate(time):
        known = row[~np.isnan(row)]
        if (np.diff(known) <= 0).any():
            k = int((np.diff(known) <= 0).argmax())
            raise InputError(f"time goes from {known[k]:g} to {known[k + 1]:g} in trajectory {s}: times must ascend")
    return time, ""


def _properties(arrays: Mapping[str, np.ndarray], position: np.ndarray, notes: list[str]) -> dict[str, np.ndarray]:
    """Properties [trajectories, n], constant in time; others are left out, told."""
    count, times, n, _ = position.shape
    kept, changing, alike, shapes, unknown = {}, [], [], [], []
    there = (~np.isnan(position).any(axis=3)).any(axis=1)
    for name, array in arrays.items():
        array = array.astype(float)
        if array.ndim == 1 and array.shape == (n,):
            array = np.broadcast_to(array, (count, n))
        if array.shape in ((count, times, n), (times, n)) and array.shape != (count, n):
            flat = array.reshape(-1, times, n)
            lowest, highest = (np.array([edge(row, axis=0) for row in flat]) for edge in (np.fmin.reduce, np.fmax.reduce))
            if (highest - lowest > CONSTANT * np.maximum(np.abs(highest), np.abs(lowest))).any():
                changing.append(name)
                continue
            array = np.broadcast_to(lowest, (count, n))
        if array.shape != (count, n):
            if name in GIVEN:
                raise InputError(f"{name} must be trajectories x bodies, {count} x {n}, or bodies alone")
            shapes.append(name)
        elif not np.isfinite(array[there]).all():
            if name in GIVEN and np.isinf(array[there]).any():
                raise InputError(f"array {name} holds an infinite value")
            unknown.append(name)
        elif name not in GIVEN and np.ptp(array[there]) == 0:
            alike.append(name)
        else:
            kept[name if name.isidentifier() else f"p_{plain(name)}"] = array
    for names, why in (
        (changing, "they change in time and are no properties of bodies"),
        (alike, "they are the same for all bodies"),
        (shapes, "they are no properties [trajectories, bodies]"),
        (unknown, "some bodies have no finite value"),
    ):
        if names:
            notes.append(f"Left out, since {why}: {listed(names)}.")
    return kept


def _bodies(found: Mapping[str, np.ndarray], n: int) -> tuple[str, ...]:
    if "bodies" not in found:
        return tuple(map(str, range(n)))
    names = tuple(str(name).strip() for name in _text(found["bodies"]).ravel().tolist())
    if len(names) != n or len(set(names)) < n:
        raise InputError(f"{counted(len(set(names)), 'name')} of bodies for {counted(n, 'body')}: give each its own")
    return names


def _box(found: Mapping[str, np.ndarray], dim: int) -> np.ndarray | None:
    if "box" not in found:
        return None
    box = _numbers("box", found["box"])
    box = np.full(dim, float(box)) if box.ndim == 0 else box
    if box.shape != (dim,) or not (box > 0).all():
        raise InputError(f"box must be {dim} positive periods")
    return box
