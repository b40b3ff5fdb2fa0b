"""Kernels: what a user has set elsewhere does not reach them, and their threads stay within the job's share."""

import ast
import os

import nbformat
import pytest

from lib.pipeline.execute import run_notebook

CELL = """
from pathlib import Path
import jax, matplotlib, numpy, torch
import matplotlib.pyplot as plt
from threadpoolctl import threadpool_info

jax.numpy.ones(9).sum().block_until_ready()
tasks = [(task / "comm").read_text() for task in Path("/proc/self/task").glob("*")]
print({
    "startup file": "planted" in globals(),
    "matplotlib": (matplotlib.get_backend(), plt.rcParams["text.usetex"]),
    "jax": (jax.default_backend(), jax.config.jax_debug_nans),
    "threads": [torch.get_num_threads(), sum("XLA" in name for name in tasks), *(p["num_threads"] for p in threadpool_info())],
})
"""
SETTINGS = {
    "files of the home folder": {"HOME": "{home}", "XDG_CONFIG_HOME": "{home}/.config"},
    "matplotlib's settings": {"MATPLOTLIBRC": "{home}/.config/matplotlib/matplotlibrc"},
    "matplotlib's backend": {"MPLBACKEND": "module://of_another_program"},
    "Python's startup file": {"PYTHONSTARTUP": "{home}/.ipython/profile_default/startup/first.py"},
    "jax's device": {"JAX_PLATFORMS": "cuda"},
    "jax's checks": {"JAX_DEBUG_NANS": "1"},
    "threads": dict.fromkeys(("NPROC", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "64"),
}


def printed(folder):
    """What a kernel prints of its own settings."""
    source, target = folder / "cell.ipynb", folder / "executed.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)]), source)
    run_notebook(source, target, {}, folder)
    return ast.literal_eval(nbformat.read(target, 4).cells[-1].outputs[-1].text)


@pytest.fixture
def home(tmp_path):
    """A home folder with labels set by LaTeX and a startup file of IPython."""
    files = {
        ".config/matplotlib/matplotlibrc": "text.usetex: True\n",
        ".ipython/profile_default/startup/first.py": "planted = 1\n",
    }
    for name, text in files.items():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "home"


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_a_user_has_set_elsewhere_does_not_reach_a_kernel(setting, home, tmp_path, monkeypatch):
    for name, value in SETTINGS[setting].items():
        monkeypatch.setenv(name, value.format(home=home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = dict(os.environ)
    found = printed(tmp_path)
    assert max(found.pop("threads")) == 1
    assert found == {
        "startup file": False,
        "matplotlib": ("module://matplotlib_inline.backend_inline", False),
        "jax": ("cpu", False),
    }
    assert dict(os.environ) == before
