"""What a recording holds, in a few plain lines."""

from __future__ import annotations

import numpy as np

from lib.observed.recording import Recording
from lib.observed.units import FRAMES


def describe(recording: Recording) -> str:
    """A few plain lines: experiments, bodies, times, spacing, gaps, and what is given."""
    experiments = recording.experiments
    times = [len(one.time) for one in experiments]
    return "\n".join(
        [
            f"experiments: {len(experiments)}",
            f"bodies: {_span([len(one.bodies) for one in experiments])} in {recording.dim}D",
            f"times: {_span(times)} in each, {sum(times)} in all",
            f"spacing: {_spacing(recording)}",
            f"missing: {_missing(recording)}",
            f"given: {', '.join(_given(recording))}",
            f"frame: {recording.frame}",
        ]
    )


def _span(counts: list[int]) -> str:
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _spacing(recording: Recording) -> str:
    steps = np.concatenate([np.diff(one.time) for one in recording.experiments])
    if not len(steps):
        return "single times"
    unit = f" {recording.time_unit}" if recording.time_unit else ""
    low, middle, high = np.quantile(steps, [0, 0.5, 1])
    if high - low <= 1e-3 * middle:
        return f"{middle:.4g}{unit}"
    return f"{middle:.4g}{unit} in the median, uneven ({low:.4g} to {high:.4g})"


def _missing(recording: Recording) -> str:
    present = np.concatenate([one.present.ravel() for one in recording.experiments])
    return "none" if present.all() else f"{(~present).sum()} of {present.size} positions ({(~present).mean():.2%})"


def _given(recording: Recording) -> list[str]:
    first = recording.experiments[0]
    measured = ["positions"]
    measured += ["velocities"] if first.velocity is not None else []
    measured += ["accelerations"] if first.acceleration is not None else []
    box = [] if recording.box is None else [f"periodic box {' x '.join(f'{side:g}' for side in recording.box)}"]
    frames = ["no clock"] if recording.time_unit == FRAMES else []
    return [*measured, *first.properties, *box, *frames]
