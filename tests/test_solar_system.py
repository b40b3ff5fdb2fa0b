"""The solar system: formulas with unknown strengths, on a planted system whose law is none of nature's; and the ephemeris."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lib.errors import InputError
from lib.files import read_json
from lib.many_body import solar_network, solar_system, strengths
from lib.many_body.solar_system import differentiated, hypotheses
from lib.many_body.strengths import Errors, Fit, Hypothesis, Places, System
from lib.selection.law import read_law
from lib.selection.motion import Motion

STRENGTHS = np.array([1.0, 2e-3, 5e-4, 3e-5, 1e-13])
K, P = 3e-4, 1.7
NOISE = 1e-8
"""Of velocities, relative."""
DRAG = 1e-5


def pulled(x, v, drag=0.0):
    """The planted accelerations [bodies, 3], pair by pair."""
    a = -drag * v
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                separation = x[i] - x[j]
                a[i] -= K * STRENGTHS[j] * separation / np.linalg.norm(separation) ** (P + 1)
    return a


def planted(drag=0.0, days=1_000):
    """A system like the Sun's under another law, with noise on its velocities."""
    rng = np.random.default_rng(0)
    r = np.array([0.0, 1.0, 1.7, 2.9, 4.4])
    angle = rng.uniform(0, 2 * np.pi, 5)
    x = r[:, None] * np.stack([np.cos(angle), np.sin(angle), 0.1 * np.sin(3 * angle)], axis=1)
    speed = np.sqrt(K * np.maximum(r, 1) ** (1 - P)) * np.array([0, 1.05, 0.95, 1.1, 1.0])
    v = speed[:, None] * np.stack([-np.sin(angle), np.cos(angle), 0.05 * np.cos(angle)], axis=1)

    def rate(_, state):
        x, v = state.reshape(2, 5, 3)
        return np.concatenate([v.ravel(), pulled(x, v, drag).ravel()])

    times = np.arange(0.0, days)
    state = np.concatenate([x.ravel(), v.ravel()])
    found = solve_ivp(rate, (0, days), state, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-14)
    position, velocity = np.moveaxis(found.y.T.reshape(days, 2, 5, 3), 1, 0)
    velocity = velocity * (1 + NOISE * rng.standard_normal(velocity.shape))
    inner = slice(10, -10)
    return System(times[inner], position[inner], velocity[inner], differentiated(velocity, 1.0, 10)).take(slice(None, None, 3))


@pytest.fixture(scope="module")
def system():
    return planted()


@pytest.fixture(scope="module")
def halves(system):
    return system.take(slice(0, 220)), system.take(slice(220, None))


def offered(*names):
    return [one for one in hypotheses() if any(name in one.name for name in names)]


@pytest.fixture(scope="module")
def power(system):
    return strengths.fit(hypotheses()[solar_system.PLAIN], system)


@pytest.fixture(scope="module")
def errors(system, power):
    return strengths.standard_errors(power, system, 20)


def test_exponent_and_strengths_come_back_within_their_errors(power, errors):
    deviations = errors.total
    assert abs(power.constants["p"] - P) < min(4 * errors.of("p", power), 1e-4)
    off = np.abs(power.strengths - STRENGTHS)[1:]
    assert (off < 4 * deviations[1:5]).all()
    assert (off[:3] < 0.01 * STRENGTHS[1:4]).all()
    assert (deviations[1:4] < 0.01 * STRENGTHS[1:4]).all()


def test_what_the_data_do_not_determine_is_called_so(power, errors, monkeypatch):
    monkeypatch.setattr(solar_system, "BODIES", ("a", "b", "c", "d", "e"))
    record = solar_system.strengths_record(power, errors)
    assert record["determined"] == [True, True, True, True, False]
    assert record["at_most"][:4] == [None] * 4
    assert STRENGTHS[4] < record["at_most"][4] < 1e-4


def test_the_planted_law_is_chosen(halves, power):
    judged = [strengths.judge(one, *halves, 8, power if "p" in one.start else None) for one in hypotheses()[1:]]
    chosen, tied = strengths.compare(judged)
    assert chosen.fit.hypothesis.name == "power of r, strength of the sender"
    refuted = {"spring to each other body", "1/r^3", "power of r, both strengths", "logarithmic potential, 1/r"}
    assert not refuted & {one.fit.hypothesis.name for one in tied}


