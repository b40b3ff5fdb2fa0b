"""Adding an engine is one entry: one that offers two candidates, registered here, goes through a regression to a front."""

import numpy as np
import pytest

from lib.distillation.engines import ENGINES, Found, Task, get_engine
from lib.distillation.regression import regress
from lib.errors import InputError


def two_candidates(task: Task) -> Found:
    """The mean, and a line in dx/r."""
    slope, offset = np.polyfit(task.x[:, 0] / task.x[:, 1], task.y, 1)
    return Found([repr(float(task.y.mean())), f"{float(slope)!r}*dx/r + ({float(offset)!r})"], 2)


def test_an_engine_registered_at_run_time_is_searched_with(monkeypatch):
    with pytest.raises(InputError, match="unknown engine 'two'"):
        get_engine("two")
    monkeypatch.setitem(ENGINES, "two", (two_candidates, "numpy"))
    x = np.random.default_rng(0).uniform(0.5, 2.0, (200, 2))
    (front,) = regress(x, (1.5 * x[:, 0] / x[:, 1] - 0.25)[:, None], ["dx", "r"], evaluations=100, engine="two")
    assert front.engine == f"two {np.__version__}"
    assert len(front.table) == 2 and front.table["loss"].iloc[0] == pytest.approx(1, abs=1e-3)
    assert front.table["loss"].iloc[1] < 1e-12 and front.table["expression"].iloc[1] == "1.5*dx/r - 0.25"
