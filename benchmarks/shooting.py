"""Constants of a law by the weak form and by shooting, from positions alone: errors in parts of the constants.

    python -m benchmarks.shooting    # shooting.csv

Thirty trajectories of four bodies under -A r / (r^2 + b)^(3/2), and five draws of the noise for each level.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.derivatives import planted
from lib.distillation.expressions import parse
from lib.distillation.refit import fit_constants, with_free_constants
from lib.files import write_text
from lib.observed.recording import Experiment, Recording
from lib.observed.shooting import shoot
from lib.observed.weak_form import weak_rows
from lib.selection.law import Law

TABLE = Path(__file__).with_suffix(".csv")
NOISES = (1e-3, 1e-2, 3e-2)
"""In parts of the spread of positions."""
TRAJECTORIES, DRAWS = 30, 5
TRUTH = np.array([-1.0, 0.3])
START = "-1.1*r/(r**2 + 0.27)**(3/2)"


def by_weak_form(recording: Recording) -> np.ndarray:
    """Constants with the least weighted residuals of the rows."""
    rows = weak_rows(recording)
    law = Law(2, parse(START, ["r"]))
    (form,), symbols, start = with_free_constants([law.radial])

    def of(constants: np.ndarray) -> Law:
        return Law(2, form.xreplace(dict(zip(symbols, constants, strict=True))))

    weight = 1 / rows.deviation(law)[:, None]
    for _ in range(2):

        def residual(constants: np.ndarray, weight: np.ndarray = weight) -> np.ndarray:
            return (rows.target - rows.average @ of(constants).rates(rows.motion)) * weight

        found = fit_constants(residual, start, np.ones(len(start), bool), 3.0)
        weight = 1 / rows.deviation(of(found))[:, None]
    return found


def by_shooting(recording: Recording) -> np.ndarray:
    """Constants through the integrator."""
    return np.array([one.value for one in shoot(Law(2, parse(START, ["r"])), recording).constants])


def main() -> None:
    """Compare, print and write."""
    clocks, (exact, *_) = planted(False, TRAJECTORIES)
    rows = []
    for level in NOISES:
        noise = level * exact.std()
        for method in (by_weak_form, by_shooting):
            errors, start = [], time.process_time()
            for draw in range(DRAWS):
                noisy = exact + noise * np.random.default_rng(draw).standard_normal(exact.shape)
                positions = noisy.reshape(*noisy.shape[:2], -1, 2)
                names = tuple(f"body {k}" for k in range(positions.shape[2]))
                experiments = [Experiment(*both, None, None, {}, names) for both in zip(clocks, positions, strict=True)]
                errors.append(method(Recording(tuple(experiments), None, ())) / TRUTH - 1)
            found = np.array(errors)
            rows.append({"noise": level, "method": method.__name__.removeprefix("by_").replace("_", " ")})
            rows[-1] |= {"error_A": np.sqrt((found[:, 0] ** 2).mean()), "error_b": np.sqrt((found[:, 1] ** 2).mean())}
            rows[-1] |= {"bias_A": found[:, 0].mean(), "bias_b": found[:, 1].mean()}
            rows[-1] |= {"processor_seconds": (time.process_time() - start) / DRAWS}
            print(rows[-1], flush=True)
    write_text(TABLE, pd.DataFrame(rows).to_csv(index=False, float_format="%.3g"))


if __name__ == "__main__":
    main()
