"""Distillation of the node network, and the control without a network, on planted cases."""

import numpy as np
import pytest
from torch import nn

from lib.distillation import distil, without_network
from lib.distillation.closed_form import node_names
from lib.distillation.expressions import evaluate, parse
from lib.messages.extraction import Combination
from lib.messages.projections import Projection
from lib.network.catalogue import parse_run
from lib.network.networks import build
from lib.physics.datasets import Trajectories
from lib.physics.simulate import accelerations, initial_bodies

RUN = parse_run("spring-2d", "bottleneck", 0, "smoke")


def trajectories(bodies=4, count=300):
    """Single snapshots of a spring's bodies, with their true accelerations."""
    features = initial_bodies("spring", count, bodies, 2, 0).astype(np.float32)
    return Trajectories(features[:, None], accelerations("spring", features)[:, None].astype(np.float32), {})


class Separation(nn.Module):
    """Messages that are twice the separation."""

    def forward(self, pair):
        one, other = pair.split(pair.shape[-1] // 2, dim=-1)
        return 2 * (one - other)[..., :2]


class SumOverMass(nn.Module):
    """Accelerations that are three times the sum of the messages, over the mass."""

    def forward(self, x):
        return 3 * x[..., -2:] / x[..., -3:-2]


@pytest.fixture
def model():
    network = build(RUN)
    network.edge, network.node = Separation(), SumOverMass()
    return network


def test_the_node_is_distilled_from_what_it_receives_in_the_projection(model):
    projection = Projection(Combination("channels", 0.5 * np.eye(2)), 0.0)
    rng = np.random.default_rng(0)
    fronts = distil.distil_node(model, RUN, projection, trajectories(), 300, rng, evaluations=20_000, seed=0)
    assert len(fronts) == 2
    names = node_names(2)
    x = np.random.default_rng(1).uniform(0.5, 2, (50, len(names)))
    for axis, front in enumerate(fronts):
        best = parse(front.table["expression"].iloc[-1], names)
        expected = 6 * x[:, names.index(f"s{axis + 1}")] / x[:, names.index("m1")]
        np.testing.assert_allclose(evaluate(best, x, names), expected, rtol=1e-3)


def test_node_and_message_searches_of_a_run_are_independent(model, monkeypatch):
    seen = []
    monkeypatch.setattr(distil.regression, "regress", lambda *_, purpose, **__: seen.append(purpose))
    projection = Projection(Combination("channels", np.eye(2)), 0.0)
    distil.distil_node(model, RUN, projection, trajectories(), 300, np.random.default_rng(0))
    assert seen == ["node"] and not seen[0].startswith("messages")


def test_raw_inputs_are_those_of_the_neighbours_nearest_first():
    bodies = initial_bodies("charge", 20, 4, 2, 0)
    x, names = without_network.raw_inputs(bodies)
    assert names[:2] == ["m1", "q1"] and x.shape == (20, len(names)) and len(set(names)) == len(names)
    column = dict(zip(names, x.T, strict=True))
    assert (column["r2"] <= column["r3"]).all() and (column["r3"] <= column["r4"]).all()
    np.testing.assert_allclose(np.hypot(column["dx3"], column["dy3"]), column["r3"])
    np.testing.assert_allclose(column["m1"], bodies[:, 0, -1])
    nearest = 1 + np.linalg.norm(bodies[:, 1:, :2] - bodies[:, :1, :2], axis=-1).argmin(axis=1)
    np.testing.assert_allclose(column["q2"], bodies[np.arange(20), nearest, -2])


def test_the_control_finds_a_law_that_is_short_without_a_network():
    # of two bodies there is no sum over neighbours to be found
    front = without_network.search(trajectories(bodies=2, count=500), 300, evaluations=100_000)
    assert front.table["loss"].min() < 1e-3
    assert front.evaluations == 100_000 and not front.interrupted
    again = without_network.unexplained(front.table["expression"].iloc[-1], trajectories(bodies=2, count=500))
    assert again < 1e-2 < 0.5 < without_network.unexplained("0.01*m1", trajectories(bodies=2, count=500))


def test_the_control_is_drawn_alike_for_the_same_seed():
    one, again = (without_network.search(trajectories(), 100, evaluations=2_000, seed=3).table for _ in range(2))
    assert one.equals(again)
