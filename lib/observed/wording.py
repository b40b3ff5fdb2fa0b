"""Words of notes and errors about a user's file."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 8
"""Names that are listed before the rest is counted."""
LONGEST = 40
"""Characters of a cell or a name that are shown."""


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `3 rows`, `2 bodies`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def listed(names: Iterable[object]) -> str:
    """Names after each other, the first few and the number of the others."""
    names = [quoted(name) for name in names]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join(names[:SHOWN] + more)


def quoted(value: object) -> str:
    """What stands in the file, on one line, shortened, printable."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(value))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