def test_planted_friction_is_found(power):
    dragged = planted(DRAG)
    early, late = dragged.take(slice(0, 220)), dragged.take(slice(220, None))
    judged = [strengths.judge(one, early, late, 8, power) for one in offered("strength of the sender", "and friction", "trap")]
    chosen, tied = strengths.compare(judged)
    assert (chosen.fit.hypothesis.name, tied) == ("and friction", [])
    assert chosen.fit.constants["g"] == pytest.approx(DRAG, rel=1e-3)


def test_unseen_mass_is_found_between_the_right_orbits(system, monkeypatch):
    monkeypatch.setattr(solar_system, "BODIES", ("Sun", "b", "c", "d", "e"))
    belt = 1e-3
    distance = np.linalg.norm(system.position - system.position[:, :1], axis=-1, keepdims=True)
    distance[:, 0] = 1
    more = -K * belt * (distance > 2.2) * (system.position - system.position[:, :1]) / distance ** (P + 1)
    changed = replace(system, acceleration=system.acceleration + more)
    early, late = changed.take(slice(0, 220)), changed.take(slice(220, None))
    plain = strengths.fit(hypotheses()[solar_system.PLAIN], early)
    choices = solar_system.unseen(plain.hypothesis, early)
    judged = [strengths.judge(one, early, late, 8, plain) for one in choices]
    best = min(judged, key=lambda one: one.length)
    assert best.fit.hypothesis.name.endswith("between c and d")
    assert best.fit.constants["g"] == pytest.approx(belt, rel=0.02)


def test_whole_numbers_replace_constants_that_allow_it():
    fit = Fit(velocity_law(), STRENGTHS, {"k": K, "p": 2.001, "a": 1e-4, "b": 0.3, "c": 0.0, "d": 0.0}, np.ones(5))
    deviations = np.r_[np.zeros(5), 1e-9, 1e-3, 1e-4, 1e-3, 1e-9, 1e-9]
    every, *single = strengths.simplified(fit, Errors(deviations, np.zeros(11)))
    assert set(every.start) == {"k", "b"}
    assert every.along == "0" and "r**2" in every.radial
    assert len(single) == 4
    (fixed,) = strengths.simplified(
        replace(fit, constants=fit.constants | {"p": 1.7, "a": 1.5, "c": 0.5}), Errors(deviations, deviations)
    )
    assert set(fixed.start) == {"k", "p", "a", "b", "c"}


def velocity_law():
    return solar_system.velocity_dependent("-k*m2/r**p", solar_system.POWER)


def test_the_leading_law_has_no_corrections(system):
    constants = {"k": K, "p": P, "a": 1e-4, "b": 1e-9, "c": 0.0, "d": 1e-8}
    fit = Fit(velocity_law(), STRENGTHS, constants, np.ones(5))
    law = strengths.leading(fit, system)
    assert set(law.start) == {"k", "p"} and law.along == "0"
    kept = strengths.leading(replace(fit, constants=constants | {"d": 1e3}), system)
    assert set(kept.start) == {"k", "p", "d"} and kept.along != "0"


@pytest.mark.parametrize("name", ["second order", "receiver's strength", "friction of the pair", "trap", "across"])
def test_derivatives_are_those_of_the_accelerations(name, system):
    (formula,) = offered(name)
    rng = np.random.default_rng(1)
    point = np.r_[1.0, rng.uniform(0.1, 1, 4), rng.uniform(0.1, 1, len(formula.start))]
    places = system.take(slice(0, 3)).places
    by = strengths.slopes(formula, point, places)
    for k in range(len(point)):
        step = np.zeros(len(point))
        step[k] = 1e-6
        ahead, behind = (strengths.accelerations(formula, point + side * step, places) for side in (1, -1))
        assert by[..., k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-5 * np.abs(by[..., k]).max())


def test_a_force_of_any_shape_has_the_planted_slopes(system):
    knots = solar_system.knots(system, 5)
    fit = strengths.fit(strengths.free_force(knots), system)
    slope = np.diff(list(fit.constants.values())) / np.diff(np.log(knots))
    assert len(knots) == 7
    assert slope[2:] == pytest.approx(-P, abs=1e-3)


