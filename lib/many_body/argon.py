"""Dense argon, liquid to supercritical: 258 Lennard-Jones atoms in a periodic box, and the inputs of networks.

V(r) = 4 epsilon [(sigma / r)^12 - (sigma / r)^6] up to the cutoff; lengths in Angstrom, energies in kJ/mol.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from lib import paths
from lib.cache import Arrays, Record, load_or_make
from lib.errors import InputError
from lib.many_body.problems import NeighbourhoodProblem
from lib.network.catalogue import LARGER
from lib.network.neighbourhoods import Draw, Neighbourhoods
from lib.profiles import get_profile

EPSILON = 0.99607
"""kJ/mol, 119.8 K times Boltzmann's constant."""
SIGMA = 3.405
"""Angstrom."""
CUTOFF = 10.0
"""Angstrom; pairs further apart do not act on each other."""
MASS = 39.948
"""u."""
ATOMS = 258
STEP = 2e-3
"""Time step, ps."""
FRICTION = 1.0
"""Collision frequency of the Nose-Hoover chain, 1/ps."""
BETWEEN = 250
"""Steps between two frames: half a picosecond, in which neighbours change."""


@dataclass(frozen=True)
class State:
    """A temperature and a density."""

    temperature: float
    """K."""
    box: float = 27.27
    """Edge of the periodic cube, Angstrom."""

    def __str__(self) -> str:
        return f"{self.temperature:g} K, {self.box:g} A"


TRAINING = tuple(State(temperature, box) for box in (26.0, 27.27, 29.0) for temperature in (150.0, 200.0, 250.0))
"""States that are learned from."""
BEYOND = (State(100.0, 23.6), State(400.0), State(200.0, 24.5), State(200.0, 33.0))
"""A cold liquid, and hotter, denser and thinner than any of them."""


@dataclass(frozen=True)
class Liquid:
    """Snapshots of several states."""

    states: tuple[State, ...]
    positions: np.ndarray
    """[states, frames, atoms, 3], float32, Angstrom, in the box."""
    forces: np.ndarray
    """[states, frames, atoms, 3], float32, kJ/mol/Angstrom, the net force on each atom."""

    @property
    def boxes(self) -> np.ndarray:
        """[states], Angstrom."""
        return np.array([state.box for state in self.states], np.float32)


def separations(positions: np.ndarray, others: np.ndarray, box: float) -> np.ndarray:
    """x1 - x2 of positions [..., 3] to the nearest image of others [..., 3] in a periodic cube."""
    separation = positions - others
    return separation - box * np.round(separation / box)


def energy(r: np.ndarray, epsilon: float = EPSILON, sigma: float = SIGMA) -> np.ndarray:
    """Pair potential at distances r."""
    return 4 * epsilon * ((sigma / r) ** 12 - (sigma / r) ** 6)


def radial_force(r: np.ndarray, epsilon: float = EPSILON, sigma: float = SIGMA) -> np.ndarray:
    """F(r) = -dV/dr, positive where atoms repel each other."""
    return 24 * epsilon / r * (2 * (sigma / r) ** 12 - (sigma / r) ** 6)


def pair_force(separation: np.ndarray) -> np.ndarray:
    """Force [..., 3] on the receiver of separations [..., 3]; none beyond the cutoff."""
    r = np.linalg.norm(separation, axis=-1, keepdims=True)
    return np.where(r < CUTOFF, radial_force(r) / r, 0.0) * separation


def net_forces(positions: np.ndarray, box: float) -> np.ndarray:
    """Net force on each atom [frames, atoms, 3] of positions [frames, atoms, 3], in float64."""
    forces = np.empty(positions.shape)
    for frame, x in enumerate(positions.astype(float)):
        pairs = separations(x[:, None], x[None], box)
        pairs[np.diag_indices(len(x))] = 2 * CUTOFF
        forces[frame] = pair_force(pairs).sum(axis=1)
    return forces


def simulate(state: State, frames: int, settling: int, seed: int = 0) -> np.ndarray:
    """Positions [frames, atoms, 3] of a state at constant temperature (Nose-Hoover), after so many steps, `BETWEEN` apart.

    Raises `InputError` where OpenMM is missing.
    """
    try:
        import openmm
    except ImportError:
        raise InputError("argon is simulated by OpenMM, which is missing: pip install openmm") from None
    angstrom, length = 0.1, state.box * 0.1  # OpenMM's unit is the nanometre
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors((length, 0, 0), (0, length, 0), (0, 0, length))
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(CUTOFF * angstrom)
    for _ in range(ATOMS):
        system.addParticle(MASS)
        force.addParticle(0.0, SIGMA * angstrom, EPSILON)
    system.addForce(force)
    thermostat = openmm.NoseHooverIntegrator(state.temperature, FRICTION, STEP)
    # one thread: with more, sums of forces differ from run to run
    context = openmm.Context(system, thermostat, openmm.Platform.getPlatformByName("CPU"), {"Threads": "1"})
    sites = 1 + int(np.ceil(ATOMS ** (1 / 3)))
    lattice = (np.indices((sites,) * 3).reshape(3, -1).T + 0.5) * length / sites
    context.setPositions(np.random.default_rng(seed).permutation(lattice)[:ATOMS])
    openmm.LocalEnergyMinimizer.minimize(context)
    context.setVelocitiesToTemperature(state.temperature, seed + 1)
    thermostat.step(settling)
    snapshots = np.empty((frames, ATOMS, 3), np.float32)
    for frame in range(frames):
        thermostat.step(BETWEEN)
        positions = context.getState(positions=True).getPositions(asNumpy=True)
        snapshots[frame] = positions.value_in_unit(openmm.unit.angstrom)
    return snapshots % np.float32(state.box)


