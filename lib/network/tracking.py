"""Trainings logged to Weights & Biases: off unless its own variable WANDB_MODE says `offline` or `online`."""

from __future__ import annotations

import netrc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from lib import paths
from lib.errors import InputError
from lib.network.recipe import Recipe
from lib.runs import Run

MODES = ("disabled", "offline", "online")
HOST = "api.wandb.ai"
PROJECT = "force-laws"

Log = Callable[[dict[str, float]], None]


def mode() -> str:
    """The mode that WANDB_MODE asks for; `InputError` if it is unknown, or needs an account and there is none."""
    wanted = os.environ.get("WANDB_MODE", "disabled")
    if wanted not in MODES:
        raise InputError(f"WANDB_MODE = {wanted}: choose one of {', '.join(MODES)}")
    if wanted == "online" and not (os.environ.get("WANDB_API_KEY") or _logged_in()):
        raise InputError("WANDB_MODE = online needs WANDB_API_KEY or a login made before: choose offline")
    return wanted


def _logged_in() -> bool:
    try:
        return netrc.netrc().authenticators(HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False


@contextmanager
def tracked(run: Run, recipe: Recipe, identifier: str) -> Iterator[Log]:
    """A function that logs a round's figures, to where WANDB_MODE says; a training that is resumed keeps its identifier."""
    chosen = mode()
    if chosen == "disabled":
        yield lambda figures: None
        return
    import wandb  # an optional part, and slow to import

    folder = paths.workspace(run.profile) / "build"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"seed": run.seed} | asdict(recipe)
    # resumed where the account knows the identifier; offline records of one identifier are one run once they are synced
    resume = "allow" if chosen == "online" else None
    with wandb.init(
        project=PROJECT, name=str(run), mode=chosen, dir=folder, config=settings, id=identifier, resume=resume
    ) as session:
        yield lambda figures: session.log(figures, step=int(figures["graphs"]))
