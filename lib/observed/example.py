"""An example of a user's file: three bodies that attract each other in the plane, measured with noise.

python -m lib.observed.example my-data.csv

a_i = -1.5 sum_j m_j / r_ij u_ij,    with accelerations to 1%, positions and velocities to 5 digits
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lib.distillation.expressions import parse
from lib.errors import InputError
from lib.files import write_text
from lib.observed.rollout import integrate
from lib.selection.law import Law, pair_names
from lib.selection.motion import Motion

TRAJECTORIES, TIMES, N, STEP, NOISE = 12, 10, 3, 0.15, 0.01
LAW = Law(2, parse("-1.5*m2/r", pair_names(["mass"])))


def example(seed: int = 0) -> pd.DataFrame:
    """The table, a row a body and time."""
    rng, rows = np.random.default_rng(seed), []
    time = STEP * np.arange(TIMES)
    for trajectory in range(1, TRAJECTORIES + 1):
        mass = rng.uniform(0.5, 2.0, N)
        start = Motion.of_arrays(rng.uniform(-1.5, 1.5, (1, N, 2)), 0.7 * rng.standard_normal((1, N, 2)), {"mass": mass[None]})
        position, velocity = integrate(LAW, start, time, np.zeros(N, bool))
        motion = Motion.of_arrays(position, velocity, {"mass": np.tile(mass, (TIMES, 1))})
        acceleration = LAW.rates(motion).reshape(TIMES, N, 2)
        acceleration += NOISE * np.median(np.linalg.norm(acceleration, axis=2)) * rng.standard_normal(acceleration.shape)
        for k in range(TIMES):
            for body in range(N):
                numbers = [time[k], *position[k, body], *velocity[k, body], *acceleration[k, body], mass[body]]
                rows.append([trajectory, "abc"[body], *(float(f"{number:.5g}") for number in numbers)])
    return pd.DataFrame(rows, columns=["trajectory", "body", "time", "x", "y", "vx", "vy", "ax", "ay", "mass"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(str(InputError("give one file to write: python -m lib.observed.example my-data.csv")))
    write_text(Path(sys.argv[1]), example().to_csv(index=False))