def make(states: tuple[State, ...], frames: int, settling: int, seed: int) -> Liquid:
    """`frames` snapshots of each state, with their forces; no two states share a seed."""
    positions = [
        simulate(state, frames, settling, 1_000 * seed + k) for k, state in enumerate(tqdm(states, unit="state", disable=None))
    ]
    forces = [net_forces(x, state.box) for x, state in zip(positions, states, strict=True)]
    return Liquid(states, np.stack(positions), np.stack(forces).astype(np.float32))


SPLITS = {"train": (TRAINING, 0), "validation": (TRAINING, 1), "test": (TRAINING, 2), "beyond": (BEYOND, 3)}
"""States and seed of each split."""


def wanted(split: str, profile: str) -> Record:
    """How the liquid of a split is made."""
    states, seed = SPLITS[split]
    budget = get_profile(profile)
    return {
        "states": [str(state) for state in states],
        "frames": max(1, budget.trajectories.get(split, budget.trajectories["test"]) // 100),
        "seed": seed,
        "epsilon": EPSILON,
        "sigma": SIGMA,
        "cutoff": CUTOFF,
        "mass": MASS,
        "atoms": ATOMS,
        "step": STEP,
        "friction": FRICTION,
        "settling": budget.settling,
        "between": BETWEEN,
    }


def load(split: str, profile: str = "full") -> Liquid:
    """The liquid of a split, simulated first if it is not on disk as it should be."""
    (states, seed), record = SPLITS[split], wanted(split, profile)

    def made() -> tuple[Arrays, Record]:
        liquid = make(states, record["frames"], record["settling"], seed)
        return {"positions": liquid.positions, "forces": liquid.forces}, {}

    arrays, _ = load_or_make(paths.workspace(profile) / "data" / "argon" / f"{split}.npz", record, made)
    return Liquid(states, **arrays)


def neighbourhoods(liquid: Liquid, state: np.ndarray, frame: np.ndarray, atom: np.ndarray) -> Neighbourhoods:
    """The atoms of indices [atoms], each with its separations from all others within the cutoff."""
    atoms = liquid.positions[state, frame]
    rows = np.arange(len(atom))
    pairs = separations(atoms[rows, atom][:, None], atoms, liquid.boxes[state, None, None])
    r = np.linalg.norm(pairs, axis=-1)
    r[rows, atom] = np.inf
    receiver, sender = np.nonzero(r < CUTOFF)
    return Neighbourhoods(
        torch.zeros(len(atom), 0),
        torch.as_tensor(pairs[receiver, sender]),
        torch.as_tensor(receiver),
        torch.as_tensor(liquid.forces[state, frame, atom]),
    )


def sample(liquid: Liquid, rng: np.random.Generator, count: int) -> Neighbourhoods:
    """`count` atoms drawn uniformly from all states and frames."""
    return neighbourhoods(liquid, *rng.integers(0, np.array(liquid.positions.shape[:3])[:, None], (3, count)))


def draws(split: str, profile: str) -> Draw:
    """Draws atoms of a split."""
    liquid = load(split, profile)
    return lambda rng, count: sample(liquid, rng, count)


PROBLEM = NeighbourhoodProblem(
    LARGER["8_argon"].system,
    features=0,
    edge_features=3,
    outputs=3,
    channels=3,
    budget_fraction=1 / 6,
    reverse=torch.neg,
    draws=draws,
    wanted=wanted,
)
"""Net forces from the separations of neighbours."""


def radial_distribution(positions: np.ndarray, box: float, bins: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Centres of distance bins up to half the box, and g(r) in them of atoms [frames, atoms, 3]."""
    edges = np.linspace(0, box / 2, bins + 1)
    one, other = np.triu_indices(positions.shape[1], 1)
    counts = np.zeros(bins)
    for x in positions:
        counts += np.histogram(np.linalg.norm(separations(x[one], x[other], box), axis=-1), edges)[0]
    expected = 4 / 3 * np.pi * np.diff(edges**3) / box**3 * len(one) * len(positions)
    return (edges[1:] + edges[:-1]) / 2, counts / expected
