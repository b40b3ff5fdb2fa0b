"""Files written atomically: each beside its place first, then moved there, so that no reader finds half of one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lib.errors import InputError

PARTIAL = ".partial-"
"""Prefix of files that are being written; a kill may leave some, which `remove_partial_files` removes."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A scratch path to write to, moved to `path` when the block ends well and removed otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # the ending stays, since numpy and matplotlib choose the format by it
    scratch = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield scratch
        with scratch.open("rb") as written:
            os.fsync(written.fileno())
        scratch.chmod(0o644)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove partial files below a folder that no other process writes to."""
    for path in folder.rglob(f"{PARTIAL}*"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write text atomically, in UTF-8."""
    with atomic_write(path) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write JSON atomically, indented, so that versions can be compared."""
    return write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Content of a JSON file; `InputError` if it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path.parent.name}/{path.name} is damaged: {error}") from None


def write_arrays(path: Path, record: dict[str, Any], **arrays: np.ndarray) -> dict[str, Any]:
    """Write arrays as npz, and beside them their record, which is returned with the SHA-256 of the file."""
    with atomic_write(path) as scratch:
        np.savez(scratch, **arrays)
    record = record | {"sha256": sha256(path)}
    write_json(path.with_suffix(".json"), record)
    return record


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and record of `write_arrays`; `InputError` if the file is missing, damaged, or not the one recorded."""
    name = f"{path.name} of {path.parent.name}"
    try:
        record = read_json(path.with_suffix(".json"))
        if sha256(path) != record["sha256"]:
            raise InputError(f"{name} is not the file that its record describes")
        with np.load(path, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}, record
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(f"{name} cannot be read: {error}") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
