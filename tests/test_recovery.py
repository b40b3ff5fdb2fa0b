"""A batch killed at any stage goes on where it was and ends with the same results, as one does without a network."""

import os
import signal
import time
from pathlib import Path

from engine import batch, finished, without_network

from lib.files import read_json


def results(workspace: Path, folder: str) -> dict[str, bytes]:
    """What a run is judged by, less the seconds it took."""
    found = {path.name: path.read_bytes() for path in (workspace / "outputs" / "spring-2d" / folder).glob("*.[jc]s*")}
    training = read_json(workspace / "outputs" / "spring-2d" / folder / "training.json")
    training.pop("train_seconds")
    weights = (workspace / "model_weights" / "spring-2d" / f"{folder}-seed0.safetensors").read_bytes()
    return found | {"training.json": repr(training).encode(), "weights": weights}


def test_killed_at_any_stage_it_ends_with_the_same_results(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken and resumed"
    whole.mkdir(), broken.mkdir()
    run = ("--retrain", "--only", "spring-2d/reciprocal", "--cores", "1")
    finished(batch(whole, *run, before=without_network()))
    # a sign of each stage being under way or just done
    signs = ["data/spring-2d/train.npz", "model_weights/spring-2d/*.safetensors", "outputs/spring-2d/reciprocal/messages.json"]
    for sign in signs:
        process = batch(broken, *run, start_new_session=True)
        while not any(broken.glob(sign)) and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finished(batch(broken, *run))
    assert results(whole, "reciprocal") == results(broken, "reciprocal")
    assert not list(broken.rglob(".partial-*"))
