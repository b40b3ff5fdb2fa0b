"""Columns under the names that people and programs give them, brought into long form under ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.clock import seconds
from lib.observed.quantities import AXES, BOX, CLOCK, GIVEN, MOTION, POSITION, QUANTITIES, TRAJECTORY, check_names, plain
from lib.observed.rows import Rows
from lib.observed.units import FRAMES, LENGTHS, TIMES, below, suffixes, without_unit
from lib.observed.wording import counted, listed, quoted

NAMELESS = re.compile(r"\s*|unnamed: ?\d+(_level_\d+)?|__index_level_\d+__", re.IGNORECASE)
BODIES_OF_A_WIDE_TABLE = 2


@dataclass(frozen=True)
class _Column:
    """One column of the file."""

    place: int
    name: str
    bare: str
    """Without the unit."""
    unit: str


def rows_of(table: pd.DataFrame, units: Sequence[str], columns: Mapping[str, str]) -> Rows:
    """Rows of a table in long or wide form; `InputError` where columns are missing, doubled or hold no numbers.

    `units` by column, from a line below the names; `columns` maps our names to the file's.
    """
    named = [_column(k, str(name), below(unit)) for k, (name, unit) in enumerate(zip(table.columns, units, strict=True))]
    notes = []
    if any(NAMELESS.fullmatch(column.name) for column in named):
        named = [column for column in named if not NAMELESS.fullmatch(column.name)]
        notes.append("A column without a name is left out.")
    chosen = {
        ours: next(column for column in named if column.name == theirs)
        for ours, theirs in check_names(columns, [column.name for column in named]).items()
    }
    roles, spare = _roles(named, chosen)
    if {"body", "x", "y"} <= set(roles):
        rows = _long(table, roles, named)
    else:
        taken = [roles[name] for name in (*TRAJECTORY, *CLOCK) if name in roles]
        # beside a plain x and y, columns such as `x_error` are no bodies
        plainly = {role for role, column in roles.items() if not _might_be_a_body(column)}
        wide = {} if {"x", "y"} <= plainly else _wide([column for column in named if column not in taken])
        if len(wide) < BODIES_OF_A_WIDE_TABLE:
            raise InputError(_missing(roles, named, len(wide)))
        spare = [column for column in spare if column not in [one for body in wide.values() for one in body.values()]]
        rows = _from_wide(table, roles, wide)
    if spare:
        notes.append(f"Left out, since other columns stand for the same: {listed(column.name for column in spare)}.")
    rows.notes[:0] = notes
    return rows


def _column(place: int, name: str, below_it: str) -> _Column:
    bare, unit = without_unit(name)
    if not unit and _role(bare) is None:
        bare, unit = _without_suffix(bare)
    return _Column(place, name, bare, unit or below_it)


def _without_suffix(name: str) -> tuple[str, str]:
    """A name and the unit that ends it, if what is left says what the column is; `x_e` has none, e is no length."""
    ends = suffixes(name)
    for shorter, unit in ends:
        role = _role(shorter)
        fitting = LENGTHS if role in POSITION else TIMES if role in CLOCK else {unit.lower()}
        if role and unit.lower() in fitting:
            return shorter, unit
    return next(((shorter, unit) for shorter, unit in ends[::-1] if _part(shorter)), (name, ""))


def _role(name: str) -> str | None:
    return next((role for role, names in QUANTITIES.items() if plain(name) in names), None)


def _roles(named: list[_Column], chosen: dict[str, _Column]) -> tuple[dict[str, _Column], list[_Column]]:
    """The column of each quantity, and those that would do as well but are left out."""
    roles, spare = dict(chosen), []
    free = [column for column in named if column not in chosen.values()]
    for role, names in QUANTITIES.items():
        found = [column for column in free if plain(column.bare) in names]
        if role in chosen:
            spare += found
            continue
        ranks = [names.index(plain(column.bare)) for column in found]
        best = [column for column, rank in zip(found, ranks, strict=True) if rank == min(ranks)]
        if len(best) > 1:
            raise InputError(f"columns {listed(c.name for c in best)} would all be read as {role}: name one of them {role}")
        if best:
            roles[role] = best[0]
            spare += [column for column in found if column is not best[0]]
    return roles, spare


def _missing(roles: Mapping[str, _Column], named: list[_Column], bodies: int) -> str:
    if bodies:
        return "holds one body only: a law between bodies needs at least two"
    missing = [name for name in ("body", "x", "y") if name not in roles]
    return (
        f"has no column of {', '.join(missing)}: it has {listed(c.name for c in named) or 'none'}; name them as "
        f"time,body,x,y or say which they are, such as {missing[0]}=NAME"
    )


def _numbers(table: pd.DataFrame, column: _Column) -> np.ndarray:
    """Values as numbers, missing ones NaN; `InputError` with the line of the first that is none."""
    values = table.iloc[:, column.place]
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError):
        raise InputError(f"column {quoted(column.name)} holds no numbers") from None
    wrong = np.isnan(numbers) & values.notna().to_numpy()
    if wrong.any():
        k = int(wrong.argmax())
        cell = quoted(values.iloc[k])
        raise InputError(f"{_place(table, k)}: column {quoted(column.name)} holds {cell!r} where a number belongs")
    infinite = np.isinf(numbers)
    if infinite.any():
        raise InputError(f"{_place(table, int(infinite.argmax()))}: column {quoted(column.name)} holds an infinite value")
    return numbers


def _place(table: pd.DataFrame, k: int) -> str:
    return f"{table.index.name or 'row'} {table.index[k]}"


def _names(values: pd.Series) -> pd.Categorical:
    """Names as text: numbers in their order, words in the order in which they come."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(float, na_value=np.nan)
        codes, found = pd.factorize(numbers, sort=True)
        if np.isinf(found).any():
            raise InputError(f"column {quoted(values.name)} holds an infinite value")
        names = [str(int(one)) if one.is_integer() and abs(one) < 2**53 else str(one) for one in found.tolist()]
    else:
        text = values.astype(str).str.strip().where(values.notna())
        codes, found = pd.factorize(text.where(text != ""))
        names = [str(name) for name in found]
    return pd.Categorical.from_codes(codes, categories=names)


