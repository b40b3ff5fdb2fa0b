"""What columns and arrays may hold, and the names that programs give it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lib.errors import InputError
from lib.observed.wording import listed, quoted

AXES = ("x", "y", "z")

TRAJECTORY = {
    "trajectory": (
        *("trajectory", "trajectory_id", "traj", "traj_id", "experiment", "experiment_id", "run", "run_id", "trial"),
        *("trial_id", "simulation", "sim", "realization", "realisation", "episode", "replicate", "movie", "video"),
    )
}
CLOCK = {
    "time": (
        *("time", "t", "position_t", "pos_t", "timestamp", "time_stamp", "elapsed", "elapsed_time", "times", "datetime"),
        *("date", "epoch", "jd", "mjd", "julian_date", "jdtdb"),
    ),
    "frame": (
        *("frame", "frames", "frame_number", "frame_id", "frame_no", "frame_index", "step", "timestep", "time_step"),
        *("slice", "slice_n", "slice_number", "image", "image_number", "snapshot"),
    ),
}
BODY = {
    "body": (
        *("body", "body_id", "particle", "particle_id", "particle_number", "track_id", "trackid", "track", "track_n"),
        *("track_number", "object", "object_id", "atom", "atom_id", "agent", "agent_id", "animal", "animal_id", "fish"),
        *("bird", "individual", "individual_local_identifier", "planet", "star", "bead", "cell", "cell_id", "identity"),
        *("id", "name", "label"),
    )
}
_WORDS = {
    "": ("position_{0}", "pos_{0}", "pos{0}", "{0}_pos", "{0}pos", "{0}_position", "coord_{0}", "{0}_coord"),
    "v": ("v_{0}", "velocity_{0}", "vel_{0}", "vel{0}", "{0}_velocity", "{0}_vel", "{0}dot", "{0}_dot"),
    "a": ("a_{0}", "acceleration_{0}", "acc_{0}", "acc{0}", "accel_{0}", "{0}_acceleration", "{0}_acc", "{0}ddot", "{0}_ddot"),
    "f": ("f_{0}", "force_{0}", "force{0}", "{0}_force"),
    "box_": ("box{0}", "{0}_box"),
}
_MORE_POSITIONS = ("{0}_coordinate", "coordinate_{0}", "centroid_{0}", "{0}_centroid", "{0}u", "r_{0}", "r{0}")


def _of_axes(letter: str, more: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """By component, the names that it may have."""
    forms = (f"{letter}{{0}}", *_WORDS[letter], *more)
    return {f"{letter}{axis}": tuple(form.format(axis) for form in forms) for axis in AXES}


POSITION = _of_axes("", _MORE_POSITIONS)
VELOCITY = _of_axes("v")
ACCELERATION = _of_axes("a")
FORCE = _of_axes("f")
GIVEN = {"mass": ("mass", "m", "masses"), "charge": ("charge", "q", "charges")}
BOX = _of_axes("box_")

MOTION = POSITION | VELOCITY | ACCELERATION | FORCE
QUANTITIES: dict[str, tuple[str, ...]] = TRAJECTORY | CLOCK | BODY | MOTION | GIVEN | BOX
"""Our names, each with the names that it may have in a file, the surest first."""


def plain(name: str) -> str:
    """A name in lower case, with one underscore for anything that is neither letter nor digit."""
    return re.sub(r"[\W_]+", "_", name.strip().lower(), flags=re.ASCII).strip("_")


def check_names(columns: Mapping[str, str], present: Iterable[str]) -> dict[str, str]:
    """A user's choice of columns, our names to the file's as they stand there; `InputError` if a name is unknown."""
    present = list(present)
    chosen = {}
    for ours, theirs in columns.items():
        if ours not in QUANTITIES:
            raise InputError(f"column {quoted(ours)!r} is unknown: choose among {', '.join(QUANTITIES)}")
        found = [name for name in present if name == theirs] or [name for name in present if plain(name) == plain(theirs)]
        if len(found) != 1:
            how = "is missing" if not found else "stands more than once"
            raise InputError(f"column {quoted(theirs)!r}, to be read as {ours}, {how}: the file has {listed(present)}")
        chosen[ours] = found[0]
    if len(set(chosen.values())) < len(chosen):
        raise InputError("one column is chosen for two quantities: choose one for each")
    return chosen
