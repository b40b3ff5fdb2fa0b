"""The stages and what each reads and writes: the graph that the batch engine walks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib import paths
from lib.dependencies import code
from lib.network.catalogue import LARGER, SIMULATED
from lib.network.recipe import recipe_of
from lib.network.variants import get_variant
from lib.physics.systems import parse_system
from lib.pipeline.data_request import read_request
from lib.report.results import ENERGIES, LARGER_PART, PARTS, finished_runs
from lib.runs import Run, System

SPLITS = ("train", "validation", "test")
DEMO = ("spring", 2, "reciprocal")
"""Law, dimension and variant of the rendered demo."""
EXAMPLE = paths.ROOT / "data" / "three-bodies.csv"
"""Data as a user might bring them; README tells how they were made."""
LAW = "law.json"
"""The record of what is announced of a data set."""
TRIALS = paths.ROOT / "benchmarks" / "losses.csv"
"""Comparison of losses that the appendix shows."""
GRAPHS_PER_SECOND = 7_000
"""Training graphs that one core takes in a second, about."""


@dataclass(frozen=True)
class Job:
    """One notebook to execute: a stage of a system, of a run, or of all runs."""

    stage: str
    label: str
    """What it is about: `spring-2d`, `spring-2d/l1` or `all`."""
    notebook: Path
    """The executed notebook."""
    parameters: dict[str, Any]
    reads: list[Path]
    """Files that it reads, besides its code."""
    outputs: list[Path]
    """Files that it writes, besides its notebook."""
    memory: int = 2_000
    """Peak memory, MB."""
    seconds: float = 20
    """Seconds of one core that it takes on the full profile, about; the time left is estimated from them."""
    parallel: bool = False
    """Whether more than one core makes it faster."""

    @property
    def name(self) -> str:
        """Name of the job's rule."""
        return f"{self.stage}_{self.label}".replace("/", "_").replace("-", "_")

    @property
    def inputs(self) -> list[Path]:
        """Files whose change calls for a new execution: the notebook and what it imports, and what it reads."""
        return [*code(self.stage), *self.reads]


def data(system: System, profile: str, *splits: str) -> list[Path]:
    """Data files of the splits (all by default), each with its record."""
    files = [paths.dataset(system, split, profile) for split in splits or SPLITS]
    return [*files, *(file.with_suffix(".json") for file in files)]


def weights(run: Run) -> list[Path]:
    """A run's weights and their card."""
    return [paths.weights(run), paths.weights(run).with_suffix(".json")]


def simulation_job(system: System, profile: str) -> Job:
    """Stage 1, one a system."""
    folder = paths.outputs_of_system(system, profile)
    return Job(
        "1_simulate",
        str(system),
        folder / "1_simulate.ipynb",
        {"system": str(system), "profile": profile},
        [],
        [*data(system, profile), folder / "trajectory.gif"],
        parallel=True,
    )


def training_job(run: Run, retrain: bool) -> Job:
    """Stage 2: training, or only its report where the run has weights and is not to be trained again."""
    reads, written = data(run.system, run.profile), [paths.outputs(run) / "training.json"]
    if not retrain and paths.weights(run).exists():
        return _job_of_run(run, "2_train", [*reads, *weights(run)], written)
    made = [*written, *weights(run), paths.encoding(run), paths.trained_mark(run)]
    seconds = recipe_of(run).graphs / GRAPHS_PER_SECOND
    return _job_of_run(run, "2_train", reads, made, parallel=True, seconds=seconds)


def analysis_job(run: Run) -> Job:
    """Stage 3."""
    reads = [*weights(run), paths.encoding(run), *data(run.system, run.profile, "validation", "test")]
    written = [paths.outputs(run) / name for name in ("messages.json", "messages.png", "formation.gif")]
    return _job_of_run(run, "3_message_analysis", reads, written, memory=5_000)


def distillation_job(run: Run, engine: str) -> Job:
    """Stage 4, by an engine of `lib.distillation.engines`."""
    fronts = [f"front-{channel}.csv" for channel in range(1, run.system.dim + 1)]
    fronts += [f"front-node-{axis}.csv" for axis in "xyz"[: run.system.dim]]
    return _job_of_run(
        run,
        "4_symbolic_regression",
        [*weights(run), *data(run.system, run.profile)],
        [paths.outputs(run) / name for name in ("verdict.json", "closed_form.json", *fronts)],
        {"engine": engine},
        seconds=20 * run.system.dim,
    )


