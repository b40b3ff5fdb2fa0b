"""Planted snapshots: bodies on straight paths with the rates that a law gives them; nothing is integrated."""

from dataclasses import replace

import numpy as np

from lib.distillation.expressions import parse
from lib.selection.evidence import Evidence
from lib.selection.law import Law, body_names, pair_names
from lib.selection.motion import Motion

GIVEN = ["mass", "charge"]


def law(radial, transverse="0", single=(), dim=2, **kinds):
    """A law of texts."""
    pair, body = pair_names(GIVEN), body_names(dim, GIVEN)
    return Law(dim, parse(radial, pair), parse(transverse, pair), tuple(parse(one, body) for one in single), **kinds)


TIMES, STEP = 10, 0.15


def motion(count=400, n=4, dim=2, seed=0, mass=None, charge=None):
    """So many snapshots of n bodies, `TIMES` on each straight path."""
    rng, paths = np.random.default_rng(seed), count // TIMES
    mass = np.exp(0.7 * rng.standard_normal((paths, n))) if mass is None else np.tile(mass, (paths, 1))
    charge = rng.standard_normal((paths, n)) if charge is None else np.tile(charge, (paths, 1))
    start, velocity = 1.5 * rng.standard_normal((2, paths, 1, n, dim))
    position = start + velocity * STEP * np.arange(TIMES)[:, None, None]
    velocity = np.broadcast_to(velocity, position.shape)
    each = {"mass": mass.repeat(TIMES, axis=0), "charge": charge.repeat(TIMES, axis=0)}
    number = np.arange(paths).repeat(TIMES)
    return Motion.of_arrays(position.reshape(-1, n, dim), velocity.reshape(-1, n, dim), each, number)


def evidence(of, found, noise=0.0, given=GIVEN, seed=1, extra=0.0):
    """Rates of a law with white noise in units of their median size, of which only these properties are given."""
    rates = of.rates(found) + extra
    size = np.median(np.linalg.norm(rates, axis=1))
    rates = rates + noise * size * np.random.default_rng(seed).standard_normal(rates.shape)
    known = replace(found, properties={name: found.properties[name] for name in given})
    return Evidence.of_rates(known, rates, found.trajectory, of.order)
