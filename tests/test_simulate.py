"""The simulator against what is known exactly: conservation laws, an analytic orbit, its own determinism."""

import numpy as np
import pytest

from lib.datasets import make
from lib.errors import InputError
from lib.integrate import integrate
from lib.laws import LAWS, get_law
from lib.runs import System
from lib.simulate import accelerations, initial_bodies, simulate, snapshot_times, total_energy

conservative = pytest.mark.parametrize("law", LAWS)


@conservative
def test_energy_and_momentum_are_conserved(law):
    initial = initial_bodies(law, 64, 4, 2, seed=1)
    bodies, solution = simulate(law, initial, snapshot_times(law))
    assert solution.complete.all()
    energy = total_energy(law, bodies)
    kinetic = 0.5 * (bodies[..., -1] * (bodies[..., 2:4] ** 2).sum(-1)).sum(-1)
    scale = kinetic[:, 0] + np.abs(energy - kinetic)[:, 0]
    assert np.quantile(np.abs(energy - energy[:, :1]).max(1) / scale, 0.95) < 1e-6
    momentum = (bodies[..., [-1]] * bodies[..., 2:4]).sum(-2)
    np.testing.assert_allclose(momentum, np.broadcast_to(momentum[:, :1], momentum.shape), atol=1e-8)


def test_a_pair_on_a_spring_oscillates_as_the_formula_says():
    m1, m2 = 1.5, 0.5
    pair = np.zeros((1, 2, 6))
    pair[0, 0, 0], pair[0, 1, 0] = 0.75, -0.75
    pair[0, :, -1] = m1, m2
    times = np.linspace(0, 3, 31)
    bodies, _ = simulate("spring", pair, times)
    separation = bodies[0, :, 0, 0] - bodies[0, :, 1, 0]
    # reduced mass on a spring of constant 2 about the rest length 0.99, which the softening shifts from 1
    omega = np.sqrt(2 * (1 / m1 + 1 / m2))
    np.testing.assert_allclose(separation, 0.99 + 0.51 * np.cos(omega * times), atol=1e-7)


def test_trajectories_do_not_depend_on_their_company():
    initial = initial_bodies("r2", 40, 4, 2, seed=3)
    together, _ = simulate("r2", initial, snapshot_times("r2"))
    alone, _ = simulate("r2", initial[7:8], snapshot_times("r2"))
    np.testing.assert_allclose(together[7], alone[0], rtol=1e-9, atol=1e-9)


def test_the_same_seed_gives_the_same_bits():
    first, second = (make(System("r1", 2), 50, seed=5) for _ in range(2))
    assert first.features.tobytes() == second.features.tobytes()
    assert first.features.tobytes() != make(System("r1", 2), 50, seed=6).features.tobytes()


def test_stored_accelerations_are_those_of_the_stored_positions():
    made = make(System("r2", 3), 20, seed=2)
    exact = accelerations("r2", made.features)
    np.testing.assert_array_equal(made.accelerations, exact.astype(np.float32))
    assert made.features.dtype == made.accelerations.dtype == np.float32


def test_what_cannot_be_integrated_is_marked_and_not_passed_on():
    def escape(y, constants):
        return y**2  # reaches infinity at t = 1 / y0

    solution = integrate(escape, np.array([[0.1], [2.0]]), np.zeros((2, 1)), np.linspace(0, 1, 5), max_steps=500)
    assert solution.complete.tolist() == [True, False]
    np.testing.assert_allclose(solution.states[0, -1], 0.1 / 0.9, rtol=1e-8)


def test_dropped_trajectories_are_counted(monkeypatch, caplog):
    whole = simulate

    def lossy(*args, **kwargs):
        bodies, solution = whole(*args, **kwargs)
        solution.complete[2] = False
        return bodies, solution

    monkeypatch.setattr("lib.datasets.simulate", lossy)
    made = make(System("spring", 2), 5)
    assert len(made.features) == made.record["trajectories"] == 4
    assert made.record["dropped"]["integration failed"] == 1
    assert "dropped" in caplog.text


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"n": 1}, "n = 1: a pair law needs 2 bodies or more"),
        ({"dt": -0.1}, "dt = -0.1: choose a positive step"),
    ],
)
def test_bad_parameters_end_in_one_line(wrong, line):
    with pytest.raises(InputError) as raised:
        make(System("spring", 2), 1, **wrong)
    assert str(raised.value) == line


def test_dimension_must_be_two_or_three():
    with pytest.raises(InputError, match="dim = 4: choose 2 or 3"):
        make(System("spring", 4), 1)


def test_every_law_draws_positive_masses():
    for law in LAWS.values():
        assert (law.initial(4, 2, np.random.default_rng(0).standard_normal)[:, -1] > 0).all()
    charges = get_law("charge").initial(8, 2, np.random.default_rng(0).standard_normal)[:, -2]
    assert set(charges) == {-1.0, 1.0}