def has_energies(run: Run) -> bool:
    """Whether the run's network has energies."""
    return get_variant(run.variant).network == "hamiltonian"


def energies_job(run: Run, engine: str, runs: list[Run]) -> Job:
    """Stage 7, of runs whose network has energies; it compares their drift with that of other runs of the system, if any."""
    others = [replace(run, variant=variant) for variant in ("bottleneck", "reciprocal")]
    compared = [file for other in others if other in runs or paths.weights(other).exists() for file in weights(other)]
    return _job_of_run(
        run,
        "7_hamiltonian",
        [*weights(run), *compared, *data(run.system, run.profile, "validation", "test")],
        [paths.outputs(run) / name for name in (ENERGIES, "front-potential.csv")],
        {"engine": engine},
    )


def larger_system_job(stage: str, run: Run, retrain: bool, engine: str) -> Job:
    """Stages 8 and 9, each of which simulates or fetches, learns and distils a larger system in one notebook."""
    trains, folder = retrain or not paths.weights(run).exists(), paths.outputs(run)
    return Job(
        stage,
        str(run),
        folder / f"{stage}.ipynb",
        {"variant": run.variant, "seed": run.seed, "profile": run.profile, "engine": engine},
        [] if trains else weights(run),
        [
            *(paths.outputs(run) / name for name in (LARGER_PART, LAW)),
            *([*weights(run), paths.trained_mark(run)] if trains else []),
        ],
        memory=3_000,
        seconds=120,
    )


def data_job(record: Path, profile: str) -> Job:
    """Stage 10, of a user's file, as the request says that was put down for it."""
    request = read_request(record)
    folder = paths.outputs_of_data(request.name, profile)
    told = {"path": request.path, "name": request.name, "frame_rate": request.frame_rate, "columns": request.columns}
    return Job(
        "10_your_data",
        f"data/{request.name}",
        folder / "10_your_data.ipynb",
        {**{key: repr(value) for key, value in told.items()}, "profile": profile},
        [record],
        [folder / LAW],
        memory=4_000,
        seconds=240,
        parallel=True,
    )


def example_job(profile: str) -> Job:
    """Stage 10, of the example that the project brings along."""
    folder = paths.outputs_of_data(EXAMPLE.stem, profile)
    path, name = str(EXAMPLE.relative_to(paths.ROOT)), EXAMPLE.stem
    return Job(
        "10_your_data",
        f"data/{name}",
        folder / "10_your_data.ipynb",
        {"path": path, "name": name, "profile": profile},
        [EXAMPLE],
        [folder / LAW],
        memory=2_000,
        seconds=60,
    )


def solar_system_job(profile: str) -> Job:
    """Stage 11, whose data come with a package."""
    folder = paths.workspace(profile) / "outputs" / "data" / "solar-system"
    return Job(
        "11_solar_system",
        "solar-system",
        folder / "11_solar_system.ipynb",
        {"profile": profile},
        [],
        [folder / LAW],
        memory=3_000,
        seconds=120,
    )


def noise_job(profile: str) -> Job:
    """Stage 12; measurements that its table holds are not made again."""
    folder, table = paths.workspace(profile) / "outputs", paths.noise_maps(profile)
    # what a job declares as its output is removed before it begins
    return Job(
        "12_noise_maps", "all", folder / "12_noise_maps.ipynb", {"profile": profile}, [], [] if table.exists() else [table]
    )


def demo_job(profile: str) -> Job:
    """Stage 0, all steps on one run."""
    law, dimension, variant = DEMO
    run = Run(System(law, dimension), variant, profile=profile)
    return Job(
        "0_demo",
        str(run),
        paths.workspace(profile) / "outputs" / "0_demo.ipynb",
        {"law": law, "dimension": dimension, "variant": variant, "profile": profile},
        [*weights(run), *data(run.system, profile)],
        [],
        memory=4_000,
        seconds=180,
    )


