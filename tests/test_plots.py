"""Figures: what the panels show, where a choice is made on the way."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from lib.report import palette, plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def dots(axis):
    return [line for line in axis.get_lines() if line.get_marker() == "."]


def test_the_gauge_of_a_field_is_drawn_positive_for_positive_charges():
    rng = np.random.default_rng(0)
    mass, charge = np.exp(rng.standard_normal(400)), rng.choice([-1.0, 1.0], 400)
    for sign in (1, -1):
        heavy, charged, *_ = plots.gauge(mass, charge, sign / charge).axes
        above, below = dots(heavy)
        assert (above.get_ydata() == 1).all() and (below.get_ydata() == -1).all()
        x, y = charged.collections[0].get_offsets().T
        assert (np.sign(x) == np.sign(y)).all()


def test_without_charges_a_gauge_has_one_panel():
    mass = np.exp(np.random.default_rng(0).standard_normal(200))
    (axis,) = plots.gauge(mass, np.zeros(200), -1 / mass).axes
    (points,) = dots(axis)
    assert (points.get_ydata() > 0).all()


def test_a_variant_has_its_colour_in_every_figure():
    runs = pd.DataFrame(
        {"system": ["spring-2d", "spring-3d"], "variant": "l1", "r2_force_trimmed": 0.5, "r2_acceleration_trimmed": 0.9}
    )
    flat, solid = plots.encodings(runs).axes[0].collections
    watched = pd.DataFrame({"graphs": [1e5, 1e6], "exponent": [0.0, 1.0], "r2_exponent": 0.9})
    line = plots.gauges_forming({"spring-2d/l1": watched}).axes[0].get_lines()[-1]
    pair = pd.DataFrame({"system": ["spring-2d"], "variant": ["l1"], "without": [0.2], "with": [0.9]})
    without, _ = plots.paired_comparison(pair, "score").axes[0].get_lines()
    colour = palette.of_variant("l1")
    assert same_color(flat.get_facecolor()[0][:3], colour) and same_color(solid.get_edgecolor()[0][:3], colour)
    assert len(solid.get_facecolor()) == 0
    assert same_color(line.get_color(), colour) and same_color(without.get_color(), colour)


def test_errors_are_drawn_against_the_size_of_the_vector():
    true = np.random.default_rng(0).standard_normal((200, 3)) * np.geomspace(1e-3, 1e3, 200)[:, None]
    _, errors = plots.predicted_against_true(true, 1.01 * true).axes
    size, error = errors.collections[0].get_offsets().T
    np.testing.assert_allclose(error, 0.01 * size, rtol=1e-6)
