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
APPENDED = re.compile(r"(.*?)[_\s]([^\W_]+)")


def without_unit(name: str) -> tuple[str, str]:
    """A name and its unit in brackets or after a stroke, empty where it has none; `x[1]` is no unit."""
    for pattern in (BRACKETED, DIVIDED):
        found = pattern.fullmatch(name)
        if found and found[1] and not found[2].strip().isdigit():
            return found[1].strip(), found[2].strip()
    return name.strip(), ""


def without_suffix(name: str) -> tuple[str, str]:
    """A name and its unit as a suffix, `time_s`, empty where it has none that is known."""
    found = APPENDED.fullmatch(name)
    return (found[1], found[2]) if found and found[2].lower() in UNITS else (name, "")


def below(cell: str) -> str:
    """The unit that stands below a name, `(micron)` or `s`; empty where it is something else."""
    inside = cell.strip()
    bracketed = inside.startswith(("(", "[")) and inside.endswith((")", "]"))
    inside = inside.strip("()[] ")
    return inside if bracketed or inside.lower() in UNITS else ""