def appendix_jobs(runs: list[Run], profile: str, before: list[Job], retrain: bool) -> list[Job]:
    """Stages 5a to 5e, a question each, of all runs; they follow the jobs `before` them.

    The searches of 5d, which take minutes, are made where they are missing, and with `retrain`.
    """
    compared = _compared(runs, profile)
    flat = [run for run in compared if run.system.dim == 2]
    control = paths.without_network(profile)
    searches = retrain or not control.exists()
    validation = [file for run in flat for file in data(run.system, profile, "validation")]
    reads = {
        "5a_force_or_acceleration": [],
        "5b_one_channel_one_component": [file for run in flat if run.variant == "l1" for file in weights(run)],
        "5c_reciprocity_fixes_the_gauge": [paths.encoding(run) for run in compared],
        "5d_what_the_network_contributes": validation if searches else [control],
        "5e_other_losses_and_ablations": [TRIALS],
    }
    writes = {"5d_what_the_network_contributes": [control]} if searches else {}
    return [
        Job(
            stage,
            "all",
            paths.workspace(profile) / "outputs" / f"{stage}.ipynb",
            {"profile": profile},
            _available([*_results(compared), *files], before),
            writes.get(stage, []),
            seconds=300 if stage in writes else 20,
        )
        for stage, files in reads.items()
    ]


def report_job(runs: list[Run], profile: str, before: list[Job]) -> Job:
    """Stage 6, one for all runs, those of larger systems among them, which follows the jobs `before` it."""
    reads = [paths.outputs(replace(run, profile=profile)) / LARGER_PART for run in LARGER.values()]
    # it lists the systems by their rendered simulations
    simulations = [job.notebook for job in before if job.stage == "1_simulate"]
    return Job(
        "6_report",
        "all",
        paths.workspace(profile) / "outputs" / "6_report.ipynb",
        {"profile": profile},
        [paths.REFERENCE, *simulations, *_available([*_results(_compared(runs, profile)), *reads], before)],
        [paths.results(profile), paths.workspace(profile) / "outputs" / "README.md"],
    )


def _compared(runs: list[Run], profile: str) -> list[Run]:
    """The runs asked for, and all others whose results are in the workspace: the table has a row of each."""
    return list(dict.fromkeys([*runs, *finished_runs(profile)]))


def _results(runs: list[Run]) -> list[Path]:
    return [paths.outputs(run) / name for run in runs for name in (*PARTS, ENERGIES)]


def _available(files: Iterable[Path], before: list[Job]) -> list[Path]:
    """Of the files, those that a job makes and those that are there already."""
    made = {file for job in before for file in job.outputs}
    return [file for file in dict.fromkeys(files) if file in made or file.exists()]


def _job_of_run(
    run: Run, stage: str, reads: list[Path], outputs: list[Path], also: dict[str, Any] | None = None, **rest: Any
) -> Job:
    parameters = {"system": str(run.system), "variant": run.variant, "seed": run.seed, "profile": run.profile} | (also or {})
    return Job(stage, str(run), paths.outputs(run) / f"{stage}.ipynb", parameters, reads, outputs, **rest)


def jobs(runs: list[Run], profile: str, everything: bool = False, retrain: bool = False, engine: str = "operon") -> list[Job]:
    """All jobs that lead to the report on the given runs; with `everything`, those that belong to none of them or to all too.

    In the order in which they are begun where nothing else decides: a system with its runs, then the next.
    """
    systems = [run.system for run in runs] + [parse_system(name) for name in SIMULATED if everything]
    work: list[Job] = []
    for system in dict.fromkeys(systems):
        work.append(simulation_job(system, profile))
        for run in (run for run in runs if run.system == system):
            work += [training_job(run, retrain), analysis_job(run), distillation_job(run, engine)]
            work += [energies_job(run, engine, runs)] if has_energies(run) else []
    larger = {stage: replace(run, profile=profile) for stage, run in LARGER.items()} if everything else {}
    work += [demo_job(profile), example_job(profile)] if everything else []
    work += [larger_system_job(stage, run, retrain, engine) for stage, run in larger.items()]
    work += [solar_system_job(profile)] if everything else []
    work += [*appendix_jobs(runs, profile, work, retrain), noise_job(profile)] if everything else []
    return [*work, report_job(runs, profile, work)]
