"""Simulation: throughput and energy error of each law, as ratios to the original's way of working.

    python -m benchmarks.simulation            # the table below and benchmarks/simulation.csv, .png
    python -m benchmarks.simulation --diffrax  # against diffrax at equal error: benchmarks/simulation_diffrax.csv

The baseline is the way of the paper's code: `jax.experimental.ode.odeint`, float32, jitted, one trajectory
at a time in a Python loop. Both are timed without their compilation, which is counted beside it. What one would write today
is `jax.vmap` of `diffrax.diffeqsolve`, of the same order and in float64: all trajectories in one loop, until the last ends.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.experimental.ode import odeint

from lib.files import atomic_write, write_text
from lib.network.catalogue import SIMULATED
from lib.physics.simulate import TOLERANCE, derivative, energy_error, initial_bodies, simulate, snapshot_times
from lib.physics.systems import parse_system
from lib.report import plots

HERE = Path(__file__).parent
TOLERANCES = (TOLERANCE, 1e-5, 1e-9, 1e-11)
"""The first is the one that data sets are made with."""
BASELINE_TOLERANCES = (1.4e-8, 1e-5, 1e-3)
"""The first is odeint's default, which the paper's code uses."""
DIFFRAX_TOLERANCES = (1e-6, 1e-7, 1e-8, 1e-9)
"""Around that at which its errors are ours."""
REPEATS = 3
"""Timings of each, of which the median counts."""

Found = TypeVar("Found")


def spread(law: str, times: np.ndarray, bodies: np.ndarray) -> float:
    """95th percentile over trajectories of the largest relative energy error; a broken trajectory counts as 1."""
    return float(np.quantile(np.nan_to_num(energy_error(law, times, bodies).max(axis=-1), nan=1.0), 0.95))


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    """Seconds, the median of `REPEATS`, and what was found."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)), found


def baseline(law: str, dim: int, initial: np.ndarray, times: np.ndarray, tolerance: float) -> tuple[float, float, np.ndarray]:
    """Seconds to compile, seconds for all trajectories, and the trajectories, float32, one at a time."""
    rate = derivative(law)
    with jax.enable_x64(False):

        @jax.jit
        def one(state: jax.Array, constants: jax.Array) -> jax.Array:
            grid = jnp.asarray(times, jnp.float32)
            return odeint(lambda y, t: rate(y, constants), state, grid, rtol=tolerance, atol=tolerance, mxstep=2000)

        states = jnp.asarray(initial[..., : 2 * dim], jnp.float32)
        constants = jnp.asarray(initial[..., 2 * dim :], jnp.float32)
        started = time.perf_counter()
        one(states[0], constants[0]).block_until_ready()
        compiling = time.perf_counter() - started
        seconds, found = timed(lambda: [np.asarray(one(s, c)) for s, c in zip(states, constants, strict=True)])
    fixed = np.broadcast_to(initial[:, None, :, 2 * dim :], (len(initial), len(times), initial.shape[1], 2))
    return compiling, seconds, np.concatenate([np.stack(found).astype(float), fixed], axis=-1)


def vectorized(law: str, dim: int, initial: np.ndarray, times: np.ndarray, tolerance: float) -> tuple[float, np.ndarray]:
    """Seconds for all trajectories by `jax.vmap(diffrax.diffeqsolve)`, compilation aside, and the trajectories."""
    rate = derivative(law)
    term = diffrax.ODETerm(lambda t, state, constants: rate(state, constants))
    steps = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    @jax.jit
    @jax.vmap
    def solve(state: jax.Array, constants: jax.Array) -> jax.Array:
        grid = jnp.asarray(times)
        return diffrax.diffeqsolve(
            *(term, diffrax.Dopri8(), grid[0], grid[-1], None, state, constants),
            saveat=diffrax.SaveAt(ts=grid),
            stepsize_controller=steps,
            max_steps=100_000,
            adjoint=diffrax.ForwardMode(),
            throw=False,
        ).ys

    states, constants = initial[..., : 2 * dim], initial[..., 2 * dim :]
    solve(states, constants).block_until_ready()
    seconds, found = timed(lambda: np.asarray(solve(states, constants)))
    fixed = np.broadcast_to(constants[:, None], (len(initial), len(times), *constants.shape[1:]))
    return seconds, np.concatenate([found, fixed], axis=-1)


