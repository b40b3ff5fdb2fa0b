"""Tracking: off by itself, offline with the real package, and never a question for an account."""

import time

import pytest
import wandb

from lib.errors import InputError
from lib.network import tracking
from lib.network.catalogue import parse_run
from lib.network.recipe import Recipe

RUN, RECIPE = parse_run("spring-2d", "l1", 0, "smoke"), Recipe(graphs=64, batch=64)


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_it_is_off_by_itself(workspace):
    with tracking.tracked(RUN, RECIPE, "0a1b2c3d") as track:
        track({"graphs": 64, "validation_loss_per_node": 1.0})
    assert not list(workspace.rglob("*.wandb"))


def test_offline_writes_a_record(workspace, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    with tracking.tracked(RUN, RECIPE, "0a1b2c3d") as track:
        track({"graphs": 64, "validation_loss_per_node": 1.25})
    wandb.teardown()  # its service writes the record out at its own end, which on a busy machine comes later
    (record,) = workspace.rglob("*.wandb")
    assert b"validation_loss_per_node" in record.read_bytes()


def test_a_resumed_training_is_the_same_run(workspace, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for graphs in (64, 128):
        with tracking.tracked(RUN, RECIPE, "0a1b2c3d") as track:
            track({"graphs": graphs})
        wandb.teardown()
        time.sleep(1.1)  # its folders are named by the second
    assert [record.name for record in workspace.rglob("*.wandb")] == ["run-0a1b2c3d.wandb"] * 2


def test_online_without_an_account_ends_in_one_line(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(InputError, match="WANDB_MODE = online needs WANDB_API_KEY"):
        tracking.mode()


def test_an_unknown_mode_ends_in_one_line(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "verbose")
    with pytest.raises(InputError, match="WANDB_MODE = verbose: choose one of disabled, offline, online"):
        tracking.mode()
