"""Planted messages: what is planted, and that it is announced blind and counted."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from lib.messages import extraction
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.systems import parse_system
from lib.report import planted, tables
from lib.selection import simulated
from lib.selection.of_runs import OfSystem

SYSTEM = parse_system("r1-2d")


def of_frozen(system, noise):
    trajectories = Trajectories(*(part[:80] for part in datasets.frozen(system).arrays().values()), record={})
    evidence = simulated.with_noise(simulated.evidence_of(trajectories), noise, np.random.default_rng(0))
    return OfSystem(system, trajectories, evidence)


def test_each_system_has_every_gauge_with_every_noise():
    cases = [planted.Case(parse_system(name), seed) for name in planted.SYSTEMS for seed in planted.SEEDS]
    assert len(cases) == 312
    seen = Counter((str(case.system), case.gauge, case.noise) for case in cases)
    assert len(seen) == len(planted.SYSTEMS) * len(planted.GAUGES) * len(planted.NOISES) and set(seen.values()) == {3, 4}


@pytest.mark.parametrize("seed", range(4))
def test_messages_are_the_force_in_a_random_basis_and_the_cases_own_gauge(seed):
    case, trajectories = planted.Case(SYSTEM, seed), of_frozen(SYSTEM, 0.0).trajectories
    edges = planted.planted(case, trajectories, case.generator()).without_outliers()
    mass = edges.pairs.m1
    for name, (gauge, offset) in planted.GAUGES.items():
        told = np.column_stack([gauge(mass)[:, None] * edges.force, offset / (1 + mass)])
        left = 1 - extraction.linear_fit(told, edges.messages).r2
        # of the right gauge nothing is left but the noise
        assert (left.max() < 1.2 * case.noise**2) == (name == case.gauge or (name, case.gauge) == ("with an offset", "force"))


def test_cases_are_announced_once_and_counted(tmp_path, monkeypatch):
    path = tmp_path / "planted.csv"
    monkeypatch.setattr(planted, "data_set", lambda system, number: of_frozen(system, planted.NOISES[number]))
    planted.compute([str(SYSTEM)], path, seeds=[1])
    (row,) = pd.read_csv(path).to_dict("records")
    assert (row["system"], row["series"], row["seed"], row["gauge"], row["noise"]) == ("r1-2d", 1, 1, "acceleration", 0.02)
    assert row["fronts"] == row["all"] == "right", row
    monkeypatch.setattr(planted, "data_set", None)
    planted.compute([str(SYSTEM)], path, seeds=[1])
    told = tables.planted(pd.concat([pd.read_csv(path), pd.DataFrame([row | {"gauge": "force", "all": "none"}])]))
    lines = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]] for cells in (line.split("|") for line in told.splitlines())
    }
    assert lines["gauge: force"] == ["1", "1 / 0 / 0", "1 / 0 / 0", "0 / 0 / 1"]
    assert lines["series 1"] == lines["together"]
    assert lines["together"] == ["2", "2 / 0 / 0", "2 / 0 / 0", "1 / 0 / 1"]
