"""Coverage of error bars: how often the truth is within two standard errors of a constant, on planted data.

`python -m lib.report.coverage` writes `outputs/coverage.csv`, one row a constant of a law.

The rule was written down before the first run. Of each of `PLANTED` there are 26 data sets, 208 in all: positions of
simulated trajectories, no two sets with a trajectory in common, and the accelerations that the formula gives there with
Gaussian noise of `NOISES` times their median size, one after the other. The true structure is fitted, from constants that
are off by a tenth, as the engine fits the last laws of a choice: noise and constants in turn. Errors are those announced.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from lib import paths
from lib.distillation.expressions import parse
from lib.files import write_text
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.systems import parse_system
from lib.selection import bootstrap, simulated
from lib.selection.choice import noise
from lib.selection.evidence import Evidence
from lib.selection.fitting import Family, fit
from lib.selection.law import Law, body_names, pair_names

log = logging.getLogger(__name__)

GIVEN = ["mass", "charge"]
SETS = 26
"""Data sets of each law."""
NOISES = (0.02, 0.1)
TRAJECTORIES = 30
"""Of each data set."""
STREAM = 5
"""Random stream of the trajectories, beside those of `datasets.SPLITS` and of planted messages."""
EVERY = 4
"""Of their snapshots one in so many is kept."""
OFF = 1.1
"""Factor by which constants are off at first; thresholds, which are moved a little only, start at a hundredth of that."""
SPAN = 2.0
"""Standard errors within which the truth is looked for."""


@dataclass(frozen=True)
class Planted:
    """A law whose constants are known; no two have the same size, since equal ones would count as one."""

    system: str
    """Whose trajectories the positions are."""
    radial: str
    """In `pair_names`."""
    constants: dict[float, str]
    """What each constant is."""
    single: tuple[str, ...] = ()

    @property
    def law(self) -> Law:
        """The law."""
        pair, body = pair_names(GIVEN), body_names(2, GIVEN)
        return Law(2, parse(self.radial, pair), single=tuple(parse(text, body) for text in self.single), divides_by_mass=True)


PLANTED = (
    Planted("spring-2d", "-2.0*r + 1.98", {2.0: "stiffness", 1.98: "stiffness times rest length"}),
    Planted("r1-2d", "-1.0*m1*m2/(r + 0.01)", {1.0: "coefficient", 0.01: "softening"}),
    Planted("r2-2d", "-1.0*m1*m2/(r + 0.01)**2", {1.0: "coefficient", 0.01: "softening"}),
    Planted("charge-2d", "1.0*q1*q2*exp(-0.3*r)/(r + 0.01)", {1.0: "coefficient", 0.3: "inverse range", 0.01: "softening"}),
    Planted(
        "damped-2d",
        "-2.0*r**1.1 + 1.98",
        {2.0: "stiffness", 1.1: "exponent", 1.98: "constant", 0.375: "friction"},
        ("-0.375*vx/m1", "-0.375*vy/m1"),
    ),
    Planted(
        "discontinuous-2d",
        "Piecewise((0, r < 1.99), (-2.0*r + 1.98, True))",
        {1.99: "threshold", 2.0: "stiffness", 1.98: "stiffness times rest length"},
    ),
    Planted(
        "own_length-2d", "-2.0*r + 1.98 + 1.0*q1", {2.0: "stiffness", 1.98: "stiffness times rest length", 1.0: "of charge"}
    ),
    Planted(
        "superposition-2d",
        "(1.0*q1*q2 - 0.8*m1*m2)/(r + 0.01)**2",
        {1.0: "of charges", 0.8: "of masses", 0.01: "softening"},
    ),
)


def data_sets(planted: Planted, count: int = SETS) -> list[Evidence]:
    """So many data sets of a law."""
    system = parse_system(planted.system)
    made = datasets.make(system, count * TRAJECTORIES, stream=STREAM, every=EVERY)
    found = []
    for k in range(count):
        here = slice(k * TRAJECTORIES, (k + 1) * TRAJECTORIES)
        exact = simulated.evidence_of(Trajectories(made.features[here], made.accelerations[here], {}))
        exact = replace(exact, target=exact.average @ planted.law.rates(exact.motion))
        rng = np.random.default_rng([STREAM, PLANTED.index(planted), k])
        found.append(simulated.with_noise(exact, NOISES[k % len(NOISES)], rng))
    return found


def deviations_from(planted: Planted, evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Of each constant by what it is: fitted less true, and the standard error that is announced of it."""
    family = Family(planted.law)
    far = np.where(family.thresholds, 1 + (OFF - 1) / 100, OFF)
    found = fit(family.with_constants(far * family.start), evidence, np.full(len(evidence.target), evidence.typical))
    for _ in range(2):
        deviation = noise(found, evidence)
        found = fit(found.law, evidence, deviation)
    values, errors = bootstrap.constants(found, found, evidence, deviation)
    names = [planted.constants[abs(float(value))] for value in family.start]
    return {name: (float(v - t), float(e)) for name, v, t, e in zip(names, values, family.start, errors, strict=True)}


def of_law(planted: Planted, count: int = SETS) -> pd.DataFrame:
    """Of each constant: data sets, in how many of them the truth is within `SPAN` standard errors, and the root of the mean
    square of deviations in standard errors, which is 1 for right ones."""
    found = [deviations_from(planted, evidence) for evidence in data_sets(planted, count)]
    rows = []
    for name in found[0]:
        z = np.array([one[name][0] / one[name][1] for one in found])
        rows.append(
            {
                "system": planted.system,
                "law": planted.law.text,
                "constant": name,
                "of": len(z),
                "within": int((np.abs(z) <= SPAN).sum()),
                "rms": round(float(np.sqrt((z**2).mean())), 3),
            }
        )
    return pd.DataFrame(rows)


def table_path(profile: str = "full") -> Path:
    """Where the table lies."""
    return paths.workspace(profile) / "outputs" / "coverage.csv"


def read(profile: str = "full") -> pd.DataFrame:
    """The table on disk."""
    return pd.read_csv(table_path(profile))


def summary(table: pd.DataFrame) -> str:
    """In how many of all constants the truth is within two standard errors."""
    within, of = table["within"].sum(), table["of"].sum()
    return f"the truth is within two standard errors in {within:,} of {of:,} constants, {within / of:.1%}"


def main() -> None:
    """Compute from the command line."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tables = []
    with threadpool_limits(1):
        for planted in PLANTED:
            tables.append(of_law(planted))
            log.info("%s", tables[-1].to_string(index=False))
    table = pd.concat(tables)
    write_text(table_path(), table.to_csv(index=False))
    log.info("%s", summary(table))


if __name__ == "__main__":
    main()
