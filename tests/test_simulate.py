"""The simulator against what is known exactly: conservation laws, symmetries, analytic orbits, SciPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from lib.errors import InputError
from lib.network.catalogue import CORE
from lib.physics.bodies import Bodies
from lib.physics.datasets import make
from lib.physics.integrate import integrate
from lib.physics.laws import LAWS, M1, M2, NO_FIELD, Law, S, get_law, no_friction
from lib.physics.simulate import (
    acceleration,
    accelerations,
    derivative,
    energy_error,
    initial_bodies,
    simulate,
    snapshot_times,
    total_energy,
)
from lib.runs import System

every_law = pytest.mark.parametrize("law", LAWS)
ISOLATED = [k for k, v in LAWS.items() if v.friction is no_friction and v.field is NO_FIELD and v.one_sided is None]
isolated = pytest.mark.parametrize("law", ISOLATED)


def systems(laws):
    """Every one of the laws in a plane, and in space those that the paper's tables are about: each takes seconds to compile."""
    return pytest.mark.parametrize(("law", "dim"), [*((law, 2) for law in laws), *((law, 3) for law in CORE)])


def run(law, dim=2, seed=1):
    """Bodies at close times: as few of them in all tests as are compiled once for a law."""
    times = np.linspace(0, snapshot_times(law)[-1], 1001)
    bodies, solution = simulate(law, initial_bodies(law, 16, 4, dim, seed), times)
    assert solution.complete.all()
    return times, bodies


@systems(LAWS)
def test_energy_is_conserved_but_for_what_friction_takes(law, dim):
    # times are close enough for a spline through them to integrate what friction takes
    times, bodies = run(law, dim)
    error = energy_error(law, times, bodies).max(axis=-1)
    # a force without reaction turns about within an encounter, faster than a spline can follow
    assert np.quantile(error, 0.95) < (1e-5 if get_law(law).one_sided is None else 2e-3)


def test_friction_only_takes_energy():
    _, bodies = run("damped")
    free = total_energy("damped", bodies)
    assert (np.diff(free, axis=-1) <= 1e-9 * np.abs(free).max()).all()
    assert (free[:, -1] < 0.9 * free[:, 0]).all()


def test_a_path_that_leaves_the_finite_has_no_energy_and_spoils_no_other():
    times = np.linspace(0, 1, 5)
    bodies = np.repeat(initial_bodies("damped", 2, 4, 2, 0)[:, None], 5, axis=1)
    bodies[1, 3:] = np.inf
    error = energy_error("damped", times, bodies)
    assert np.isfinite(error[0]).all() and np.isnan(error[1]).all()


@systems(ISOLATED)
def test_momentum_and_angular_momentum_are_conserved(law, dim):
    _, bodies = run(law, dim=dim)
    x, p = Bodies(bodies).position, Bodies(bodies).mass[..., None] * Bodies(bodies).velocity
    momentum = p.sum(-2)
    np.testing.assert_allclose(momentum, np.broadcast_to(momentum[:, :1], momentum.shape), atol=1e-7)
    spin = (x[..., :, None] * p[..., None, :] - p[..., :, None] * x[..., None, :]).sum(-3)
    np.testing.assert_allclose(spin, np.broadcast_to(spin[:, :1], spin.shape), atol=1e-6 * np.abs(spin).max())


@pytest.mark.parametrize("law", ["spring", "r1", "string"])
def test_with_reversed_velocities_bodies_return(law):
    times, bodies = run(law)
    reversed_ = bodies[:, -1].copy()
    reversed_[..., 2:4] *= -1
    back, _ = simulate(law, reversed_, times)
    error = np.abs(back[:, -1, :, :2] - bodies[:, 0, :, :2]).max(axis=(1, 2))
    assert np.quantile(error, 0.9) < 1e-5


@isolated
def test_order_and_place_of_bodies_do_not_matter(law):
    rng = np.random.default_rng(0)
    bodies = initial_bodies(law, 200, 5, 3, seed=4)
    order, shift = rng.permutation(5), rng.standard_normal(3)
    moved = bodies[:, order].copy()
    moved[..., :3] += shift
    np.testing.assert_allclose(accelerations(law, moved), accelerations(law, bodies)[:, order], rtol=1e-6, atol=1e-9)


