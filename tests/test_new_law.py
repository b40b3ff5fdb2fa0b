"""Adding a law is one entry: a Yukawa law, registered here, goes through every stage's library."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pandas as pd
import sympy

from lib.distillation import verdict
from lib.messages import extraction, gauges
from lib.network import training
from lib.network.catalogue import parse_run
from lib.network.recipe import Recipe
from lib.physics import datasets
from lib.physics.laws import LAWS, Q1, Q2, Law, S, unit_charges


def test_a_law_registered_at_run_time_goes_all_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    yukawa = Law(
        title="Yukawa's law",
        potential=lambda s, m1, m2, q1, q2: q1 * q2 * jnp.exp(-s) / s,
        force=Q1 * Q2 * sympy.exp(-S) * (1 / S + 1 / S**2),
        dt=2e-3,
        initial=unit_charges,
    )
    monkeypatch.setitem(LAWS, "yukawa", yukawa)
    run = parse_run("yukawa-2d", "reciprocal", profile="smoke")

    test_set = datasets.load(run.system, "test", run.profile)
    assert len(test_set.features) == 20

    monkeypatch.setattr(training, "ROUND", 100)
    model, card = training.train(run, Recipe(graphs=64 * 300, batch=64))
    assert card["history"][-1]["validation_loss_per_node"] < 0.95 * card["history"][0]["validation_loss_per_node"]

    edges = extraction.extract(model, run, test_set)
    found = gauges.scores(edges, extraction.choose_channels(edges, run.system.dim))
    assert found["r2_force_trimmed"] > found["r2_acceleration_trimmed"]
    planted = dataclasses.replace(edges, messages=edges.force @ np.array([[1.0, 0.5], [-0.5, 1.0]]))
    assert gauges.scores(planted, np.array([0, 1]))["r2_force"] > 0.9999

    law = "q1*q2*exp(-r)*(1/r + 1/r**2)/r"
    rows = [f"({a}*dx + {b}*dy)*{law}" for a, b in ((1, 0.5), (-0.5, 1))]
    fronts = [pd.DataFrame({"complexity": [1], "loss": [0.0], "expression": [row], "chosen": [True]}) for row in rows]
    assert verdict.judge(fronts, run.system).gauge == "force"
    impostors = [front.assign(expression=front["expression"].str.replace("exp(-r)*", "")) for front in fronts]
    assert not verdict.judge(impostors, run.system).recovered
