"""Maps of what is announced under noise: what is measured, and cells that are filled once."""

import numpy as np
import pytest

from lib.report import noise_maps
from lib.report.noise_maps import Cell, fill, measured, read


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(noise_maps, "TRAJECTORIES", (2, 4))
    monkeypatch.setattr(noise_maps, "FOLLOWED", 4)
    noise_maps.simulated.cache_clear()
    yield
    noise_maps.simulated.cache_clear()


def test_noise_is_on_what_is_measured_and_nothing_else():
    exact, noisy = (measured(Cell("spring-2d", "accelerations", noise, 4, 20)) for noise in (0.0, 0.1))
    for one, other in zip(exact.experiments, noisy.experiments, strict=True):
        np.testing.assert_array_equal(one.position, other.position)
        assert (one.acceleration != other.acceleration).all()
    rates = np.stack([one.acceleration for one in exact.experiments])
    left = np.stack([one.acceleration for one in noisy.experiments]) - rates
    assert left.std() == pytest.approx(0.1 * np.median(np.linalg.norm(rates, axis=-1)), rel=0.2)


def test_of_positions_nothing_else_is_told():
    found = measured(Cell("charge-2d", "positions", 1e-3, 4, 2))
    assert len(found.experiments) == 4
    for one in found.experiments:
        assert one.velocity is None and one.acceleration is None
        assert len(one.time) == len(one.position) == 50
        assert set(one.properties) == {"mass", "charge"}


def test_a_cell_is_filled_once(tmp_path, monkeypatch):
    wanted = [Cell("spring-2d", "accelerations", noise, 2, 20) for noise in (0.0, 0.05)]
    asked = []

    def judged(cell):
        asked.append(cell)
        return (
            dict.fromkeys(noise_maps.COLUMNS, "") | dict(zip(noise_maps.COLUMNS, cell.key, strict=False)) | {"outcome": "right"}
        )

    monkeypatch.setattr(noise_maps, "judged", judged)
    path = tmp_path / "maps.csv"
    assert len(list(fill(path, wanted[:1]))) == 1
    assert len(list(fill(path, wanted))) == 1
    assert asked == wanted
    assert list(read(path)["noise"]) == [0.0, 0.05]


def test_short_profiles_fill_a_few_cells_of_the_same_map():
    short, whole = noise_maps.cells("smoke"), noise_maps.cells("full")
    assert 0 < len(short) < 5 and {one.system for one in short} < {one.system for one in whole}
