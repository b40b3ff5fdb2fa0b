"""Halos: the synthetic catalogue, the planted formula, and catalogues in the form of Quijote's."""

import numpy as np
import pytest

from lib.errors import InputError
from lib.many_body import halos


@pytest.fixture(scope="module")
def catalogue():
    return halos.lognormal(0, box=150.0, cells=32)


def test_a_seed_decides_a_catalogue_of_the_density_asked_for(catalogue):
    again, other = halos.lognormal(0, box=150.0, cells=32), halos.lognormal(1, box=150.0, cells=32)
    np.testing.assert_array_equal(catalogue.positions, again.positions)
    np.testing.assert_array_equal(catalogue.masses, again.masses)
    assert len(other.masses) != len(catalogue.masses)
    counts = [len(halos.lognormal(seed, box=150.0, cells=32).masses) for seed in range(8)]
    assert np.mean(counts) == pytest.approx(halos.DENSITY * 150**3, rel=0.1)
    assert (catalogue.positions >= 0).all() and (catalogue.positions < 150).all() and (catalogue.masses > 0).all()


def test_halos_crowd_and_fall_together(catalogue):
    everyone = np.arange(len(catalogue.masses))
    receiver, sender = halos.pairs(catalogue, everyone, 8.0)
    by_chance = len(everyone) ** 2 * 4 / 3 * np.pi * 8.0**3 / catalogue.box**3
    assert len(receiver) > 1.5 * by_chance
    receiver, sender = halos.pairs(catalogue, everyone, 30.0)
    separation = halos.separations(catalogue, receiver, sender)
    moving = catalogue.velocities[receiver] - catalogue.velocities[sender]
    assert (separation * moving).sum(axis=1).mean() < 0


def test_pairs_are_those_of_nearest_images(catalogue):
    some = np.arange(40)
    row, sender = halos.pairs(catalogue, some, 20.0)
    separation = catalogue.positions[some][:, None] - catalogue.positions[None]
    separation -= catalogue.box * np.round(separation / catalogue.box)
    near = np.linalg.norm(separation, axis=-1) < 20.0
    near[some, some] = False
    assert set(zip(row.tolist(), sender.tolist(), strict=True)) == set(
        zip(*map(np.ndarray.tolist, np.nonzero(near)), strict=True)
    )
    assert np.linalg.norm(halos.separations(catalogue, some[row], sender), axis=1).max() < 20.0


def test_the_planted_formula_agrees_with_its_loops(catalogue):
    delta = halos.overdensity(catalogue)
    c1, c2, c3, c4, c5, c6, c7, c8, c9 = halos.CONSTANTS
    for i in (0, 17, 300):
        e = 0.0
        for j in range(len(catalogue.masses)):
            r = np.linalg.norm(halos.separations(catalogue, np.array([i]), np.array([j])))
            if j != i and r < halos.REACH:
                e += (c5 + c6 * catalogue.masses[j]) / (c7 + (c8 * r) ** c9)
        assert delta[i] == pytest.approx(c1 + e / (c2 + c3 * e + c4 * catalogue.masses[i]))


def test_neighbourhoods_hold_what_the_formula_needs(catalogue):
    delta, some = halos.overdensity(catalogue), np.array([5, 99, 250])
    seen = halos.neighbourhoods(catalogue, delta, some)
    pair = halos.HaloEdges(seen.edges)
    r, mass = pair.separation.norm(dim=1).numpy(), pair.m2.numpy()
    e = np.bincount(seen.index.numpy(), halos.contribution(r, mass), len(some))
    c1, c2, c3, c4, *_ = halos.CONSTANTS
    found = c1 + e / (c2 + c3 * e + c4 * seen.receivers[:, 0].numpy())
    np.testing.assert_allclose(found, seen.targets[:, 0], rtol=1e-4)
    np.testing.assert_allclose(pair.m1, seen.receivers[seen.index, 0])


def write_fof(folder, counts, rng):
    """Files in the form of Quijote's, and what is in them."""
    folder.mkdir()
    written = []
    for number, count in enumerate(counts):
        mass, position, velocity = rng.random(count), 1e6 * rng.random((count, 3)), rng.standard_normal((count, 3))
        header = np.array([count, sum(counts), 0], "<i4").tobytes() + np.array([0], "<u8").tobytes()
        header += np.array([len(counts)], "<u4").tobytes()
        arrays = [np.zeros((count, 2), "<i4"), mass, position, velocity, np.zeros((count, 12))]
        body = b"".join(array.astype("<f4").tobytes() if array.dtype != "<i4" else array.tobytes() for array in arrays)
        (folder / f"group_tab_004.{number}").write_bytes(header + body)
        written.append((position, velocity, mass))
    return [np.concatenate(column) for column in zip(*written, strict=True)]


def test_quijotes_catalogues_are_read_from_all_their_files(tmp_path):
    position, velocity, mass = write_fof(tmp_path / "groups_004", [7, 0, 5], np.random.default_rng(0))
    found = halos.read_fof(tmp_path / "groups_004", 1_000.0)
    np.testing.assert_allclose(found.positions, position / 1e3, rtol=1e-5)
    np.testing.assert_allclose(found.velocities, velocity, rtol=1e-5)
    np.testing.assert_allclose(found.masses, mass / 1e4, rtol=1e-5)
    earlier = halos.read_fof(tmp_path / "groups_004", 1_000.0, redshift=1.0)
    np.testing.assert_allclose(earlier.velocities, 2 * velocity, rtol=1e-5)


def test_what_is_no_catalogue_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "groups_004"
    with pytest.raises(InputError, match=r"groups_004/group_tab_004\.0 is no group catalogue"):
        halos.read_fof(folder, 1_000.0)
    write_fof(folder, [7, 5], np.random.default_rng(0))
    whole = (folder / "group_tab_004.1").read_bytes()
    for damaged in (whole[:-4], whole[:10], b""):
        (folder / "group_tab_004.1").write_bytes(damaged)
        with pytest.raises(InputError, match=r"group_tab_004\.1 is no group catalogue") as raised:
            halos.read_fof(folder, 1_000.0)
        assert len(str(raised.value).splitlines()) == 1
