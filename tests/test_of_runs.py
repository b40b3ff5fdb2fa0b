"""The announced law of simulated runs: found from fronts in any gauge, and without the law on the way."""

import json

import numpy as np
import pandas as pd
import pytest

from lib.network.catalogue import parse_run
from lib.physics import datasets
from lib.physics.datasets import Trajectories
from lib.physics.laws import LAWS, get_law
from lib.selection import simulated
from lib.selection.from_fronts import of_fronts
from lib.selection.judgement import judge
from lib.selection.law import read_announcement
from lib.selection.of_runs import OfSystem, announce_run, fronts_of

ROWS, TRAJECTORIES = 4, 40
"""Of each front and of the frozen set: few, so that the test is quick."""


class Unseen:
    """A law that must not be asked for anything."""

    def __getattribute__(self, name):
        raise AssertionError(f"the law's {name} was asked for")


def of_frozen(system):
    trajectories = Trajectories(*(part[:TRAJECTORIES] for part in datasets.frozen(system).arrays().values()), record={})
    return OfSystem(system, trajectories, simulated.with_noise(simulated.evidence_of(trajectories), 1e-3))


def test_the_law_is_announced_without_being_asked_for_anything(tmp_path, monkeypatch):
    run = parse_run("r1-2d", "bottleneck")
    known = of_frozen(run.system)
    messages, node = ([table[:ROWS] for table in tables] for tables in fronts_of(run))
    announce_run(known, messages, node).write(tmp_path / "seen")
    for name in LAWS:
        monkeypatch.setitem(LAWS, name, Unseen())
    with pytest.raises(AssertionError, match="asked for"):
        str(get_law("r1").force)
    announce_run(OfSystem(known.system, known.trajectories, known.evidence), messages, node).write(tmp_path / "unseen")
    monkeypatch.undo()
    for name in ("law.json", "law_of_fronts.json"):
        record = (tmp_path / "seen" / name).read_bytes()
        assert record == (tmp_path / "unseen" / name).read_bytes()
        announced = read_announcement(json.loads(record))
        assert judge(announced, run.system).outcome == "right"
        assert announced.record() == json.loads(record)


def table(*rows):
    return pd.DataFrame({"expression": rows})


GAUGES = {
    "force": "0.3*d*m1*m2/r**2 + 0.02",
    "acceleration": "-7*d*m2/r**2",
    "a factor of the receiver's": "(1 + 0.2*m1**2)*d*m2/r**2 - q1",
    "not quite central": "d*m2*(1 + 0.001*dx*dy)/r**2",
}


@pytest.mark.parametrize("gauge", GAUGES)
def test_messages_in_any_gauge_become_the_force(gauge):
    system = parse_run("r1-2d", "l1").system
    evidence = of_frozen(system).evidence
    messages = [table(GAUGES[gauge].replace("d*", f"{axis}*")) for axis in ("dx", "dy")]
    found = of_fronts(messages, [table("s1"), table("s2")], evidence)
    assert len(found) == 1 and not found[0].law.single
    factor, rest = found[0].law.radial.as_coeff_Mul()
    assert str(rest) == "m2/r" and float(factor) == pytest.approx(-0.99, abs=0.05)


def test_what_a_body_does_by_itself_is_read_off_the_node():
    system = parse_run("damped-2d", "l1").system
    evidence = of_frozen(system).evidence
    messages = [table("0.5*dx*(1 - 0.99/r) + 0.1"), table("0.5*dy*(1 - 0.99/r)")]
    node = [table("(-4*s1 - 0.3*vx + 1.2)/m1"), table("-4*s2/m1")]
    found = of_fronts(messages, node, evidence)
    factors, rests = zip(*(one.as_coeff_Mul() for one in found[0].law.single), strict=True)
    assert [*map(str, rests)] == ["vx/m1", "vy/m1"] and [*map(float, factors)] == pytest.approx([-0.375, -0.375], abs=0.05)


def test_fronts_that_say_no_law_are_no_interaction():
    evidence = of_frozen(parse_run("r1-2d", "l1").system).evidence
    (found,) = of_fronts([table("0.3", "m1"), table("0.2*q2")], [table("s1"), table("s2")], evidence)
    assert not found.law.has_pairs


def test_evidence_has_what_varies_and_noise_of_the_stated_size():
    frozen = datasets.frozen(parse_run("string-2d", "l1").system)
    evidence = simulated.evidence_of(frozen)
    assert set(evidence.motion.properties) == {"charge"}  # all masses are 1
    assert evidence.target.shape == (frozen.accelerations.size // 2, 2)
    left = simulated.with_noise(evidence, 0.05).target - evidence.target
    assert left.std() == pytest.approx(0.05 * np.median(np.linalg.norm(evidence.target, axis=1)), rel=0.02)
