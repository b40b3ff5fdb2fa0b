"""Where everything lies; nothing depends on the working directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lib.profiles import get_profile

if TYPE_CHECKING:
    from lib.runs import Run, System

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "data" / "reference.csv"
"""Published figures: source, metric, system, variant, value, note."""
CALLED_FROM = "CALLED_FROM"
"""The variable by which the scripts hand on the folder in which the user called them."""


def shown(path: Path) -> str:
    """A path as a user types it: relative to the folder in which they gave the command."""
    return os.path.relpath(path, os.environ.get(CALLED_FROM) or Path.cwd())


def workspace(profile: str) -> Path:
    """Root of what a profile reads and writes; the variable WORKSPACE moves it elsewhere, as tests do (a relative
    path begins at the project's root)."""
    return (ROOT / (os.environ.get("WORKSPACE") or get_profile(profile).folder)).resolve()


def dataset(system: System, split: str, profile: str) -> Path:
    """Trajectories of a split."""
    return workspace(profile) / "data" / str(system) / f"{split}.npz"


def frozen_set(system: System) -> Path:
    """The small tracked test set, the same on every machine."""
    return ROOT / "data" / "frozen" / f"{system}.npz"


def weights(run: Run) -> Path:
    """Trained weights; their card is the same name with .json."""
    return workspace(run.profile) / "model_weights" / str(run.system) / f"{run.variant}-seed{run.seed}.safetensors"


def encoding(run: Run) -> Path:
    """How the run's encoding formed while it was trained."""
    return weights(run).with_suffix(".encoding.npz")


def checkpoint(run: Run) -> Path:
    """A training under way, or its end, from which weights lost on the way can be written again."""
    return workspace(run.profile) / "build" / "checkpoints" / str(run.system) / f"{run.folder}.safetensors"


def found_workers(profile: str) -> Path:
    """By how many workers trainings were fastest on this machine; never tracked."""
    return workspace(profile) / "build" / "workers.json"


def trained_mark(run: Run) -> Path:
    """Written when a training ends; never tracked, it tells weights trained here from the released ones."""
    return checkpoint(run).with_suffix(".trained")


def made_mark(job: str, profile: str) -> Path:
    """Written when a job ends; never tracked, it tells what was made here from what a checkout brings along."""
    return workspace(profile) / "build" / "made" / job


def outputs_of_system(system: System, profile: str) -> Path:
    """Folder of a system's rendered simulation, and of its runs."""
    return workspace(profile) / "outputs" / str(system)


def outputs(run: Run) -> Path:
    """Folder of a run's rendered notebooks and results."""
    return outputs_of_system(run.system, run.profile) / run.folder


def without_network(profile: str) -> Path:
    """What searches on raw inputs found, a row a system: the control of the appendix."""
    return workspace(profile) / "outputs" / "without_network.csv"


def outputs_of_data(name: str, profile: str) -> Path:
    """Folder of a user's data set: its rendered notebook and the record of its law."""
    return workspace(profile) / "outputs" / "data" / name


def of_user(path: str, profile: str) -> Path:
    """A file that a notebook is told of: as the path says, or from the workspace or the project's root on."""
    places = [place / path for place in (Path(), workspace(profile), ROOT)]
    return next((place for place in places if place.exists()), Path(path))


def results(profile: str) -> Path:
    """The table of all runs, one row a run."""
    return workspace(profile) / "outputs" / "results.csv"


def noise_maps(profile: str) -> Path:
    """The table of what is announced under noise, one row a measurement."""
    return workspace(profile) / "outputs" / "noise_maps.csv"
