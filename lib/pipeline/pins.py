"""Whether an environment satisfies the pins of pyproject.toml; it needs the standard library alone.

`python -m lib.pipeline.pins QUESTION COMMAND ...` answers for a command with its arguments, such as `run_all.sh --site`:

- `amiss`: packages that are missing or of another version, one a line; the status is 1 if any is.
- `wanted`: the pins, one a line, for pip.
- `megabytes`: about how much is still to be downloaded, torch aside.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lib.pipeline.extras import EXTRAS, needed

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
MEGABYTES = 310
"""What the packages that every command needs and their dependencies download, torch aside; measured."""


def pins(extras: Iterable[str] = EXTRAS) -> dict[str, str]:
    """Pinned version of each package that the project imports, with some extras; by default all that a set-up installs."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(pin for extra in extras for pin in optional[extra])]
    return dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", text).groups() for text in wanted)


def amiss(extras: Iterable[str] = EXTRAS) -> list[str]:
    """Packages that are missing or of another version; a build tag such as +cpu does not matter."""
    lines = []
    for name, pin in pins(extras).items():
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            lines.append(f"{name} {pin} is missing")
        else:
            if found != pin:
                lines.append(f"{name} is {found}, not {pin}")
    return lines


def megabytes(extras: Iterable[str]) -> int:
    """About how much a set-up still downloads, torch aside."""
    always = amiss(())
    return bool(always) * MEGABYTES + sum(EXTRAS[name].megabytes for name in extras if amiss([name]) != always)


if __name__ == "__main__":
    question, *command = sys.argv[1:]
    asked = needed(*command)
    if question == "amiss":
        print("\n".join(problems := amiss(asked)))
        sys.exit(bool(problems))
    elif question == "wanted":
        print("\n".join(f"{name}=={pin}" for name, pin in pins(asked).items()))
    else:
        print(megabytes(asked))
