"""Registries: entries by name, with one way to look them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lib.errors import InputError

Entry = TypeVar("Entry")


class Registry(dict[str, Entry]):
    """What can be chosen by name."""

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        """`kind`: what an entry is, as messages to users call it."""
        super().__init__(entries)
        self.kind = kind

    def find(self, name: str) -> Entry:
        """The entry of that name; `InputError` with the valid names otherwise."""
        if name not in self:
            raise InputError(f"unknown {self.kind} {name!r}: choose one of {', '.join(self)}")
        return self[name]
