"""Arrays that are made once and kept on disk; made again where they are damaged or were made otherwise."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from lib.errors import InputError
from lib.files import read_arrays, write_arrays

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
Record = dict[str, Any]


def differing(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Names in `wanted` whose values a record lacks or has otherwise, both as JSON has them."""
    return [name for name, value in as_json(wanted).items() if name not in found or found[name] != value]


def as_json(record: Mapping[str, Any]) -> Record:
    """The record as it is read again: tuples are lists."""
    return json.loads(json.dumps(record))


def load_or_make(path: Path, wanted: Record, make: Callable[[], tuple[Arrays, Record]]) -> tuple[Arrays, Record]:
    """Arrays and record of an npz file whose record holds what is wanted; made first where it is missing, damaged or other.

    `make` returns the arrays and further entries of their record. One process at a time makes a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            try:
                arrays, record = read_arrays(path)
                if not (other := differing(record, wanted)):
                    return arrays, record
                log.warning("%s of %s was made with other %s: making it again", path.name, path.parent.name, ", ".join(other))
            except InputError as damage:
                log.warning("%s: making it again", damage)
        arrays, further = make()
        return arrays, write_arrays(path, as_json(wanted | further), **arrays)
