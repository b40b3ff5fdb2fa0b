"""Scratch folders of jobs, and which jobs are at work.

They lie in the temporary folder, since the sockets of a kernel have room for a hundred letters and a workspace
may lie deep. Each is recorded in a file of the workspace that its job holds locked: a job that was killed leaves
its record unlocked, one that outlives the batch that began it leaves it locked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

RECORDS = Path("build", "jobs")
PREFIX = "kernel-"


@contextmanager
def scratch_folder(workspace: Path) -> Iterator[Path]:
    """A scratch folder for this process, recorded and removed at the end."""
    (workspace / RECORDS).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        path = workspace / RECORDS / f"{folder.name}.{os.getpid()}"
        with path.open("w") as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX)
                record.write(name)
                record.flush()
                yield folder
            finally:
                path.unlink(missing_ok=True)


def remove_leftovers(workspace: Path, say: Callable[[str], None]) -> None:
    """Remove the scratch folders of jobs that were killed; of any that are still at work `say` so, and wait for them."""
    for path in sorted((workspace / RECORDS).glob(f"{PREFIX}*")):
        with suppress(FileNotFoundError), path.open() as record:
            try:
                fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"process {path.suffix[1:]} of a killed run is still at work here; waiting for it")
                fcntl.flock(record, fcntl.LOCK_EX)
            folder = Path(record.read())
            if folder.name.startswith(PREFIX):
                shutil.rmtree(folder, ignore_errors=True)
            path.unlink()
