"""The clock of a recording: dates and hours as seconds, frames as time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.observed.recording import Experiment, Recording
from lib.observed.units import FRAMES

HOURS = r"\d+:\d\d(:\d\d([.,]\d+)?)?"
FOLLOWS = 0.9
"""Share of the variance of displacements that velocities must explain before a clock is taken from them."""
SURE = 0.99
"""The same before velocities are said to contradict the clock that the file has."""
OFF = 0.1
"""Relative difference between clock and velocities that is told."""
SMOOTH = 0.05
"""Correction of the trapezoidal rule, relative to the displacement, above which times are too far apart to tell."""
FEWEST = 10
"""Displacements below which nothing is said about the clock."""


def seconds(values: pd.Series) -> tuple[pd.Series, str]:
    """Dates (ISO 8601) or hours (`1:02:03.5`) as seconds with their unit; anything else as it is, with no unit."""
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return values.dt.total_seconds(), "s"
    dates = values
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        if pd.api.types.is_numeric_dtype(values.dtype) or pd.to_numeric(values, errors="coerce").notna().any():
            return values, ""
        known = values[values.notna()].astype(str).str.strip()
        if len(known) and known.str.fullmatch(HOURS).all():
            parts = known.str.replace(",", ".").str.split(":", expand=True).astype(float)
            scale = [3600.0, 60.0, 1.0] if parts.shape[1] == 3 else [60.0, 1.0]
            return (parts.fillna(0.0) @ np.array(scale)).reindex(values.index), "s"
        try:
            dates = pd.to_datetime(values, format="ISO8601", utc=True)
        except (ValueError, TypeError, OverflowError):
            return values, ""
    return (dates - dates.min()).dt.total_seconds(), "s"


def with_clock(recording: Recording, frame_rate: float | None) -> Recording:
    """Frames as time: by the frame rate, else by the velocities that were measured, else left as they are; all told."""
    if frame_rate is not None and not (np.isfinite(frame_rate) and frame_rate > 0):
        raise InputError(f"the frame rate is {frame_rate}: give a positive number of frames in a unit of time")
    if recording.time_unit != FRAMES:
        recording = recording if frame_rate is None else recording.noting("The file has a clock: the frame rate is not used.")
        return _consistent(recording)
    if frame_rate is not None:
        note = f"Time is counted in frames, {frame_rate:g} in a unit of time."
        return _consistent(replace(_slower(recording, frame_rate), time_unit="").noting(note))
    period, explained = _period(recording.experiments)
    if explained > FOLLOWS and period > 0 and abs(period - 1) > OFF:
        note = (
            f"Time is counted in frames; by the velocities one frame lasts {period:.6g}, which is taken as the clock "
            f"(a frame rate tells it exactly)."
        )
        return replace(_slower(recording, 1 / period), time_unit="").noting(note)
    return recording.noting("Time is counted in frames: give the frame rate to have it in seconds.")


def _slower(recording: Recording, rate: float) -> Recording:
    return replace(recording, experiments=tuple(replace(one, time=one.time / rate) for one in recording.experiments))


def _period(experiments: Iterable[Experiment]) -> tuple[float, float]:
    """Unit of time by which velocities become displacements, and the share of the displacements' variance explained.

    Least squares of dx = c [dt (v_0 + v_1) / 2 + dt^2 (v'_0 - v'_1) / 12] over neighbouring times, the trapezoidal rule
    with its correction by the slopes v' of the velocities.
    """
    steps, drifts, corrections = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for one in experiments:
        if one.velocity is not None and len(one.time) > 1:
            step = np.diff(one.position, axis=0)
            slopes = np.gradient(one.velocity, one.time, axis=0)
            dt = np.diff(one.time)[:, None, None]
            drift = dt * (one.velocity[1:] + one.velocity[:-1]) / 2
            correction = -(dt**2) * np.diff(slopes, axis=0) / 12
            known = np.isfinite(step) & np.isfinite(drift) & np.isfinite(correction)
            steps.append(step[known])
            drifts.append(drift[known])
            corrections.append(correction[known])
    step, drift, correction = np.concatenate(steps), np.concatenate(drifts), np.concatenate(corrections)
    size = float(np.abs(drift).max(initial=0.0)), float(np.abs(step).max(initial=0.0))
    if len(step) < FEWEST or min(size) == 0:
        return 0.0, 0.0
    step, drift, correction = step / size[1], drift / size[0], correction / size[0]
    if np.linalg.norm(correction) > SMOOTH * np.linalg.norm(drift):
        return 0.0, 0.0
    drift = drift + correction
    slope = float(step @ drift / (drift @ drift))
    return slope * size[1] / size[0], 1 - float(np.sum((step - slope * drift) ** 2) / np.sum(step**2))


def _consistent(recording: Recording) -> Recording:
    """Velocities in another unit than positions and clock are left out, with what was derived from them; told."""
    slope, explained = _period(recording.experiments)
    if explained < SURE or abs(slope - 1) < OFF:
        return recording
    left = tuple(replace(one, velocity=None, acceleration=None) for one in recording.experiments)
    return replace(recording, experiments=left).noting(
        f"Positions change {slope:.4g} times as fast as the velocities say: their units differ, so velocities and "
        f"accelerations are left out."
    )
