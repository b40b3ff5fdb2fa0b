"""Which rendered notebooks the tests execute again: `python tests/rendered.py [--all]` prints them,
relative to the project.

Without `--all` a sample: those of all runs together; one run of each variant, all on different systems, with the search
of the first half; the simulations of these, and one of each further law; and the energies of one Hamiltonian network.
Weights, verdicts and closed forms of every run are tested without its notebooks (`test_released.py`), and so is the search
(`test_regression.py`), which takes minutes a run. The demo, which trains, and the larger systems, whose
liquids are simulated anew, take ten minutes together: the smoke profile tests them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lib.network.catalogue import LARGER
from lib.network.variants import VARIANTS
from lib.physics.systems import parse_system
from lib.pipeline.stages import EXAMPLE
from lib.report.tables import DATA

OUTPUTS = Path(__file__).resolve().parents[1] / "outputs"


def sample(outputs: Path = OUTPUTS) -> list[Path]:
    """The rendered notebooks to execute without `--all`, in order."""

    def notebooks(folder: Path) -> list[Path]:
        return sorted(path for path in folder.glob("[!.]*.ipynb") if path.stem not in {"0_demo", *LARGER})

    systems = sorted(path.parent for path in outputs.glob("*/1_simulate.ipynb"))
    with_runs = [system for system in systems if any(notebooks(system / variant) for variant in VARIANTS)]
    # every third system, round and round: consecutive ones share their law
    runs = [with_runs[3 * k % len(with_runs)] / variant for k, variant in enumerate(VARIANTS)]
    drawn = [run.parent for run in runs]
    seen = {parse_system(system.name).law for system in drawn}
    further = {law: system for system in systems if (law := parse_system(system.name).law) not in seen}
    energies = sorted(outputs.rglob("7_hamiltonian.ipynb"))[:1]
    searched = [run / "4_symbolic_regression.ipynb" for run in runs[len(runs) // 2 :]]
    chosen = [path for folder in (outputs, *drawn, *further.values(), *runs) for path in notebooks(folder)] + energies
    return [path for path in chosen if path not in searched]


def everything(outputs: Path = OUTPUTS) -> list[Path]:
    """All rendered notebooks but those of files that a user has and the project has not."""
    return sorted(path for path in outputs.rglob("[!.]*.ipynb") if path.stem != DATA or path.parent.name == EXAMPLE.stem)


if __name__ == "__main__":
    named = everything() if "--all" in sys.argv else sample()
    print("\n".join(str(path.relative_to(OUTPUTS.parent)) for path in named))
