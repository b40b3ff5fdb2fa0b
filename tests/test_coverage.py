"""Coverage: the truth is within the error bars of constants, and bars that are too narrow are told."""

from dataclasses import replace

import numpy as np
import pytest

from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.systems import parse_system
from lib.report import coverage
from lib.selection import bootstrap, simulated

SETS = 3


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    """In place of new trajectories those that are tracked."""

    def make(system, count, **how):
        return Trajectories(*(part[:count] for part in datasets.frozen(system).arrays().values()), record={})

    monkeypatch.setattr(coverage.datasets, "make", make)


@pytest.mark.parametrize("planted", coverage.PLANTED, ids=[one.system for one in coverage.PLANTED])
def test_every_constant_of_a_planted_law_is_fitted_and_named(planted):
    (evidence,) = coverage.data_sets(planted, 1)
    found = coverage.deviations_from(planted, evidence)
    assert set(found) == set(planted.constants.values())
    truth = {name: value for value, name in planted.constants.items()}
    for name, (deviation, error) in found.items():
        assert 0 < error < 0.2 * truth[name] and abs(deviation) < 5 * error, name


def test_error_bars_that_are_too_narrow_lose_the_truth(monkeypatch):
    (friction,) = (one for one in coverage.PLANTED if one.system == "damped-2d")
    wide = coverage.of_law(friction, SETS)
    assert wide["within"].sum() > 0.7 * wide["of"].sum() and wide["rms"].max() < 3
    right = bootstrap.constants
    monkeypatch.setattr(coverage.bootstrap, "constants", lambda *given: (right(*given)[0], 0.03 * right(*given)[1]))
    narrow = coverage.of_law(friction, SETS)
    assert narrow["within"].sum() < 0.5 * narrow["of"].sum() and narrow["rms"].max() > 10
    assert coverage.summary(narrow) != coverage.summary(wide)


def test_data_where_most_bodies_are_at_rest_have_a_typical_size():
    system = parse_system("spring-2d")
    evidence = simulated.evidence_of(Trajectories(*(p[:5] for p in datasets.frozen(system).arrays().values()), record={}))
    still = np.arange(len(evidence.target)) % 3 > 0
    at_rest = replace(evidence, target=np.where(still[:, None], 0.0, evidence.target))
    assert at_rest.typical == pytest.approx(np.sqrt((at_rest.target**2).sum(axis=1).mean())) and evidence.typical > 0
