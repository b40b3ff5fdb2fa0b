"""Files as people have them, read by their content: one door for tables, arrays and dumps of simulations."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pandas as pd

from lib.errors import InputError
from lib.observed.arrays import NPY, PICKLED, read_npy, read_npz
from lib.observed.atoms import is_lammps, is_xyz, read_lammps, read_xyz
from lib.observed.checks import checked
from lib.observed.clock import with_clock
from lib.observed.columns import rows_of
from lib.observed.frames import with_frame
from lib.observed.packed import LIMIT, TOO_LARGE, ZIP, unpack
from lib.observed.parquet import PARQUET, read_parquet
from lib.observed.plane import in_plane
from lib.observed.recording import Recording
from lib.observed.rows import recording_of
from lib.observed.separators import decode, read_text
from lib.observed.unwrapping import unwrapped
from lib.observed.wording import quoted

NETCDF = "is a netCDF file: save its table as CSV and hand that over"
OTHERS = {
    b"\x80\x02": PICKLED,
    b"\x80\x03": PICKLED,
    b"\x80\x04": PICKLED,
    b"\x80\x05": PICKLED,
    b"\x89HDF": "is an HDF5 file: save its table as CSV or Parquet and hand that over",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet: save its sheet as CSV and hand that over",
    b"MATLAB 5.0": "is a MATLAB file: save its table as CSV and hand that over",
    b"CDF\x01": NETCDF,
    b"CDF\x02": NETCDF,
    b"SQLite format": "is a database: save its table as CSV and hand that over",
    b"%PDF": "is a PDF: save the table itself as CSV and hand that over",
    b"ARROW1": "is an Arrow file: save its table as Parquet and hand that over",
    b"<": "is XML or HTML: export the table of spots as CSV and hand that over",
    b"{": "is JSON: save its table as CSV and hand that over",
    b"[": "is JSON: save its table as CSV and hand that over",
}
"""Kinds that are not read, by the bytes they begin with."""


def read_recording(path: Path, *, columns: Mapping[str, str] | None = None, frame_rate: float | None = None) -> Recording:
    """What a user's file holds (design section 7), with what was guessed in its notes.

    `columns` maps our names to the file's, `x=POSITION_X`; `frame_rate` gives time to a file that has frames alone.
    Nothing is unpickled. `InputError` of one line if the file cannot be understood.
    """
    try:
        recording = _understood(unpack(_bytes(path)), columns or {})
        steps = (unwrapped, lambda one: with_clock(one, frame_rate), in_plane, checked, with_frame)
        return reduce(lambda one, step: step(one), steps, recording)
    except InputError as error:
        raise InputError(f"{quoted(path.name)} {' '.join(str(error).split())}") from None
    except MemoryError:
        raise InputError(f"{quoted(path.name)} does not fit into memory: hand over fewer rows") from None


def _bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError("is a folder: give one file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is no ordinary file")
        if status.st_size > LIMIT:
            raise InputError(TOO_LARGE)
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("is not there: give the path of a file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be opened: {quoted(getattr(error, 'strerror', None) or error)}") from None
    if not content:
        raise InputError("is empty")
    return content


def _understood(content: bytes, columns: Mapping[str, str]) -> Recording:
    if content.startswith(ZIP):
        return read_npz(content, columns)
    if content.startswith(NPY):
        array = read_npy(content)
        return array if isinstance(array, Recording) else _of_table(array, columns)
    if content.startswith(PARQUET):
        return _of_table(read_parquet(content), columns)
    for magic, reason in OTHERS.items():
        if content.lstrip(b" \r\n\t").startswith(magic):
            raise InputError(reason)
    text, notes = decode(content)
    if is_lammps(text) or is_xyz(text):
        if columns:
            raise InputError("is no table: columns cannot be chosen in it")
        rows = read_lammps(text) if is_lammps(text) else read_xyz(text)
        return recording_of(rows)
    found = read_text(text)
    return _noting_first(recording_of(rows_of(found.table, found.units, columns)), (*notes, *found.notes))


def _of_table(table: pd.DataFrame, columns: Mapping[str, str]) -> Recording:
    return recording_of(rows_of(table, [""] * len(table.columns), columns))


def _noting_first(recording: Recording, notes: tuple[str, ...]) -> Recording:
    return replace(recording, notes=(*notes, *recording.notes))
