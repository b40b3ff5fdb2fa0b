"""A request to find the law of a user's file: checked, named, and put down so that a job can read it.

The file is not copied: a link in the workspace leads to it, by which the rendered notebook knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lib import paths
from lib.errors import InputError
from lib.files import read_json, sha256, write_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}")


@dataclass(frozen=True)
class DataRequest:
    """What a job is told of a user's file."""

    name: str
    """By which its results go."""
    path: str
    """The link to it, from the workspace on."""
    sha256: str
    """Of its content: what decides whether the job runs again."""
    frame_rate: float | None
    columns: dict[str, str]
    """The file's names of columns by ours."""


def name_of(file: Path, name: str | None) -> str:
    """The name asked for, or the file's own made safe; `InputError` for one that could not be a folder's everywhere."""
    if name is None:
        made = re.sub(r"[^A-Za-z0-9_]+", "-", file.stem).strip("-_")[:60]
        return made or "data"
    if not NAME.fullmatch(name):
        raise InputError(f"name {name!r}: choose at most 60 letters, digits, - and _, the first a letter or digit")
    return name


def columns_of(pairs: Sequence[str]) -> dict[str, str]:
    """`x=POSITION_X` and so on as a mapping; `InputError` where a pair is none."""
    found: dict[str, str] = {}
    for pair in pairs:
        ours, sign, theirs = pair.partition("=")
        if not (ours and sign and theirs):
            raise InputError(f"column {pair!r}: write ours=theirs, as x=POSITION_X")
        if ours in found:
            raise InputError(f"column {ours!r} is given twice")
        found[ours] = theirs
    return found


def record_of(name: str, profile: str) -> Path:
    """Where a request is put down."""
    return paths.workspace(profile) / "build" / "data" / f"{name}.json"


def put_down(file: Path, name: str, frame_rate: float | None, columns: dict[str, str], profile: str) -> DataRequest:
    """Link the file and write the request, which stays as it is, with its time, where nothing of it changed."""
    record = record_of(name, profile)
    record.parent.mkdir(parents=True, exist_ok=True)
    link = record.with_name(name + (file.suffix if SUFFIX.fullmatch(file.suffix) and file.suffix != ".json" else ".data"))
    partial = link.with_name(f".partial-{link.name}")
    partial.unlink(missing_ok=True)
    partial.symlink_to(file.resolve())
    partial.replace(link)
    request = DataRequest(name, f"build/data/{link.name}", sha256(file), frame_rate, columns)
    if not record.exists() or read_json(record) != asdict(request):
        write_json(record, asdict(request))
    return request


def read_request(record: Path) -> DataRequest:
    """The request that was put down."""
    return DataRequest(**read_json(record))
