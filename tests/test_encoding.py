"""How the encoding forms: moments, what is kept of them, and planted gauges."""

import numpy as np
import pytest
from safetensors.torch import load_file

from lib import paths
from lib.errors import InputError
from lib.messages import formation
from lib.messages.formation import SHOWN, Encoding, Formation, moments, shown
from lib.network import training
from lib.network.catalogue import parse_run
from lib.network.recipe import Recipe
from lib.physics import datasets


def test_moments_are_spread_over_the_logarithm_and_end_at_the_end():
    looks = moments(235)
    assert min(looks) == 1 and max(looks) == 235 and 25 < len(looks) <= formation.MOMENTS
    assert sum(k <= 23 for k in looks) > 10


def test_a_training_is_watched_from_its_start_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(training, "ROUND", 20)
    run = parse_run("spring-2d", "l1", 0, "smoke")
    model, _ = training.train(run, Recipe(graphs=64 * 90, batch=64), Formation(run))
    seen = formation.load(paths.encoding(run))
    assert seen.frame()["graphs"].tolist() == [0, *(64 * k for k in (20, 40, 60, 80, 90))]
    # the last look is at the weights that the last round left
    last = load_file(paths.checkpoint(run))
    model.load_state_dict({name: last[f"model.{name}"] for name in model.state_dict()})
    again = Encoding()
    again.look(64 * 90, model, run, datasets.load(run.system, "validation", "smoke").sample(formation.GRAPHS))
    assert again.table[0] == pytest.approx(seen.table[-1], rel=1e-4)
    np.testing.assert_allclose(again.messages[0], seen.messages[-1], rtol=2e-3, atol=1e-3)
    assert all(m.shape == (len(shown(len(m))), 2) for m in seen.messages) and len(seen.messages[0]) == SHOWN


def test_a_damaged_record_is_refused_in_one_line(tmp_path):
    path = tmp_path / "l1-seed0.encoding.npz"
    Encoding([{"graphs": 1.0}], [np.zeros((3, 2), np.float32)], np.ones((3, 2), np.float32)).save(path)
    assert formation.load(path).table == [{"graphs": 1.0}] and (formation.load(path).force == 1).all()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"l1-seed0\.encoding\.npz cannot be read"):
        formation.load(path)