def _clock(table: pd.DataFrame, roles: Mapping[str, _Column], notes: list[str]) -> tuple[dict[str, np.ndarray], str]:
    """Time, and frames where both stand in the file; and the unit."""
    frame = _numbers(table, roles["frame"]) if "frame" in roles else None
    if "time" in roles:
        values, unit = seconds(table.iloc[:, roles["time"].place])
        unit = unit or roles["time"].unit
        column = table.copy(deep=False)
        column.isetitem(roles["time"].place, values)
        time = _numbers(column, roles["time"])
        if frame is None:
            return {"time": time}, unit
        if len(np.unique(time[~np.isnan(time)])) > 1 or len(np.unique(frame[~np.isnan(frame)])) < 2:
            return {"time": time, "frame": frame}, unit
        notes.append(f"Column {quoted(roles['time'].name)} never changes: time is counted by {quoted(roles['frame'].name)}.")
    if frame is None:
        raise InputError("has no column of time or frame: name one time, or say which it is, such as time=NAME")
    return {"time": frame}, FRAMES


def _length_unit(bodies: Iterable[Mapping[str, _Column]]) -> str:
    units = {columns[axis].unit for columns in bodies for axis in AXES if axis in columns} - {""}
    if len(units) > 1:
        raise InputError(f"coordinates have different units ({listed(sorted(units))}): convert them to one")
    return units.pop() if units else ""


def _long(table: pd.DataFrame, roles: dict[str, _Column], named: list[_Column]) -> Rows:
    notes: list[str] = []
    time, unit = _clock(table, roles, notes)
    data: dict[str, object] = dict(time)
    data["body"] = _names(table.iloc[:, roles["body"].place])
    if "trajectory" in roles:
        data["trajectory"] = _names(table.iloc[:, roles["trajectory"].place])
    for role in (*MOTION, *GIVEN, *BOX):
        if role in roles:
            data[role] = _numbers(table, roles[role])
    properties = [role for role in GIVEN if role in roles]
    words, names = [], Counter(map(str, data))
    others = [column for column in named if column not in roles.values() and _role(column.bare) is None]
    for column in others:
        name = re.sub(r"\W+", "_", plain(column.bare), flags=re.ASCII)
        name = name if name[:1].isalpha() else f"p_{name}"
        values = table.iloc[:, column.place]
        if not pd.api.types.is_numeric_dtype(values.dtype) or name in names:
            words.append(column.name)
            continue
        names[name] += 1
        data[name] = values.to_numpy(float, na_value=np.nan)
        properties.append(name)
    if words:
        notes.append(f"Left out, since they hold text or stand twice: {listed(words)}.")
    frame = pd.DataFrame(data, index=table.index)
    return Rows(_with_identity(frame, roles, notes), properties, notes, unit, _length_unit([roles]))