def against_diffrax(name: str, count: int) -> dict[str, float | str]:
    """Trajectories a second of ours at its working tolerance, and of diffrax at the tolerance that gives the same error."""
    system = parse_system(name)
    times = snapshot_times(system.law)
    initial = initial_bodies(system.law, count, 4, system.dim, seed=0)
    simulate(system.law, initial, times)
    seconds, (bodies, _) = timed(lambda: simulate(system.law, initial, times))
    ours = spread(system.law, times, bodies)
    rates, errors = [], []
    for tolerance in DIFFRAX_TOLERANCES:
        spent, found = vectorized(system.law, system.dim, initial, times, tolerance)
        rates.append(count / spent)
        errors.append(spread(system.law, times, found))
    at_equal = float(np.exp(np.interp(np.log(ours), np.log(errors[::-1]), np.log(rates[::-1]))))
    return {
        "system": name,
        "trajectories": count,
        "energy_error_95": ours,
        "ours_per_second": count / seconds,
        "diffrax_per_second_at_equal_error": at_equal,
        "ratio": count / seconds / at_equal,
        **{f"diffrax_error_at_{tolerance:g}": error for tolerance, error in zip(DIFFRAX_TOLERANCES, errors, strict=True)},
    }


def measure(name: str, count: int, baseline_count: int) -> list[dict[str, float | str]]:
    """Rows of work and precision of one system: the original's way, then ours."""
    system = parse_system(name)
    law, dim = system.law, system.dim
    times = snapshot_times(law)
    initial = initial_bodies(law, count, 4, dim, seed=0)
    rows: list[dict[str, float | str]] = []

    def add(way: str, tolerance: float, compiling: float, seconds: float, bodies: np.ndarray) -> None:
        rows.append(
            {
                "system": name,
                "way": way,
                "tolerance": tolerance,
                "trajectories": len(bodies),
                "compile_seconds": compiling,
                "trajectories_per_second": len(bodies) / seconds,
                "energy_error_95": spread(law, times, bodies),
            }
        )

    for tolerance in BASELINE_TOLERANCES:
        add("odeint", tolerance, *baseline(law, dim, initial[:baseline_count], times, tolerance))
    started = time.perf_counter()
    simulate(law, initial, times)
    first = time.perf_counter() - started
    for tolerance in TOLERANCES:
        # the working tolerance on all trajectories, the others on a quarter of them
        part = initial if tolerance == TOLERANCES[0] else initial[: count // 4]
        seconds, (bodies, _) = timed(lambda part=part, tolerance=tolerance: simulate(law, part, times, tolerance=tolerance))
        add("ours", tolerance, max(first - seconds, 0.0) if tolerance == TOLERANCES[0] else 0.0, seconds, bodies)
    return rows


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Ours at its working tolerance over the original's at its own, one row a system."""
    theirs = table[(table["way"] == "odeint") & (table["tolerance"] == BASELINE_TOLERANCES[0])].set_index("system")
    mine = table[(table["way"] == "ours") & (table["tolerance"] == TOLERANCES[0])].set_index("system")
    rate, error = "trajectories_per_second", "energy_error_95"
    return pd.DataFrame(
        {
            "odeint per second": theirs[rate],
            "ours per second": mine[rate],
            "speed-up": mine[rate] / theirs[rate],
            "odeint energy error": theirs[error],
            "ours energy error": mine[error],
            "10,000 in seconds": 10_000 / mine[rate] + mine["compile_seconds"],
        }
    )


def main() -> None:
    """Measure, print the ratios, write table and figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--systems", nargs="+", default=list(SIMULATED), choices=SIMULATED, metavar="SYSTEM")
    parser.add_argument("--count", type=int, default=10_000, help="trajectories of ours")
    parser.add_argument("--baseline-count", type=int, default=300, help="trajectories of the baseline")
    parser.add_argument("--diffrax", action="store_true", help="against diffrax, of as many trajectories as the baseline")
    options = parser.parse_args()
    rows = []
    if options.diffrax:
        for name in options.systems:
            rows.append(against_diffrax(name, options.baseline_count))
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1, float_format="%.3g"), flush=True)
            write_text(HERE / "simulation_diffrax.csv", pd.DataFrame(rows).to_csv(index=False, float_format="%.4g"))
        return
    for name in options.systems:
        rows += measure(name, options.count, options.baseline_count)
        print(
            ratios(pd.DataFrame(rows)).loc[[name]].to_string(float_format="%.3g", header=name == options.systems[0]), flush=True
        )
    table = pd.DataFrame(rows)
    write_text(HERE / "simulation.csv", table.to_csv(index=False, float_format="%.4g"))
    plots.style()
    with atomic_write(HERE / "simulation.png") as scratch:
        plots.work_precision(table).savefig(scratch)


if __name__ == "__main__":
    main()
