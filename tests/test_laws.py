"""Each registered law: its potential against its closed-form force, and what the registry refuses."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.errors import InputError
from lib.physics import datasets
from lib.physics.bodies import Bodies
from lib.physics.fingerprint import fingerprint
from lib.physics.forces import edge_inputs, input_names, pair_force
from lib.physics.laws import GRAVITY, LAWS, S, even_friction, get_law, neighbours, unit_charges
from lib.physics.simulate import accelerations, initial_bodies, one_sided_energy, potential_energy, simulate
from lib.runs import System

bodies_of = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dim", [2, 3])
@settings(deadline=None, max_examples=20)
@given(rng=bodies_of)
def test_force_is_minus_the_gradient_of_what_a_body_feels(law, dim, rng):
    entry = get_law(law)
    pair = entry.initial(2, dim, rng.standard_normal)
    bodies = Bodies(pair)

    def energy(x):
        pairs = potential_energy(entry, x, bodies.charge, bodies.mass) - entry.field.energy(x, bodies.mass).sum()
        return pairs + one_sided_energy(entry, x, bodies.position, bodies.charge, bodies.mass)

    gradient = np.asarray(jax.grad(energy)(bodies.position))
    inputs = np.stack([edge_inputs(pair[0], pair[1]), edge_inputs(pair[1], pair[0])])
    np.testing.assert_allclose(pair_force(law, inputs), -gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("law", LAWS)
def test_action_is_minus_reaction_unless_the_law_says_otherwise(law):
    rng = np.random.default_rng(0)
    one, two = (np.stack([get_law(law).initial(1, 3, rng.standard_normal)[0] for _ in range(50)]) for _ in range(2))
    there, back = pair_force(law, edge_inputs(one, two)), pair_force(law, edge_inputs(two, one))
    if get_law(law).one_sided is None:
        np.testing.assert_allclose(there, -back, rtol=1e-12)
    else:
        assert np.abs(there + back).mean() > 0.1 * np.abs(there).mean()


def test_inputs_are_named_in_their_order():
    receiver, sender = np.array([[1.0, 2, 0, 0, -1, 5]]), np.array([[4.0, 6, 0, 0, 1, 7]])
    named = dict(zip(input_names(2), edge_inputs(receiver, sender)[0], strict=True))
    assert named == {"dx": -3, "dy": -4, "r": 5, "m1": 5, "m2": 7, "q1": -1, "q2": 1}


def test_unknown_law_names_the_valid_ones():
    with pytest.raises(InputError, match=r"unknown law 'sprong': choose one of spring, .*charge"):
        get_law("sprong")


@pytest.fixture
def redefine(monkeypatch):
    """redefine(**changes): the spring with something changed, registered under its own name."""
    original = get_law("spring")
    return lambda **changes: monkeypatch.setitem(LAWS, "spring", dataclasses.replace(original, **changes))


STIFFER = {"potential": lambda s, m1, m2, q1, q2: 3 * (s - 1) ** 2, "force": -6 * (S - 1)}


def test_a_law_that_is_registered_anew_acts_as_it_now_says(redefine):
    bodies, times = initial_bodies("spring", 4, 4, 2, seed=0), np.array([0.0, 0.1])
    inputs = edge_inputs(bodies[:, 0], bodies[:, 1])
    before = [accelerations("spring", bodies), pair_force("spring", inputs)]
    moved, _ = simulate("spring", bodies, times)
    redefine(**STIFFER)
    after = [accelerations("spring", bodies), pair_force("spring", inputs)]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new, 3 * old)
    assert np.abs(simulate("spring", bodies, times)[0] - moved).max() > 1e-3


CHANGES = {
    "force": STIFFER,
    "the potential alone, by little": {"potential": lambda s, m1, m2, q1, q2: (s - 1.0001) ** 2},
    "a threshold": {"potential": lambda s, m1, m2, q1, q2: jax.numpy.where(s < 0.1, 0.0, (s - 1) ** 2)},
    "a force without reaction": {"one_sided": lambda s, m1, m2, q1, q2: 1e-3 * q1 * s},
    "friction": {"friction": even_friction},
    "field": {"field": GRAVITY},
    "pairs": {"offsets": neighbours},
    "initial bodies": {"initial": unit_charges},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fingerprint_tells_what_decides_trajectories(change):
    law = get_law("spring")
    assert fingerprint(dataclasses.replace(law, **CHANGES[change]), 4, 2) != fingerprint(law, 4, 2)


def test_a_fingerprint_is_of_what_a_law_does_and_not_of_how_it_is_written():
    law = get_law("spring")
    rewritten = dataclasses.replace(
        law, title="Hooke", potential=lambda s, m1, m2, q1, q2: s * s - 2 * s + 1, budget_fraction=0.5
    )
    assert fingerprint(rewritten, 4, 2) == fingerprint(law, 4, 2)
    assert fingerprint(law, 4, 3) != fingerprint(law, 4, 2) != fingerprint(law, 5, 2)


def test_a_frozen_set_of_another_law_is_refused_in_one_line(redefine):
    datasets.frozen(System("spring", 2))
    redefine(friction=even_friction)
    with pytest.raises(
        InputError, match="the frozen test set of spring-2d was made with other friction, fingerprint: "
    ) as raised:
        datasets.frozen(System("spring", 2))
    assert "\n" not in str(raised.value)