def _with_identity(frame: pd.DataFrame, roles: Mapping[str, _Column], notes: list[str]) -> pd.DataFrame:
    """Rows of which body, time and trajectory are known."""
    for name in ("body", "trajectory", "time"):
        if name in frame:
            known = frame[name].notna().to_numpy()
            if not known.all():
                column = roles[name].name if name in roles else name
                notes.append(f"{counted(int((~known).sum()), 'row')} without a {name} left out (column {quoted(column)}).")
                frame = frame[known]
    return frame


def _part(name: str) -> tuple[str, str] | None:
    """The quantity and the body of a wide table's column, such as `x1`, `x_1`, `x[1]`, `earth_x`, `x_earth`."""
    text = re.sub(r"[\W_]+", "_", name).strip("_")
    for form, role in _FORMS:
        found = (
            re.fullmatch(rf"{form}_?(\d+)", text, re.IGNORECASE)
            or re.fullmatch(rf"{form}_(.+)", text, re.IGNORECASE)
            or re.fullmatch(rf"(\d+)_?{form}", text, re.IGNORECASE)
            or re.fullmatch(rf"(.+)_{form}", text, re.IGNORECASE)
        )
        if found:
            return role, found[1]
    return None


_FORMS = sorted(((form, role) for role, forms in (MOTION | GIVEN).items() for form in forms), key=lambda pair: -len(pair[0]))


def _might_be_a_body(column: _Column) -> bool:
    """Whether a unit of one letter may be a body: `x_m` beside `x_e` is no metre."""
    return len(column.unit) == 1 and not without_unit(column.name)[1] and _part(column.name) is not None


def _wide(named: list[_Column]) -> dict[str, dict[str, _Column]]:
    """Columns by body and quantity, of bodies with at least x and y."""
    bodies: dict[str, dict[str, _Column]] = {}
    for column in named:
        part = _part(column.bare)
        if part is None and _might_be_a_body(column):
            part, column = _part(column.name), replace(column, unit="")
        if part:
            role, body = part
            if role in bodies.setdefault(body, {}):
                twice = f"{quoted(bodies[body][role].name)} and {quoted(column.name)}"
                raise InputError(f"columns {twice} would both be read as {role} of body {quoted(body)}: rename one")
            bodies[body][role] = column
    found = {body: columns for body, columns in bodies.items() if {"x", "y"} & set(columns)}
    for body, columns in found.items():
        if len(found) > 1 and not {"x", "y"} <= set(columns):
            there, missing = ("x", "y") if "x" in columns else ("y", "x")
            raise InputError(f"has column {quoted(columns[there].name)} and no {missing} of body {quoted(body)}: add it")
    return found


def _from_wide(table: pd.DataFrame, roles: Mapping[str, _Column], wide: dict[str, dict[str, _Column]]) -> Rows:
    notes = [f"Each line holds {len(wide)} bodies: {listed(wide)}."]
    if "time" in roles or "frame" in roles:
        time, unit = _clock(table, roles, notes)
    else:
        time, unit = {"time": np.arange(len(table), dtype=float)}, FRAMES
        notes.append("There is no column of time: each line is taken as a frame.")
    shared: dict[str, object] = dict(time)
    if "trajectory" in roles:
        shared["trajectory"] = _names(table.iloc[:, roles["trajectory"].place])
    given = [role for role in GIVEN if all(role in columns for columns in wide.values())]
    held = {role: [role in columns for columns in wide.values()] for role in (*MOTION, *GIVEN)}
    partly = [role for role, there in held.items() if any(there) and not all(there)]
    if partly:
        notes.append(f"Left out, since not all bodies have them: {listed(partly)}.")
    quantities = [role for role, there in held.items() if all(there)]
    parts = [
        pd.DataFrame({**shared, **{role: _numbers(table, columns[role]) for role in quantities}}, index=table.index)
        for columns in wide.values()
    ]
    frame = pd.concat(parts)
    frame["body"] = pd.Categorical.from_codes(np.repeat(np.arange(len(wide)), len(table)), categories=list(wide))
    taken = {column.place for columns in wide.values() for column in columns.values()} | {c.place for c in roles.values()}
    others = [str(name) for k, name in enumerate(table.columns) if k not in taken and not NAMELESS.fullmatch(str(name))]
    if others:
        notes.append(f"Left out, since no body is known for them: {listed(others)}.")
    return Rows(_with_identity(frame, roles, notes), given, notes, unit, _length_unit(wide.values()))
