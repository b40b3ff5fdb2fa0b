"""Messages with a known gauge, planted on random edges."""

import numpy as np

from lib.messages.extraction import Edges
from lib.physics.forces import Pairs, edge_inputs, pair_force
from lib.physics.laws import get_law

A = np.array([[1.2, -0.7], [0.4, 0.9]])
BOTH = np.array([0, 1])
GAUGES = {
    "force": lambda m, q: np.ones_like(m),
    "acceleration": lambda m, q: 1 / m,
    "gauge": lambda m, q: 1 + 0.8 / m,
}


def send(gauge, law, inputs, offset=0.0, noise=0.0, rng=None):
    """Messages g(m1, q1) f A + offset sin(log m1), with noise in parts of their spread, of edges with these inputs."""
    pairs = Pairs(inputs)
    sent = gauge(pairs.m1, pairs.q1)[:, None] * (pair_force(law, inputs) @ A) + offset * np.sin(np.log(pairs.m1))[:, None]
    return sent if noise == 0 else sent + noise * sent.std(0) * rng.standard_normal(sent.shape)


def planted(gauge, law="spring", offset=0.0, noise=0.0, count=12_000, seed=0) -> Edges:
    rng = np.random.default_rng(seed)
    draw = get_law(law).initial
    one, two = (draw(count, 2, rng.standard_normal) for _ in range(2))
    inputs = edge_inputs(one, two)
    return Edges(send(gauge, law, inputs, offset, noise, rng), None, inputs, pair_force(law, inputs), np.arange(count) // 60)


def reverse(inputs):
    """Inputs [edges, dim+5] of the opposite direction of each edge."""
    pairs = Pairs(inputs)
    return np.column_stack([-pairs.separation, pairs.r, pairs.m2, pairs.m1, pairs.q2, pairs.q1])
