"""Which rendered notebooks the tests execute again: `python tests/rendered.py [--all]` prints them,
relative to the project.

Without `--all`, those of all runs together, every run of spring-2d, of each other system of the paper
one run, a different variant each, and the simulations of these systems. The demo, which trains, and the
larger systems, whose liquids are simulated anew, take ten minutes together: the smoke profile tests them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lib.network.catalogue import LARGER
from lib.network.variants import VARIANTS

OUTPUTS = Path(__file__).resolve().parents[1] / "outputs"
WHOLE = "spring-2d"


def rendered(outputs: Path = OUTPUTS) -> list[Path]:
    """The rendered notebooks to execute, in order."""

    def notebooks(folder: Path) -> list[Path]:
        return sorted(path for path in folder.glob("[!.]*.ipynb") if path.stem not in {"0_demo", *LARGER})

    systems = sorted(folder for folder in outputs.iterdir() if folder.is_dir())
    runs = {system: sorted(folder for folder in system.iterdir() if notebooks(folder)) for system in systems}
    core = {system: [folder for folder in runs[system] if folder.name in VARIANTS] for system in systems}
    others = [system for system in systems if core[system] and system.name != WHOLE]
    picked = [*runs.get(outputs / WHOLE, []), *(core[system][k % len(core[system])] for k, system in enumerate(others))]
    simulated = [notebook for system in systems if runs[system] for notebook in notebooks(system)]
    return notebooks(outputs) + simulated + [notebook for run in picked for notebook in notebooks(run)]


if __name__ == "__main__":
    named = sorted(OUTPUTS.rglob("[!.]*.ipynb")) if "--all" in sys.argv else rendered()
    print("\n".join(str(path.relative_to(OUTPUTS.parent)) for path in named))