def test_a_pair_on_a_spring_oscillates_as_the_formula_says():
    m1, m2 = 1.5, 0.5
    pair = np.zeros((1, 2, 6))
    pair[0, 0, 0], pair[0, 1, 0] = 0.75, -0.75
    pair[0, :, -1] = m1, m2
    times = np.linspace(0, 3, 31)
    bodies, _ = simulate("spring", pair, times, tolerance=1e-10)
    separation = bodies[0, :, 0, 0] - bodies[0, :, 1, 0]
    # reduced mass on a spring of constant 2 about the rest length 0.99, which the softening shifts from 1
    omega = np.sqrt(2 * (1 / m1 + 1 / m2))
    np.testing.assert_allclose(separation, 0.99 + 0.51 * np.cos(omega * times), atol=1e-7)


@pytest.fixture
def kepler(monkeypatch):
    """Newton's gravity with the softening taken out again."""
    law = Law(
        title="Kepler",
        potential=lambda s, m1, m2, q1, q2: -m1 * m2 / (s - 0.01),
        force=-M1 * M2 / (S - sympy.Rational(1, 100)) ** 2,
        dt=1e-3,
    )
    monkeypatch.setitem(LAWS, "kepler", law)
    return "kepler"


def orbit(eccentricity, times):
    """Separation of two unit-sum masses, semi-major axis 1, from its nearest point on, by Kepler's equation."""
    anomaly = np.array([brentq(lambda u, t=t: u - eccentricity * np.sin(u) - t, t - 1, t + 1) for t in times])
    return np.stack([np.cos(anomaly) - eccentricity, np.sqrt(1 - eccentricity**2) * np.sin(anomaly)], axis=1)


def pair_at_nearest(eccentricity):
    m1, m2 = 0.7, 0.3
    x = np.array([1 - eccentricity, 0.0])
    v = np.array([0.0, np.sqrt((1 + eccentricity) / (1 - eccentricity))])
    return np.stack([np.r_[m2 * x, m2 * v, 0, m1], np.r_[-m1 * x, -m1 * v, 0, m2]])[None]


@pytest.mark.parametrize("eccentricity", [0.0, 0.5, 0.95])
def test_two_bodies_follow_keplers_ellipse(kepler, eccentricity):
    times = np.linspace(0, 4 * np.pi, 101)
    bodies, _ = simulate(kepler, pair_at_nearest(eccentricity), times, tolerance=1e-10)
    np.testing.assert_allclose(bodies[0, :, 0, :2] - bodies[0, :, 1, :2], orbit(eccentricity, times), atol=2e-6)


def test_the_method_converges_at_its_order(kepler):
    times = np.linspace(0, 4 * np.pi, 5)
    work, errors = [], []
    for tolerance in (1e-7, 1e-8, 1e-9, 1e-10):
        bodies, solution = simulate(kepler, pair_at_nearest(0.6), times, tolerance=tolerance)
        errors.append(np.abs(bodies[0, -1, 0, :2] - bodies[0, -1, 1, :2] - orbit(0.6, times)[-1]).max())
        work.append(solution.steps[0])
    order = -np.polyfit(np.log(work), np.log(errors), 1)[0]
    assert 6.5 < order < 10.5


