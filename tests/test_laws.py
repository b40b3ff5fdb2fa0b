"""Each registered law: its potential against its closed-form force, and what the registry refuses."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.errors import InputError
from lib.physics.forces import edge_inputs, input_names, pair_force
from lib.physics.laws import LAWS, get_law
from lib.physics.simulate import one_sided_energy, potential_energy

bodies_of = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dim", [2, 3])
@settings(deadline=None, max_examples=20)
@given(rng=bodies_of)
def test_force_is_minus_the_gradient_of_what_a_body_feels(law, dim, rng):
    pair = get_law(law).initial(2, dim, rng.standard_normal)
    x, q, m = pair[:, :dim], pair[:, -2], pair[:, -1]

    def felt(mine):
        own = potential_energy(law, mine, q, m) - get_law(law).field(mine, m).sum()
        return own + one_sided_energy(law, mine, x, q, m)

    gradient = np.asarray(jax.grad(felt)(x))
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
