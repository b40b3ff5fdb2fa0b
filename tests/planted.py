"""Messages with a known gauge, planted on random edges."""

import numpy as np

from lib.messages.extraction import Edges
from lib.physics.forces import edge_inputs, pair_force
from lib.physics.laws import get_law

A = np.array([[1.2, -0.7], [0.4, 0.9]])
GAUGES = {
    "force": lambda m, q: np.ones_like(m),
    "acceleration": lambda m, q: 1 / m,
    "gauge": lambda m, q: 1 + 0.8 / m,
}


def planted(gauge, law="spring", offset=0.0, noise=0.0, count=12_000, seed=0) -> Edges:
    rng = np.random.default_rng(seed)
    draw = get_law(law).initial
    one, two = (draw(count, 2, rng.standard_normal) for _ in range(2))
    inputs = edge_inputs(one, two)
    force = pair_force(law, inputs)
    mass, charge = inputs[:, -4], inputs[:, -2]
    sent = gauge(mass, charge)[:, None] * (force @ A) + offset * np.sin(np.log(mass))[:, None]
    sent = sent + noise * sent.std(0) * rng.standard_normal(sent.shape)
    return Edges(sent, None, inputs, force, np.arange(count) // 60)


BOTH = np.array([0, 1])