@pytest.mark.parametrize(
    ("radial", "p"), [("-k*m2/r**2", 2.0), ("-k*m2*r**(-p)", 1.5), ("-k*m2*(1 + p/r)/r**2", None), ("-k*m1*m2/r", None)]
)
def test_the_exponent_of_a_law(radial, p):
    start = {"k": 1.0} | ({"p": 1.5} if "p" in radial else {})
    assert solar_system.exponent(Fit(Hypothesis("", radial, start), STRENGTHS, start, np.ones(5))) == p


def test_central_differences_are_exact_for_polynomials_and_good_for_fast_circles():
    t = np.arange(-10.0, 11.0)
    for degree in range(1, 21):
        velocity = (t / 10) ** degree + (t / 10)
        found = differentiated(velocity[:, None, None], 1.0, 10)
        assert found.item() == pytest.approx(0.1 + 0.1 * (degree == 1), abs=1e-13)
    month = np.sin(2 * np.pi * t / 27.3)
    assert differentiated(month[:, None, None], 1.0, 10).item() == pytest.approx(2 * np.pi / 27.3, rel=1e-8)


def test_a_fit_is_followed_like_the_planted_system(system):
    exact = Fit(Hypothesis("", "-k*m2/r**p", solar_system.POWER), STRENGTHS, {"k": K, "p": P}, np.ones(5))
    found = solar_system.followed(exact, system.position[0], system.velocity[0], system.time)
    assert found == pytest.approx(system.position, abs=1e-5)


def test_action_equals_reaction_where_inertia_is_strength(power, system):
    assert solar_system.reciprocity(power, system) < 1e-4
    wrong = replace(power, strengths=np.r_[1.0, 2 * power.strengths[1:]])
    assert solar_system.reciprocity(wrong, system) > 0.1


def test_the_network_learns_and_is_no_law(system):
    briefly, longer = (solar_network.train(system, graphs) for graphs in (64, 30_000))

    def misfit(one):
        error = one.predict(system.position, system.velocity) - system.acceleration
        return np.sqrt((error**2).mean(axis=(0, 2)) / system.size**2)[1:].mean()

    assert 1e-5 < misfit(longer) < 0.3 < misfit(briefly)


def test_the_record_holds_the_law(power, errors, halves, system, monkeypatch, tmp_path):
    monkeypatch.setattr(solar_system, "BODIES", ("a", "b", "c", "d", "e"))
    judged = [strengths.judge(one, *halves, 8, power) for one in offered("strength of the sender", "trap")]
    chosen, tied = strengths.compare(judged)
    exponents = {"alone": (power.constants["p"], errors.of("p", power))}
    told = solar_system.announcement(
        power, errors, power, errors, chosen, tied, judged, system, exponents, {"law": 1e-8, "network": 0.1, "mean": 1.0}
    )
    told.write(tmp_path / "law.json")
    record = read_json(tmp_path / "law.json")
    assert record["announced"] and record["hypotheses"]["central"]["holds"]
    assert [constant["name"] for constant in record["constants"]] == ["k", "p"]
    law = read_law(record)
    mass = np.broadcast_to(record["properties"]["mass"]["values"], system.position.shape[:2])
    rates = law.rates(Motion.of_arrays(system.position, system.velocity, {"mass": mass}))
    assert rates.reshape(system.position.shape) == pytest.approx(power.predict(system.position, system.velocity), rel=1e-9)


def test_without_the_ephemeris_one_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] in {"skyfield_data", "jplephem"}:
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"^DE421 is not installed: pip install '\.\[solar-system\]'$"):
        solar_system.states(2_444_239.5, 30)


def test_the_ephemeris_has_bodies_where_they_are():
    pytest.importorskip("skyfield_data")
    time, position, velocity = solar_system.states(2_451_545.0, 400)
    assert position.shape == velocity.shape == (400, 11, 3) and time[-1] == 2_451_944.0
    places = Places.of(position, velocity)
    r = np.zeros((400, 11, 11))
    r[:, places.receiver, places.sender] = places.inputs[0]
    name = {body: k for k, body in enumerate(solar_system.BODIES)}
    from_sun = r[:, name["Sun"]].mean(axis=0)
    assert from_sun[name["Earth"]] == pytest.approx(1.0, abs=0.01)
    assert from_sun[name["Mercury"]] == pytest.approx(0.39, abs=0.02)
    assert r[:, name["Earth"], name["Moon"]].mean() * solar_system.AU == pytest.approx(385_000, rel=0.01)
    assert np.abs(np.diff(position, axis=0) - velocity[:-1]).max() < 0.01
