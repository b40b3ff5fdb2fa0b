"""Derivatives of noisy positions: libraries compared on planted motion, over noise and sampling.

    python -m benchmarks.derivatives    # derivatives.csv

All are told the true noise and choose their stiffness by it; the smoothing spline chooses by its own cross-validation.
PyNumDiff takes part if it is installed (`pip install pynumdiff`). Errors are root mean squares over four bodies under a
softened attraction, in parts of the spread of what is estimated; those of positions in parts of the noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.interpolate import make_interp_spline, make_smoothing_spline, make_splrep
from scipy.signal import savgol_filter

from lib.files import write_text
from lib.observed.derivatives import smooth
from lib.observed.recording import Experiment

TABLE = Path(__file__).with_suffix(".csv")
NOISES = (1e-4, 1e-3, 1e-2, 1e-1)
"""In parts of the spread of positions."""
EXPERIMENTS, TIMES, INTERVAL = 4, 120, 0.03
Method = Callable[[np.ndarray, np.ndarray, float], np.ndarray]
"""Of times [times], values [times, series] and noise, the value and two derivatives [3, times, series]."""


def planted(irregular: bool, count: int = EXPERIMENTS) -> tuple[np.ndarray, np.ndarray]:
    """Clocks [experiments, times], and positions, velocities and accelerations [3, experiments, times, series]."""
    rng = np.random.default_rng(0)
    clocks, found = [], []
    for _ in range(count):
        x, v = rng.standard_normal((4, 2)), 0.5 * rng.standard_normal((4, 2))
        gaps = rng.uniform(0.2, 1.8, TIMES) if irregular else np.ones(TIMES)
        clock = np.cumsum(INTERVAL * gaps)
        states = []
        for step in np.diff(clock, prepend=clock[0]):
            for _ in range(10):
                # Störmer and Verlet, steps of at most 5 thousandths
                v = v + step / 20 * attraction(x)
                x = x + step / 10 * v
                v = v + step / 20 * attraction(x)
            states.append(np.stack([x, v, attraction(x)]).reshape(3, -1))
        clocks.append(clock)
        found.append(np.stack(states, axis=1))
    return np.array(clocks), np.stack(found, axis=1)


def attraction(x: np.ndarray) -> np.ndarray:
    """Accelerations [n, dim]."""
    separation = x[:, None] - x
    return -(separation / ((separation**2).sum(2, keepdims=True) + 0.3) ** 1.5).sum(1)


def least_squares_splines(clock: np.ndarray, values: np.ndarray, noise: float) -> np.ndarray:
    """Ours: `lib.observed.derivatives`."""
    experiment = Experiment(clock, values.reshape(len(clock), -1, 2), None, None, {}, ())
    (one,) = smooth([experiment], noise)
    return np.stack([one.value, one.first, one.second]).reshape(3, *values.shape)


def smoothing_spline(clock: np.ndarray, values: np.ndarray, noise: float) -> np.ndarray:
    """Cubic, by generalized cross-validation."""
    splines = [make_smoothing_spline(clock, one) for one in values.T]
    return np.stack([np.stack([one(clock, nu=k) for one in splines], axis=1) for k in range(3)])


def fitpack_spline(clock: np.ndarray, values: np.ndarray, noise: float) -> np.ndarray:
    """Degree 5, knots added until the residuals are the noise's."""
    splines = [make_splrep(clock, one, k=5, s=len(clock) * noise**2) for one in values.T]
    return np.stack([np.stack([one(clock, nu=k) for one in splines], axis=1) for k in range(3)])


def savitzky_golay(clock: np.ndarray, values: np.ndarray, noise: float) -> np.ndarray:
    """Degree 4, the width of the least predicted error of each series; irregular times by interpolation to even ones."""
    even = np.linspace(clock[0], clock[-1], len(clock))
    step = even[1] - even[0]
    resampled = make_interp_spline(clock, values, 3)(even)
    found, best = np.zeros((3, *values.shape)), np.full(values.shape[1], np.inf)
    for width in range(7, len(clock) // 2, 4):
        orders = [savgol_filter(resampled, width, 4, deriv=k, delta=step, axis=0, mode="interp") for k in range(3)]
        used = np.trace(savgol_filter(np.eye(len(clock)), width, 4, axis=0, mode="interp")) / len(clock)
        predicted = ((resampled - orders[0]) ** 2).mean(0) + 2 * noise**2 * used
        better = predicted < best
        found[:, :, better] = np.stack(orders)[:, :, better]
        best = np.minimum(best, predicted)
    return make_interp_spline(even, found, 3, axis=1)(clock)


def pynumdiff_kalman(clock: np.ndarray, values: np.ndarray, noise: float) -> np.ndarray:
    """A Kalman smoother of constant jerk, the stiffest whose residuals are the noise's; the acceleration by it once more."""
    from pynumdiff.kalman_smooth import rtsdiff

    found = np.zeros((3, *values.shape))
    for series, one in enumerate(values.T):
        for ratio in range(0, 26, 2):
            value, first = rtsdiff(one, clock, 3, ratio)
            if ((value - one) ** 2).mean() < noise**2:
                break
        found[:, :, series] = value, first, rtsdiff(first, clock, 3, ratio)[1]
    return found


METHODS: dict[str, Method] = {
    "scipy make_lsq_spline, degree 5 (ours)": least_squares_splines,
    "scipy make_smoothing_spline": smoothing_spline,
    "scipy make_splrep, degree 5": fitpack_spline,
    "scipy savgol_filter": savitzky_golay,
    "PyNumDiff rtsdiff": pynumdiff_kalman,
}


def compared() -> pd.DataFrame:
    """A row for each method, noise and sampling."""
    rows = []
    for irregular in (False, True):
        clocks, exact = planted(irregular)
        for level in NOISES:
            noise = level * exact[0].std()
            noisy = exact[0] + noise * np.random.default_rng(1).standard_normal(exact[0].shape)
            for name, method in METHODS.items():
                if method is pynumdiff_kalman and find_spec("pynumdiff") is None:
                    continue
                start = time.perf_counter()
                found = np.stack([method(*both, noise) for both in zip(clocks, noisy, strict=True)], axis=1)
                seconds = time.perf_counter() - start
                errors = np.sqrt(((found - exact) ** 2).mean((1, 2, 3)))
                scales = np.array([noise, exact[1].std(), exact[2].std()])
                row = {"times": "irregular" if irregular else "even", "noise": level, "method": name}
                row |= dict(zip(("position", "velocity", "acceleration"), errors / scales, strict=True))
                rows.append(row | {"ms_per_series": 1000 * seconds / (EXPERIMENTS * exact.shape[3])})
    return pd.DataFrame(rows)


def main() -> None:
    """Compare, print and write."""
    table = compared()
    print(table.to_string(index=False, float_format="%.3g"))
    write_text(TABLE, table.to_csv(index=False, float_format="%.4g"))


if __name__ == "__main__":
    main()
