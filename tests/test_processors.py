"""The share of processors that a job may use, and that its threads keep to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib import processors
from lib.paths import ROOT


@pytest.fixture(autouse=True)
def four_allowed(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)


@pytest.mark.parametrize(
    ("share", "found"), [("1", 1), ("3", 3), ("64", 4), ("2,1", 2), ("", 4), ("0", 4), ("-1", 4), ("many", 4), (None, 4)]
)
def test_the_share_is_what_is_set_within_what_is_allowed(monkeypatch, share, found):
    monkeypatch.delenv(processors.SHARE, raising=False)
    if share is not None:
        monkeypatch.setenv(processors.SHARE, share)
    assert processors.processors() == found


COUNT = """
import os, threading
import numpy as np
import lib.processors
lib.processors.allowed = lambda: 8
from lib.physics import integrate, simulate

started = set()
inner = integrate._integrate
def counted(*arguments):
    started.add(threading.get_ident())
    inner(*arguments)
integrate._integrate = counted
times = simulate.snapshot_times("spring")[:5]
simulate.simulate("spring", simulate.initial_bodies("spring", 640, 4, 2, 0), times)

def name_of(task):
    try:
        return open(f"/proc/self/task/{task}/comm").read().strip()
    except OSError:  # it ended since it was listed
        return ""

names = list(map(name_of, os.listdir("/proc/self/task")))
print(len(started), names.count("tf_XLAEigen"))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed by Linux alone")
@pytest.mark.parametrize("share", [1, 3])
def test_a_simulation_keeps_to_its_share(share):
    environment = os.environ | {processors.SHARE: str(share), "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=True)
    integrating, compiled = map(int, found.stdout.split())
    assert integrating <= share and compiled <= share
    assert share == 1 or integrating > 1