@pytest.mark.parametrize("law", ["spring", "r1", "r2", "charge", "damped", "string_ball"])
def test_scipy_at_a_tight_tolerance_agrees(law):
    times, bodies = run(law, seed=9)
    rate = jax.jit(derivative(law))
    for found in bodies[:3]:
        start, fixed = found[0, :, :4], found[0, :, 4:]
        reference = solve_ivp(
            lambda t, y, fixed=fixed: np.asarray(rate(y.reshape(4, 4), fixed)).ravel(),
            (0, times[200]), start.ravel(), method="DOP853", t_eval=[times[200]], rtol=1e-12, atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(found[200, :, :4].ravel(), reference.y[:, -1], rtol=1e-5, atol=1e-5)


def test_trajectories_depend_neither_on_company_nor_on_cores():
    initial = initial_bodies("r2", 300, 4, 2, seed=3)
    args = (derivative("r2"), initial[..., :4], initial[..., 4:], snapshot_times("r2"))
    one, two = (integrate(*args, workers=workers).states for workers in (1, 2))
    np.testing.assert_array_equal(one, two)
    alone = integrate(*(a[7:8] if k in (1, 2) else a for k, a in enumerate(args))).states
    np.testing.assert_allclose(one[7], alone[0], rtol=1e-9, atol=1e-9)


def test_the_same_seed_gives_the_same_bits():
    first, second = (make(System("r1", 2), 200, seed=5) for _ in range(2))
    assert first.features.tobytes() == second.features.tobytes()
    assert first.features.tobytes() != make(System("r1", 2), 200, seed=6).features.tobytes()


@pytest.mark.parametrize("n", [2, 9])
@every_law
def test_every_law_takes_any_number_of_bodies(law, n):
    bodies = initial_bodies(law, 3, n, 3, seed=0)
    assert bodies.shape == (3, n, 8) and accelerations(law, bodies).shape == (3, n, 3)
    assert get_law(law).friction(n).shape == (n,) and np.isfinite(total_energy(law, bodies)).all()


@pytest.mark.parametrize("law", ["r1", "own_length", "string_ball"])
def test_pairs_taken_in_a_loop_give_what_pairs_written_out_give(law, monkeypatch):
    bodies = np.moveaxis(initial_bodies(law, 20, 5, 2, seed=0), 0, -1)
    written_out = jax.jit(partial(acceleration, get_law(law)))(bodies)
    monkeypatch.setattr("lib.physics.simulate.UNROLLED", 0)
    np.testing.assert_allclose(jax.jit(partial(acceleration, get_law(law)))(bodies), written_out, rtol=1e-9, atol=1e-9)


def test_many_bodies_are_followed():
    times = snapshot_times("spring")[:3]
    bodies, solution = simulate("spring", initial_bodies("spring", 2, 40, 2, seed=0), times)
    assert solution.complete.all() and energy_error("spring", times, bodies).max() < 1e-5


@pytest.mark.parametrize(("law", "n"), [("r1", 2), ("damped_uneven", 9), ("string", 9)])
def test_any_number_of_bodies_is_followed(law, n):
    made = make(System(law, 3), 3, n=n)
    assert made.features.shape == (3, 100, n, 8) and made.accelerations.shape == (3, 100, n, 3)


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
    complete = simulate

    def lossy(*args, **kwargs):
        bodies, solution = complete(*args, **kwargs)
        solution.complete[2] = False
        return bodies, solution

    monkeypatch.setattr("lib.physics.datasets.simulate", lossy)
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


def test_each_law_draws_what_it_says():
    for law in LAWS.values():
        assert (Bodies(law.initial(4, 2, np.random.default_rng(0).standard_normal)).mass > 0).all()
    charged = Bodies(get_law("charge").initial(8, 2, np.random.default_rng(0).standard_normal))
    assert set(charged.charge) == {-1.0, 1.0}
    assert get_law("damped_uneven").friction(4).tolist() == [0.75, 0.5, 0.25, 0.0]
    assert set(get_law("damped").friction(4)) == {0.375}


def spin(y, frequency):
    """A harmonic oscillator."""
    return jnp.stack([y[1], -(frequency[0] ** 2) * y[0]])


def test_a_trajectory_that_is_given_up_leaves_the_others_alone():
    frequencies, times = np.array([[600.0], [100.0], [150.0]]), np.linspace(0, 1, 11)
    start = np.tile([1.0, 0.0], (3, 1))
    solution = integrate(spin, start, frequencies, times, max_steps=200, lanes=2)
    np.testing.assert_array_equal(solution.complete, [False, True, True])
    for k in (1, 2):
        np.testing.assert_allclose(solution.states[k, :, 0], np.cos(frequencies[k] * times), atol=1e-4)
