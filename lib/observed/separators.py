"""Tables of text: encoding, comments, line of names, separator and decimal sign are found from the text itself."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

import pandas as pd

from lib.errors import InputError
from lib.observed.wording import counted, quoted

SEPARATORS = ("\t", ";", "|", ",", None)
"""In the order in which they are tried; None: any white space."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
COMMENT = re.compile(r"\s*(#|%|//|!)+\s*")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+(e[+-]?\d+)?", re.IGNORECASE)
DECIMAL_POINT = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)\.\d*(e[+-]?\d+)?", re.IGNORECASE)
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\ufffe\uffff]")
SAMPLE = 200
"""Lines from which separator and decimal sign are found."""
HEAD = 4096
"""Bytes from which an encoding is guessed."""
MISSING = ["-", "--", "?", "none", "missing", "NaN()"]
"""Marks of a missing value besides those that pandas knows."""


@dataclass(frozen=True)
class TextTable:
    """Cells under the file's own names."""

    table: pd.DataFrame
    """Columns in the file's order under its names; the index is the number of the line, named `line`."""
    units: Sequence[str]
    """By column what stands below the names before the first number, such as `(micron)`; empty where nothing does."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Layout:
    separator: str | None
    width: int
    header: list[str]
    body: int
    """Where rows begin, as a place among the lines that are no comments."""


def read_text(text: str) -> TextTable:
    """Cells of a table; `InputError` where there are no columns with names, or lines of unequal length."""
    damaged = NO_TEXT.search(text)
    if damaged:
        raise InputError(f"line {text.count(chr(10), 0, damaged.start()) + 1} holds a character that is no text")
    lines = [(number, line) for number, line in enumerate(re.split("\r\n|\r|\n", text), 1) if line.strip()]
    comments = [line for _, line in lines if COMMENT.match(line)]
    lines = [(number, line) for number, line in lines if not COMMENT.match(line)]
    if lines and re.fullmatch(r"\"?sep=.\"?", lines[0][1].strip()):
        lines = lines[1:]
    for number, line in lines:
        if line.count('"') % 2:
            raise InputError(f"line {number} has a quotation mark that is not closed")
    layout = _layout([line for _, line in lines[:SAMPLE]], comments)
    return _cells(lines, layout)


def decode(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Text of a file and notes about its encoding; `InputError` if it is not text."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding), ()
    zeros = [content[start:HEAD:2].count(0) for start in (0, 1)]
    if max(zeros) > len(content[:HEAD]) / 4 > 8 * min(zeros):
        encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        return _decoded(content, encoding), ("The file has no byte-order mark and was read as UTF-16.",)
    if b"\0" in content:
        raise InputError("is not a table: neither text, Parquet nor numpy's npz")
    try:
        return content.decode("utf-8"), ()
    except UnicodeDecodeError:
        return content.decode("latin-1"), ("The file is not UTF-8 and was read as Latin-1.",)


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise InputError(f"begins as {encoding.upper()} and is damaged further on: save it as UTF-8") from None


def _split(line: str, separator: str | None) -> list[str]:
    if separator is None:
        line = re.sub(r"\s+(?=[\[(])", "", line)  # a unit belongs to its name: `x [um]`
        return next(csv.reader([" ".join(line.split())], delimiter=" "))
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def _layout(sample: list[str], comments: list[str]) -> _Layout:
    if not sample:
        raise InputError("holds no line of data")
    nameless = False
    for separator in SEPARATORS:
        try:
            rows = [_split(line, separator) for line in sample]
        except (csv.Error, StopIteration):
            continue
        tail = rows[len(rows) // 2 :]
        width = Counter(len(row) for row in tail).most_common(1)[0][0]
        if width < 2:
            continue
        ragged = all(len(row) == width and row[-1] == "" for row in tail)
        for k, row in enumerate(rows):
            if any(map(_is_number, row)):
                break
            header = _header(row, width, separator, ragged)
            if header:
                return _Layout(separator, width, header, k + 1)
        first = next((k for k, row in enumerate(rows) if len(row) == width and any(map(_is_number, row))), None)
        for comment in comments[::-1] if first is not None else []:
            header = _header(_split(COMMENT.sub("", comment, count=1), separator), width, separator, ragged)
            if header and not any(map(_is_number, header)):
                return _Layout(separator, width, header, first or 0)
        nameless = nameless or (first is not None and len(tail) > 1)
    if nameless:
        raise InputError("has no line of column names: begin it with one such as time,body,x,y")
    raise InputError("is not a table with columns: begin it with a line of names such as time,body,x,y")


def _header(row: list[str], width: int, separator: str | None, ragged: bool) -> list[str] | None:
    if len(row) == width:
        return row
    if len(row) == width - 1 and ragged:
        return [*row, ""]
    if len(row) == width - 1 and width > 2 and separator in (None, "\t"):
        return ["", *row]  # as R writes tables: no name above the numbers of rows
    return None


def _cells(lines: list[tuple[int, str]], layout: _Layout) -> TextTable:
    notes = []
    titles: list[list[str]] = []
    place = layout.body
    while place < len(lines):
        cells = _split(lines[place][1], layout.separator)
        if len(cells) != layout.width or any(map(_is_number, cells)):
            break
        titles.append(cells)
        place += 1
    rows = lines[place:]
    again = lines[layout.body - 1][1] if layout.body else None
    kept = [(number, line) for number, line in rows if line != again]
    if len(kept) < len(rows):
        notes.append(f"The line of names stands again {counted(len(rows) - len(kept), 'time')} among the rows: left out.")
    if not kept:
        raise InputError("has names of columns and no row of numbers below them")
    for number, line in kept:
        found = _fields(line, layout.separator)
        if found != layout.width:
            raise InputError(f"line {number} has {counted(found, 'field')} where {layout.width} belong")
    names, units = _names(layout.header, titles)
    sample = kept[:: max(1, len(kept) // SAMPLE)]
    decimal, thousands = _marks([cell for _, line in sample for cell in _split(line, layout.separator)])
    if decimal == ",":
        notes.append("Numbers are written with a decimal comma.")
    return TextTable(_parsed(kept, layout, names, decimal, thousands), units, tuple(notes))


def _fields(line: str, separator: str | None) -> int:
    if '"' in line:
        return len(_split(line, separator))
    return len(line.split()) if separator is None else line.count(separator) + 1


def _names(header: list[str], titles: list[list[str]]) -> tuple[list[str], list[str]]:
    """Names and units: lines without numbers below the names hold units, or the second half of names."""
    named = [name for name in header if name]
    if titles and len(set(named)) < len(named):
        # names of bodies above those of coordinates, as DeepLabCut and spreadsheets write them
        return ["_".join(filter(None, parts)) for parts in zip(header, *titles, strict=True)], [""] * len(header)
    return header, titles[-1] if titles else [""] * len(header)


def _marks(cells: list[str]) -> tuple[str, str | None]:
    """The decimal sign, and the sign between thousands if there is one."""
    commas = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
    points = [cell for cell in cells if DECIMAL_POINT.fullmatch(cell)]
    if commas and not points:
        return ",", "." if any("." in cell for cell in commas) else None
    return ".", "," if any("," in cell for cell in points) else None


def _parsed(
    lines: list[tuple[int, str]], layout: _Layout, names: list[str], decimal: str, thousands: str | None
) -> pd.DataFrame:
    text = "\n".join(line for _, line in lines)
    separator = layout.separator
    if separator == decimal:  # each cell in quotation marks
        text = "\n".join("\t".join(_split(line, separator)) for _, line in lines)
        separator = "\t"
    try:
        table = pd.read_csv(
            StringIO(text),
            sep=separator or r"\s+",
            header=None,
            names=list(range(layout.width)),
            index_col=False,
            decimal=decimal,
            thousands=thousands,
            na_values=MISSING,
            skipinitialspace=True,
            skip_blank_lines=False,
            low_memory=False,
        )
    except (ValueError, OverflowError) as error:
        raise InputError(f"cannot be read as a table: {quoted(error)}") from None
    if len(table) != len(lines):
        raise InputError("has quotation marks across lines: write one row a line")
    table.columns = pd.Index(names)
    table.index = pd.Index([number for number, _ in lines], name="line")
    return table
