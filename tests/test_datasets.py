"""Data on disk: whole, checked, made again when damaged, never shared between splits."""

import dataclasses

import numpy as np
import pytest

from lib import paths
from lib.errors import InputError
from lib.files import atomic_write, read_json, write_json
from lib.physics import datasets
from lib.physics.laws import LAWS, even_friction, get_law, neighbours, unit_charges
from lib.runs import System

SPRING = System("spring", 2)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    return tmp_path


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage_edited(path):
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def damage_record(path):
    path.with_suffix(".json").write_text("{not json")


def damage_recipe(path):
    record = read_json(path.with_suffix(".json"))
    write_json(path.with_suffix(".json"), record | {"dt": 0.5})


@pytest.mark.parametrize("damage", [damage_truncated, damage_edited, damage_record, damage_recipe])
def test_damage_is_found_said_and_mended(workspace, caplog, damage):
    good = datasets.load(SPRING, "test", "smoke")
    path = paths.dataset(SPRING, "test", "smoke")
    damage(path)
    again = datasets.load(SPRING, "test", "smoke")
    np.testing.assert_array_equal(again.features, good.features)
    assert "making it again" in caplog.text
    caplog.clear()
    datasets.load(SPRING, "test", "smoke")
    assert not caplog.text


CHANGES = {
    "friction": {"friction": even_friction},
    "offsets": {"offsets": neighbours},
    "fingerprint": {"initial": unit_charges},
    "dt": {"dt": 0.02},
}


@pytest.mark.parametrize("name", CHANGES)
def test_data_of_a_law_that_was_changed_since_are_made_again(workspace, monkeypatch, caplog, name):
    old = datasets.load(SPRING, "test", "smoke")
    monkeypatch.setitem(LAWS, "spring", dataclasses.replace(get_law("spring"), **CHANGES[name]))
    new = datasets.load(SPRING, "test", "smoke")
    (line,) = caplog.messages
    assert "test.npz of spring-2d was made with other " in line and name in line and "making it again" in line
    assert np.abs(new.features - old.features).max() > 1e-3


@pytest.mark.parametrize(("constant", "value"), [("EVERY", 10), ("STEPS", 400), ("TOLERANCE", 1e-6)])
def test_data_of_another_grid_of_times_or_tolerance_are_made_again(workspace, monkeypatch, caplog, constant, value):
    datasets.load(SPRING, "test", "smoke")
    monkeypatch.setattr(datasets, constant, value)
    datasets.load(SPRING, "test", "smoke")
    assert f"with other {constant.lower()}: making it again" in caplog.text


def test_splits_share_no_trajectory(workspace):
    starts = [datasets.load(SPRING, split, "smoke").features[:, 0] for split in ("train", "validation", "test")]
    flat = np.concatenate([s.reshape(len(s), -1) for s in starts])
    assert len(np.unique(flat, axis=0)) == len(flat) == 140


def test_frozen_set_is_the_one_recorded():
    frozen = datasets.frozen(SPRING)
    assert frozen.features.shape == (100, 5, 4, 6)
    assert np.isfinite(frozen.accelerations).all()


def test_unknown_split_names_the_valid_ones():
    with pytest.raises(InputError, match="unknown split 'tset': choose one of train, validation, test"):
        datasets.load(SPRING, "tset", "smoke")


def test_a_file_broken_off_while_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "kept.json"
    write_json(path, {"a": 1})
    with pytest.raises(OSError, match="disk full"), atomic_write(path) as scratch:
        scratch.write_text('{"a": ')
        raise OSError("disk full")
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
