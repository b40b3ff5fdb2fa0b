"""Which extras of `pyproject.toml` a command needs: the one place that says so. It needs the standard library alone.

`lib/pipeline/environment.sh` installs an extra when a command that needs it is first given. An extra that no command
has here, such as `pysr`, is installed by who wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Extra(NamedTuple):
    """When an extra is needed, and what it costs."""

    needed: Callable[[set[str]], bool]
    """Whether `run_all.sh` needs it, by the words of its command line."""
    megabytes: int
    """What its packages and their dependencies download, measured."""


PARTS = {"--only", "--site", "--data"}
"""Words by which less than the whole is asked for."""
EXTRAS = {
    "argon": Extra(lambda words: words.isdisjoint(PARTS), 14),  # stage 8 belongs to the whole
    "cluster": Extra(lambda words: "--executor" in words, 1),
    "site": Extra(lambda words: "--site" in words, 12),
    "solar-system": Extra(lambda words: words.isdisjoint(PARTS), 17),  # so does stage 11
    "test": Extra(lambda words: False, 66),
}
"""By name in `pyproject.toml`; `run_tests.sh` needs them all."""


def needed(command: str, *arguments: str) -> list[str]:
    """The extras that a command needs, `run_all.sh` or `run_tests.sh` with its arguments."""
    if command == "run_tests.sh":
        return list(EXTRAS)
    words = {word for argument in arguments for word in argument.split("=", 1)}
    return [name for name, extra in EXTRAS.items() if extra.needed(words)]
