"""LAMMPS dumps and (extended) XYZ files, parsed by ASE (optional) and brought into rows.

ASE converts units, sorts atoms and drops their ids, image flags and masses. So names of columns are changed on the way
in to some that ASE hands on as they are; the numbers themselves are parsed by ASE alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.quantities import ACCELERATION, AXES, BOX, FORCE, VELOCITY
from lib.observed.rows import Rows
from lib.observed.units import FRAMES
from lib.observed.wording import quoted

INSTALL = "LAMMPS dumps and XYZ files need ASE: pip install '.[lammps]'"
KEPT_BY_ASE = re.compile(r"element|[xyz](s|u|su)?|[cvfd]2?_.+|i2?_.+")
FLAGS = ("i_ix", "i_iy", "i_iz")
VELOCITIES = ("velocities", "velocity", "velo", "vel", "v")
ACCELERATIONS = ("accelerations", "acceleration", "acc")
TIMES = ("time", "Time", "t")
STEPS = ("step", "Step", "timestep", "frame")
BEYOND = 4.0
"""Period that stands in for none, in extents of the positions: no image is ever nearer than the body itself."""


def is_lammps(text: str) -> bool:
    """Whether a text is a LAMMPS dump."""
    return text.lstrip().startswith("ITEM: ")


def is_xyz(text: str) -> bool:
    """Whether a text begins as an XYZ file does: a number of atoms alone, a comment, then a label with three numbers."""
    lines = text.split("\n", 4)
    if len(lines) < 3 or not lines[0].strip().isdigit():
        return False
    return "properties=" in lines[1].lower() or re.match(r"\s*[A-Za-z]\w*(\s+[-+.\deE]+){3}", lines[2]) is not None


def read_lammps(text: str) -> Rows:
    """Rows of a LAMMPS text dump; `InputError` if atoms have no ids or the box is not rectangular."""
    headers = {line for line in text.splitlines() if line.startswith("ITEM: ATOMS")}
    if not headers:
        raise InputError("is a LAMMPS dump without atoms")
    if len(headers) > 1:
        raise InputError(f"names its columns in {len(headers)} ways: dump the same columns in each step")
    names = next(iter(headers)).split()[2:]
    if "id" not in names:
        raise InputError("has no ids of atoms, so that none can be followed: dump the column id")
    renamed = " ".join(_handed_on(name) for name in names)
    changed = re.sub(r"^ITEM: ATOMS.*$", f"ITEM: ATOMS {renamed}", text, flags=re.MULTILINE)
    frames = _parsed(lambda ase: ase.lammpsrun.read_lammps_dump_text, changed, "LAMMPS dump")
    # as ASE chooses: x before xs before xu before xsu
    used = next((name for name in ("x", "xs", "xu", "xsu") if name in names), "")
    flagged = used in ("x", "xs") and {"ix", "iy", "iz"} <= set(names)
    parts = []
    for atoms in frames:
        data = {name: values for name, values in atoms.arrays.items() if values.ndim == 1}
        position = atoms.positions + (atoms.get_celldisp().ravel() if used in ("xs", "xsu") else 0.0)
        if flagged:
            turns = np.stack([data[flag] for flag in FLAGS], axis=1)
            position = position + np.einsum("nk,kj->nj", turns, np.asarray(atoms.cell))
        data |= dict(zip(AXES, position.T, strict=True))
        parts.append(pd.DataFrame(data))
    times = re.findall(r"^ITEM: TIME\s*\n\s*(\S+)", text, flags=re.MULTILINE)
    clock = _floats(times) if len(times) == len(frames) else [float(atoms.info["timestep"]) for atoms in frames]
    table = pd.concat([part.assign(time=time) for part, time in zip(parts, clock, strict=True)], ignore_index=True)
    table = table.rename(columns={"type": "id", "i_type": "type"})
    table = table.rename(columns={name: name.removeprefix("i_").removeprefix("f_") for name in table.columns})
    notes = ["Periodic images are undone by the image flags of the file."] if flagged else []
    wanted = [*AXES, *VELOCITY, *FORCE]
    ids, kinds = table["id"].to_numpy(), [name for name in ("mass", "q", "type") if name in table]
    rows = table[["time", *(name for name in wanted if name in table), *kinds]].rename(columns={"q": "charge"})
    properties = [name for name in ("mass", "charge", "type") if name in rows]
    unit = "" if len(times) == len(frames) else FRAMES
    return _rows(rows, _by_number(ids), properties, frames, notes, unit)


def _handed_on(name: str) -> str:
    if name == "id":
        return "type"  # the one whole number that ASE needs and keeps
    if name in ("type", "ix", "iy", "iz"):
        return f"i_{name}"
    return name if KEPT_BY_ASE.fullmatch(name) else f"f_{name}"


def read_xyz(text: str) -> Rows:
    """Rows of an XYZ file, extended or not; atoms are known by `id`, else by unlike labels, else by their order."""
    frames = _parsed(lambda ase: ase.extxyz.read_xyz, _with_labels(text), "XYZ file")
    notes: list[str] = []
    time, unit = _times(frames)
    ids, how = _identities(frames)
    notes.append(how)
    data: dict[str, np.ndarray] = {"time": np.repeat(time, [len(atoms) for atoms in frames])}
    data |= dict(zip(AXES, np.concatenate([atoms.positions for atoms in frames]).T, strict=True))
    elements = _masses_of_elements(frames)
    given = _of_all(frames, ("masses", "mass"))
    forces, momenta = _of_all(frames, ("forces_", "force"), 3), _of_all(frames, ("momenta",), 3)
    masses = given if given is not None else elements if forces is not None else None
    if masses is not None:
        data["mass"] = masses
        if given is None:
            notes.append("Masses are those of the elements.")
    velocity = _of_all(frames, VELOCITIES, 3)
    if velocity is None and momenta is not None:
        divisor = given if given is not None else elements
        if divisor is None:
            notes.append("Momenta are left out, since no masses are known.")
        else:
            velocity = momenta / divisor[:, None]
    charges = _of_all(frames, ("initial_charges", "charges", "charge"))
    if charges is not None:
        data["charge"] = charges
    for vectors, names in ((velocity, VELOCITY), (_of_all(frames, ACCELERATIONS, 3), ACCELERATION), (forces, FORCE)):
        if vectors is not None:
            data |= dict(zip(names, vectors.T, strict=True))
    properties = [name for name in ("mass", "charge") if name in data]
    return _rows(pd.DataFrame(data), ids, properties, frames, notes, unit)


def _with_labels(text: str) -> str:
    """The same with labels that need not be elements, and forces that ASE hands on; `InputError` if a frame is cut off."""
    lines = text.rstrip().split("\n")
    place = 0
    while place < len(lines):
        if not lines[place].strip():
            place += 1
            continue
        if not lines[place].strip().isdigit() or place + 1 + int(lines[place]) >= len(lines):
            raise InputError(f"line {place + 1} does not begin a whole frame of an XYZ file")
        comment = lines[place + 1]
        if "properties=" not in comment.lower():
            comment = f"{_plain_comment(comment)} Properties=label:S:1:pos:R:3"
        comment = re.sub(r"properties=", "Properties=", comment, flags=re.IGNORECASE)
        comment = re.sub(r"(?<=[=:])species:S:1", "label:S:1", comment)
        lines[place + 1] = re.sub(r"(?<=[=:])forces?:R:3", "forces_:R:3", comment)
        place += 2 + int(lines[place])
    return "\n".join(lines) + "\n"


def _plain_comment(comment: str) -> str:
    """Of a comment in no given form, what is `name=number`."""
    return " ".join(f"{name}={value}" for name, value in re.findall(r"(\w+)\s*=\s*([-+.\deE]+)(?=[\s,;]|$)", comment))


def _parsed(parser: Callable[[Any], Callable[..., Any]], text: str, kind: str) -> list[Any]:
    try:
        import ase.io.extxyz
        import ase.io.lammpsrun
    except ImportError:
        raise InputError(INSTALL) from None
    try:
        frames = list(parser(ase.io)(StringIO(text), index=slice(None)))
    except Exception as error:  # of another library, on a file that may be damaged in any way
        raise InputError(f"is a damaged {kind}: {quoted(error) or type(error).__name__}") from None
    if not frames:
        raise InputError(f"is a {kind} without a frame")
    return frames


def _floats(texts: list[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise InputError("is a damaged LAMMPS dump: a time is no number") from None


def _of_all(frames: list[Any], names: tuple[str, ...], components: int | None = None) -> np.ndarray | None:
    """Numbers, or vectors of so many components, of all atoms of all frames; None where some frame has none."""
    rest = () if components is None else (components,)
    for name in names:
        if all(name in atoms.arrays and atoms.arrays[name].shape[1:] == rest for atoms in frames):
            values = np.concatenate([atoms.arrays[name] for atoms in frames])
            if values.dtype.kind in "iuf":
                return values.astype(float)
    return None


def _times(frames: list[Any]) -> tuple[list[float], str]:
    for names, unit in ((TIMES, ""), (STEPS, FRAMES)):
        for name in names:
            values = [atoms.info.get(name) for atoms in frames]
            if all(isinstance(value, (int, float, np.integer, np.floating)) for value in values):
                return [float(value) for value in values], unit
    return [float(k) for k in range(len(frames))], FRAMES


def _identities(frames: list[Any]) -> tuple[pd.Categorical, str]:
    ids = _of_all(frames, ("id", "ids"))
    if ids is not None:
        return _by_number(ids), "Atoms are followed by their ids."
    if all("label" in atoms.arrays for atoms in frames):
        labels = [[str(label) for label in atoms.arrays["label"]] for atoms in frames]
        if all(len(set(names)) == len(names) for names in labels):
            return pd.Categorical([name for names in labels for name in names]), "Bodies are followed by their labels."
    if len({len(atoms) for atoms in frames}) > 1:
        raise InputError("has frames of different numbers of atoms without ids, so that none can be followed")
    order = np.concatenate([np.arange(len(atoms)) for atoms in frames])
    return _by_number(order), "Atoms have no ids: they are taken to stand in the same order in each frame."


def _by_number(ids: np.ndarray) -> pd.Categorical:
    found, codes = np.unique(np.asarray(ids), return_inverse=True)
    return pd.Categorical.from_codes(codes, categories=[f"{one:.15g}" for one in found.tolist()])


def _masses_of_elements(frames: list[Any]) -> np.ndarray | None:
    from ase.data import atomic_masses, atomic_numbers

    labels = [str(label) for atoms in frames for label in atoms.arrays.get("label", [""] * len(atoms))]
    if not labels or not all(atomic_numbers.get(label) for label in set(labels)):
        return None
    return np.array([atomic_masses[atomic_numbers[label]] for label in labels])


def _rows(
    table: pd.DataFrame,
    ids: pd.Categorical,
    properties: list[str],
    frames: list[Any],
    notes: list[str],
    unit: str,
) -> Rows:
    table = table.assign(body=ids)
    table.index.name = "atom"
    steps = table["time"].to_numpy()
    starts = np.cumsum([0, *(len(atoms) for atoms in frames[:-1])])
    if (np.diff([steps[k] for k in starts if k < len(steps)]) < 0).any():
        raise InputError("goes back in time from one frame to the next: hand over one simulation")
    values = table.drop(columns="body").to_numpy(float)
    if np.isinf(values).any():
        name = table.columns[int(np.isinf(values).any(axis=0).argmax())]
        raise InputError(f"column {name} holds an infinite value")
    box = _box(frames, table, notes)
    if box is not None:
        table = table.assign(**dict(zip(BOX, box, strict=True)))
    return Rows(table, properties, notes, unit)


def _box(frames: list[Any], table: pd.DataFrame, notes: list[str]) -> np.ndarray | None:
    """Periods of the box; where an axis has none, one beyond all positions stands in for it."""
    periodic = np.asarray(frames[0].pbc, bool)
    cells = np.array([np.asarray(atoms.cell) for atoms in frames])
    used = [k for k, axis in enumerate(AXES) if table[axis].nunique() > 1]
    if not periodic[used].any():
        return None
    if not np.isfinite(cells).all():
        raise InputError("has a box without a finite size")
    sides = np.diagonal(cells, axis1=1, axis2=2)
    if np.abs(cells - np.array([np.diag(side) for side in sides])).max() > 0:
        raise InputError("has a box that is not rectangular: none but rectangular boxes are supported")
    if (sides[:, periodic] != sides[0, periodic]).any():
        raise InputError("has a box that changes in time: hand over a simulation in a fixed box")
    if (sides[0, periodic] <= 0).any():
        raise InputError("has a periodic box without a size")
    extent = np.ptp(table[list(AXES)].to_numpy(float), axis=0)
    if not periodic[used].all():
        notes.append("The box is periodic along some axes only: along others a period beyond all positions stands for none.")
    notes.append(f"The box is periodic: {' x '.join(f'{sides[0, k]:g}' for k in used if periodic[k])}.")
    return np.where(periodic, sides[0], np.maximum(BEYOND * extent, 1.0))
