"""Arrays made once: read as they are, made again where damaged or made otherwise."""

import multiprocessing
import time

import numpy as np
import pytest

from lib.cache import differing, load_or_make

WANTED = {"law": "spring", "dt": 0.01, "offsets": (1, 2), "field": None}


@pytest.fixture
def load(tmp_path):
    """load(wanted): the array, which counts how often it was made."""
    made = []

    def make():
        made.append(True)
        return {"x": np.full(3, len(made))}, {"trajectories": 3}

    return lambda wanted=WANTED: load_or_make(tmp_path / "system" / "train.npz", wanted, make)


def test_what_is_on_disk_is_read(load, caplog):
    first, record = load()
    again, read = load()
    np.testing.assert_array_equal(first["x"], again["x"])
    assert record["trajectories"] == 3 and record["sha256"] == read["sha256"] and not caplog.text


@pytest.mark.parametrize("change", [{"dt": 0.02}, {"offsets": (1,)}, {"friction": [0.5]}], ids=str)
def test_what_was_made_otherwise_is_made_again_and_said(load, caplog, change):
    load()
    arrays, record = load(WANTED | change)
    assert (arrays["x"] == 2).all() and not differing(record, WANTED | change)
    assert f"train.npz of system was made with other {next(iter(change))}: making it again" in caplog.text


def test_what_is_damaged_is_made_again_and_said(load, tmp_path, caplog):
    load()
    path = tmp_path / "system" / "train.npz"
    path.write_bytes(path.read_bytes()[:-10])
    assert (load()[0]["x"] == 2).all() and "making it again" in caplog.text
    path.with_suffix(".json").write_text("{not json")
    assert (load()[0]["x"] == 3).all()


def _slow(folder):
    def make():
        with (folder / "made").open("a") as log:
            log.write("x")
        time.sleep(0.5)
        return {"x": np.ones(3)}, {}

    load_or_make(folder / "train.npz", WANTED, make)


def test_one_process_makes_what_several_want(tmp_path):
    workers = [multiprocessing.get_context("fork").Process(target=_slow, args=(tmp_path,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (tmp_path / "made").read_text() == "x"
