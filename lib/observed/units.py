"""Units in the names of columns: `x [um]`, `x (m)`, `t / s`, `time_s`."""

from __future__ import annotations

import re

LENGTHS = {
    *("m", "meter", "meters", "metre", "metres", "dm", "cm", "mm", "um", "µm", "μm", "micron", "microns", "micrometer"),
    *("nm", "pm", "km", "au", "pc", "kpc", "mpc", "ly", "px", "pix", "pixel", "pixels", "ft", "inch", "angstrom"),
}
TIMES = {
    *("s", "sec", "secs", "second", "seconds", "ms", "us", "µs", "μs", "ns", "ps", "fs", "min", "minute", "minutes"),
    *("h", "hr", "hour", "hours", "d", "day", "days", "yr", "year", "years", "myr", "gyr"),
}
OTHERS = {"kg", "g", "mg", "c", "e", "nc", "n", "mn"}
UNITS = LENGTHS | TIMES | OTHERS
FRAMES = "frames"
"""The unit of time of a recording without a clock."""

BRACKETED = re.compile(r"(.*?)[\s_]*[\[(]([^\[\]()]*)[\])]\s*")
DIVIDED = re.compile(r"(.*?)\s+/\s+(\S+)\s*")
APPENDED = re.compile(r"(.*)[_\s]([^_\s]+)")


def without_unit(name: str) -> tuple[str, str]:
    """A name and its unit in brackets or after a stroke, empty where it has none; `x[1]` is no unit."""
    for pattern in (BRACKETED, DIVIDED):
        found = pattern.fullmatch(name)
        if found and found[1] and not found[2].strip().isdigit():
            return found[1].strip(), found[2].strip()
    return name.strip(), ""


def suffixes(name: str) -> list[tuple[str, str]]:
    """A name with more and more of its end taken as a unit: `vx_m_s` as `vx_m` and `s`, `vx` and `m_s`."""
    found, unit = [], ""
    while (split := APPENDED.fullmatch(name)) and (split[2].lower() in UNITS or re.fullmatch(r"per|s\^?-?[12]", split[2])):
        name, unit = split[1], f"{split[2]}_{unit}".strip("_")
        found.append((name, unit))
    return found


def below(cell: str) -> str:
    """The unit that stands below a name, `(micron)` or `s`; empty where it is something else."""
    inside = cell.strip()
    bracketed = inside.startswith(("(", "[")) and inside.endswith((")", "]"))
    inside = inside.strip("()[] ")
    return inside if bracketed or inside.lower() in UNITS else ""
