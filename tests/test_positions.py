"""Laws compared by measured positions, where averages over windows mislead."""

import itertools
import logging
from dataclasses import replace

import numpy as np
import pytest
import sympy

from lib.distillation.expressions import parse
from lib.observed.evidence import evidence_of
from lib.observed.positions import KEPT, ByPositions, _front
from lib.selection.announce import is_undecided, reason_against
from lib.selection.candidates import Candidate
from lib.selection.checks import Residuals
from lib.selection.choice import score
from lib.selection.description_length import description_length
from lib.selection.fitting import Family
from lib.selection.followed import Followed
from lib.selection.law import Law
from tests.planted_motion import motion, recording


def candidate(text):
    """A law by its radial part, and its transverse one behind a bar."""
    radial, _, transverse = text.partition("|")
    return Candidate(Law(2, parse(radial, ["r"]), parse(transverse or "0", ["r"])), "planted")


def both(measured, *texts):
    """Formulas ordered by averages, and then by positions."""
    evidence = evidence_of(measured, 2)
    deviation = evidence.spread * evidence.typical * 0.01
    found = score([candidate(text) for text in texts], evidence, deviation)
    return found, ByPositions(measured, 2, {}, None)(found, evidence, deviation)


@pytest.fixture(scope="module")
def measured():
    """Positions under 1/r, with noise."""
    return recording(motion("r1", count=24, times=40, n=2, dt=0.03, seed=3), 1e-3)


@pytest.fixture(scope="module")
def ranked(measured):
    """Formulas offered for 1/r, of positions with noise, ordered by averages and then by positions."""
    return both(measured, "-1.02*r**(-0.97) + 0.03*r", "-1.02/r + 0.02", "-0.9/(r + 0.1)")


def test_positions_take_off_what_averages_left(ranked):
    best = ranked[1][0]
    assert len(best.told.constants) == 1
    error = np.sqrt(best.told.covariance[0, 0])
    assert abs(best.told.constants[0] + 1) < 4 * error
    assert error < 0.01


def test_the_best_by_positions_explains_them_to_the_noise(ranked):
    z = ranked[1][0].told.residual
    assert np.median(np.abs(z)) / 0.6745 == pytest.approx(1, rel=0.15)


def test_each_keeps_its_fit_to_the_averages(ranked):
    for one in ranked[1]:
        assert one.shot is not None
        assert one.fit.residual.shape == ranked[0][0].fit.residual.shape


def test_nothing_is_decided_where_no_law_can_be_followed(ranked):
    found, _ = ranked
    exact = motion("r1", count=3, times=4, n=2, dt=0.03, seed=3)
    assert ByPositions(recording(exact, 1e-3), 2, {}, None)(found, None, None) == []


def test_segments_are_halved_until_a_law_follows_them(ranked, measured, caplog):
    with caplog.at_level(logging.INFO):
        _, wrong = both(measured, "0 | -0.4*r")
    tried = [int(record.args[0]) for record in caplog.records if record.msg.startswith("laws on measured")]
    assert ranked[1][0].shot.follows
    assert wrong[0].shot is not None and not wrong[0].shot.follows
    assert len(tried) > 1 and all(shorter == longer // 2 for longer, shorter in itertools.pairwise(tried))


def test_longer_segments_tell_constants_alone(ranked):
    best = ranked[1][0]
    assert best.length == description_length(best.shot.fit)
    assert best.precise is best.shot.precise and best.precise is not best.told


def test_a_softening_that_averages_did_not_offer_is_found():
    measured = recording(motion("repulsion", count=24, times=40, n=2, dt=0.03, seed=3, spread=0.3), 1e-4)
    _, ranked = both(measured, "0.4/r", "0.4/r**0.8")
    best = ranked[0].told
    assert len(best.constants) == 2
    at = np.array([0.05, 0.2, 1.0])
    force = sympy.lambdify(sympy.Symbol("r", real=True), best.law.radial)(at)
    np.testing.assert_allclose(force, 0.5 / (at + 0.1), rtol=0.02)


def test_of_laws_that_say_the_same_the_simplest_goes_on(ranked):
    best = ranked[1][0]

    def fitted(text, more):
        family = Family(candidate(text).law)
        residual = best.told.residual + more
        return best, replace(best.told, family=family, constants=family.start, residual=residual)

    simple, same, better = fitted("-1.0/r", 0.5), fitted("-1.1*r**(-1.2)", 0.51), fitted("-1.1*r**(-1.3) + 0.2", 0.0)
    assert _front([same, better, simple]) == [better, simple]
    many = [fitted(f"-1.1*r**(-1.3) + 0.2*r**0.{k}", 0.05 * k) for k in range(1, 9)]
    kept = _front([*many, simple])
    assert len(kept) == KEPT and simple in kept and many[:4] == kept[:4]
    assert _front([simple, fitted("-1.4*r", 5.0)]) == [simple, fitted("-1.4*r", 5.0)][:1]


def test_bodies_at_rest_decide_nothing():
    clock, x, v = motion("r1", count=12, times=40, n=2, dt=0.03, seed=3)
    assert both(recording((clock, x[:, :1] + 0 * x, v), 1e-3), "-0.001/r")[1] == []


@pytest.mark.parametrize(
    ("scale", "free", "lost", "follows", "strays"),
    [
        (1.0, 10.0, 40.0, True, False),
        (1.0, 1.2, 1.3, False, False),
        (1.0, 1.2, 5.0, True, False),
        (3.0, 10.0, 9.0, False, True),
        (30.0, 1e5, 1e6, True, False),
    ],
)
def test_a_law_follows_positions_to_their_noise_or_nearly_exactly(ranked, scale, free, lost, follows, strays):
    one = Followed(ranked[1][0].told, scale, free, lost)
    assert (one.follows, one.strays) == (follows, strays)


def test_a_law_that_strays_is_not_announced(ranked):
    best = ranked[1][0]
    fine = Residuals(0.0, 0.1, 0.0)
    assert reason_against(best, [], fine, 0.9, 0.9, None) is None
    astray = replace(best, shot=replace(best.shot, scale=9.0))
    assert "9.0 times their noise" in reason_against(astray, [], fine, 0.1, 0.1, None)
    assert "nothing explains" in reason_against(replace(best, shot=None), [], fine, 0.9, 0.9, None)


def test_a_law_that_wins_by_one_trajectory_alone_is_undecided(ranked):
    best = ranked[1][0]
    one = best.told.group == best.told.group[0]

    def with_misfit(rows):
        residual = np.where(rows[:, None], 30.0, best.told.residual)
        fitted = replace(best.told, residual=residual)
        return replace(
            best, shot=replace(best.shot, fit=fitted), length=best.length - 5.0 + (fitted.misfit - best.told.misfit).sum()
        )

    assert is_undecided(best, with_misfit(one))
    assert not is_undecided(best, with_misfit(np.ones(len(one), bool)))
    assert not is_undecided(best, replace(with_misfit(one), shot=None))
