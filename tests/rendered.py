"""Which rendered notebooks the tests execute again: `python tests/rendered.py [--all]` prints them,
relative to the project.

Without `--all`, those of all runs together, every run of spring-2d, of each other system one run, a
different variant each, and the simulations of these systems.
"""

from __future__ import annotations

import sys
from pathlib import Path

OUTPUTS = Path(__file__).resolve().parents[1] / "outputs"
WHOLE = "spring-2d"


def rendered(outputs: Path = OUTPUTS) -> list[Path]:
    """The rendered notebooks to execute, in order."""
    systems = sorted(folder for folder in outputs.iterdir() if folder.is_dir())
    runs = {system: sorted(folder for folder in system.iterdir() if any(folder.glob("[!.]*.ipynb"))) for system in systems}
    others = [system for system in systems if runs[system] and system.name != WHOLE]
    picked = [*runs.get(outputs / WHOLE, []), *(runs[system][k % len(runs[system])] for k, system in enumerate(others))]
    simulated = [notebook for system in systems if runs[system] for notebook in sorted(system.glob("[!.]*.ipynb"))]
    ran = [notebook for run in picked for notebook in sorted(run.glob("[!.]*.ipynb"))]
    return sorted(outputs.glob("[!.]*.ipynb")) + simulated + ran


if __name__ == "__main__":
    named = sorted(OUTPUTS.rglob("[!.]*.ipynb")) if "--all" in sys.argv else rendered()
    print("\n".join(str(path.relative_to(OUTPUTS.parent)) for path in named))
