"""Projections: components of the force are found in networks whose messages are spread over channels, in any gauge."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.distillation.distil import distil_messages
from lib.messages import extraction
from lib.messages.gauges import gauge_exponent, scores
from lib.messages.projections import node_weighted_combination, of_run
from lib.network import inference
from lib.network.catalogue import parse_run
from lib.network.networks import build
from lib.physics import datasets

RUN = parse_run("spring-2d", "l1")
TEST = datasets.frozen(RUN.system)


class Edge(nn.Module):
    """Hooke's force over the receiver's mass to a power, mixed into channels, and a large channel that the node ignores."""

    def __init__(self, mix, power):
        super().__init__()
        self.mix, self.power = torch.as_tensor(mix, dtype=torch.float32), power

    def forward(self, pair):
        receiver, sender = pair.chunk(2, dim=-1)
        apart = receiver[..., :2] - sender[..., :2]
        r = apart.norm(dim=-1, keepdim=True)
        force = -2 * (r - 0.99) * apart / r / receiver[..., [-1]] ** self.power
        # and one that hardly varies, which a fit could scale up to whatever it lacks
        faint = 1e-7 * receiver[..., [0]] * sender[..., [-1]]
        return torch.cat([force @ self.mix, 30 * torch.sin(5 * r), faint], dim=-1)


class Node(nn.Module):
    """The acceleration of the sum of `Edge`'s messages."""

    def __init__(self, mix, power):
        super().__init__()
        self.unmix, self.power = torch.as_tensor(np.linalg.pinv(mix), dtype=torch.float32), power

    def forward(self, x):
        body, received = x[..., :6], x[..., 6:-2]
        return received @ self.unmix * body[..., [-1]] ** (self.power - 1)


def network(mix, power):
    model = build(RUN)
    model.width, model.kept = mix.shape[1] + 2, torch.ones(mix.shape[1] + 2)
    model.edge, model.node = Edge(mix, power), Node(mix, power)
    return model


def score(projection, model):
    edges = projection.of_edges(extraction.extract(model, RUN, TEST))
    return extraction.linear_fit(edges.force, edges.messages).r2.mean()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_node_weighted_combinations_are_found_in_any_gauge(power):
    model = network(np.random.default_rng(0).standard_normal((2, 8)), power)
    edges = extraction.extract(model, RUN, TEST)
    principal = edges.combined(extraction.principal_components(edges, 2))
    combination = node_weighted_combination(model, edges, TEST.graphs()[0])
    # the large channel is the first principal component, and no part of the combinations
    assert gauge_exponent(principal, np.arange(2))[1] < 0.7
    assert np.abs(combination.matrix).max() < 10
    exponent, found = gauge_exponent(edges.combined(combination), np.arange(2))
    assert exponent == pytest.approx(power, abs=0.03) and found > 0.999


def test_few_channels_are_taken_by_themselves_and_many_as_the_node_weighs_them():
    few = np.array([[100.0, 30.0, 0, 0], [-20.0, 90.0, 0, 0]])
    many = np.random.default_rng(1).standard_normal((2, 30))
    assert [of_run(network(mix, 0.5), RUN, TEST)[0].combination.name for mix in (few, many)] == [
        "channels",
        "node-weighted combinations",
    ]


def test_edges_and_sums_are_gauge_corrected_alike():
    model = network(np.random.default_rng(2).standard_normal((2, 8)), 1.0)
    as_sent, corrected = of_run(model, RUN, TEST)
    assert score(as_sent, model) < 0.7 and score(corrected, model) > 0.999
    assert corrected.name == f"{as_sent.name}, gauge-corrected"
    bodies = TEST.graphs()[0]
    receiver = model.edges[1].numpy()
    for projection in (as_sent, corrected):
        sent = projection.of_edges(extraction.extract(model, RUN, TEST)).messages.reshape(len(bodies), -1, 2)
        sums = np.einsum("gec,en->gnc", sent, np.eye(4)[receiver])
        found = projection.of_sums(bodies, inference.received(model, bodies), np.full(4, 3))
        np.testing.assert_allclose(found, sums, rtol=1e-3, atol=1e-3 * np.abs(sums).max())


def test_messages_that_are_zero_hold_no_law():
    """A network whose messages say nothing is a finding, not a failure."""
    model = build(RUN)
    nn.init.zeros_(model.edge.last.weight)
    edges = extraction.extract(model, RUN, TEST)
    found = scores(edges, extraction.choose_channels(edges, 2))
    assert [found[name] for name in ("r2_force", "r2_force_error", "r2_acceleration", "r2_gauge")] == [0.0] * 4
    search = {"evaluations": 2_000, "seed": 0, "engine": "operon"}
    distilled = list(distil_messages(model, RUN, TEST, 500, np.random.default_rng(0), **search))
    assert [each.verdict.recovered for each in distilled] == [False] * 3
    assert [each.projection.axis_symmetric for each in distilled] == [False, False, True]
