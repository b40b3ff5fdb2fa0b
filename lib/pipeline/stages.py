"""The stages and what each reads and writes: the graph that the batch engine walks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lib import paths
from lib.dependencies import code
from lib.network.catalogue import LARGER, SIMULATED
from lib.network.recipe import recipe_of
from lib.network.variants import get_variant
from lib.physics.systems import parse_system
from lib.profiles import get_profile
from lib.report.results import ENERGIES, LARGER_PART, PARTS
from lib.runs import Run, System

SPLITS = ("train", "validation", "test")
DEMONSTRATED = ("spring", 2, "reciprocal")
TRIALS = paths.ROOT / "benchmarks" / "losses.csv"
"""Losses and heads compared, which the report tells."""
GRAPHS_PER_SECOND = 7_000
"""That one core trains on, about."""


@dataclass(frozen=True)
class Job:
    """One notebook to execute: a stage of a system, of a run, or of all runs."""

    stage: str
    label: str
    """What it is about: `spring-2d`, `spring-2d/l1` or `all`."""
    notebook: Path
    """The executed notebook."""
    parameters: dict[str, Any]
    inputs: list[Path]
    outputs: list[Path]
    depends: dict[str, Any] = field(default_factory=dict)
    """Further values whose change calls for a new run."""
    memory: int = 2_000
    """Peak memory, MB."""
    seconds: float = 20
    """Of one core, about, on the full profile: what the time left is told by."""
    parallel: bool = False
    """Whether more than one core makes it faster."""

    @property
    def name(self) -> str:
        """Name of the job's rule."""
        return f"{self.stage}_{self.label}".replace("/", "_").replace("-", "_")


def data(system: System, profile: str, *splits: str) -> list[Path]:
    """Data files of the splits."""
    return [paths.dataset(system, split, profile) for split in splits or SPLITS]


def simulation_job(system: System, profile: str) -> Job:
    """Stage 1, one a system."""
    files = data(system, profile)
    return Job(
        "1_simulate",
        str(system),
        paths.outputs_of_system(system, profile) / "1_simulate.ipynb",
        {"system": str(system), "profile": profile},
        code("1_simulate"),
        [*files, *(file.with_suffix(".json") for file in files), paths.outputs_of_system(system, profile) / "trajectory.gif"],
        depends=_budget(profile, "trajectories"),
    )


def training_job(run: Run, retrain: bool) -> Job:
    """Stage 2: training, or only its report where the run has weights and is not to be trained again."""
    source = code("2_train")
    weights = [paths.weights(run), paths.weights(run).with_suffix(".json")]
    trains = retrain or not weights[0].exists()
    reads = data(run.system, run.profile)
    written = [paths.outputs(run) / "training.json"]
    if trains:
        return _of(
            run,
            "2_train",
            [*source, *reads],
            [*written, *weights, paths.encoding(run), paths.trained_mark(run)],
            depends=asdict(recipe_of(run)),
            parallel=True,
            seconds=recipe_of(run).graphs / GRAPHS_PER_SECOND,
        )
    return _of(run, "2_train", [*source, *reads, *weights], written, depends=asdict(recipe_of(run)))


def analysis_job(run: Run) -> Job:
    """Stage 3."""
    reads = [paths.weights(run), paths.encoding(run), *data(run.system, run.profile, "validation", "test")]
    return _of(
        run,
        "3_message_analysis",
        [*code("3_message_analysis"), *reads],
        [paths.outputs(run) / name for name in ("messages.json", "messages.png", "formation.gif")],
        memory=5_000,
    )


def distillation_job(run: Run, engine: str) -> Job:
    """Stage 4, by an engine of `lib.distillation.engines`."""
    out = paths.outputs(run)
    fronts = [out / f"front-{channel}.csv" for channel in range(1, run.system.dim + 1)]
    fronts += [out / f"front-node-{axis}.csv" for axis in "xyz"[: run.system.dim]]
    return _of(
        run,
        "4_symbolic_regression",
        [
            *code("4_symbolic_regression"),
            paths.weights(run),
            *data(run.system, run.profile),
        ],
        [out / "verdict.json", out / "closed_form.json", *fronts],
        also={"engine": engine},
        depends=_budget(run.profile, "regression_edges", "evaluations", "fitting_graphs"),
        seconds=20 * run.system.dim,
    )


def has_energies(run: Run) -> bool:
    """Whether the run's network has energies."""
    return get_variant(run.variant).network == "hamiltonian"


def energies_job(run: Run, engine: str, runs: list[Run]) -> Job:
    """Stage 7, of runs whose network has energies; its drift is told beside that of others of the system, if there are any."""
    others = [replace(run, variant=variant) for variant in ("bottleneck", "reciprocal")]
    beside = [paths.weights(other) for other in others if other in runs or paths.weights(other).exists()]
    reads = [paths.weights(run), *beside, *data(run.system, run.profile, "validation", "test")]
    return _of(
        run,
        "7_hamiltonian",
        [*code("7_hamiltonian"), *reads],
        [paths.outputs(run) / name for name in ("potential.json", "front-potential.csv")],
        also={"engine": engine},
    )


def larger_system_job(stage: str, run: Run, retrain: bool, engine: str) -> Job:
    """Stages 8 and 9, which make, learn and distil a larger system in one notebook."""
    weights = [paths.weights(run), paths.weights(run).with_suffix(".json")]
    trains = retrain or not weights[0].exists()
    return Job(
        stage,
        str(run),
        paths.outputs(run) / f"{stage}.ipynb",
        {"variant": run.variant, "seed": run.seed, "profile": run.profile, "engine": engine},
        [*code(stage), *([] if trains else weights)],
        [paths.outputs(run) / LARGER_PART, *([*weights, paths.trained_mark(run)] if trains else [])],
        memory=3_000,
        seconds=60,
    )


def demo_job(profile: str) -> Job:
    """Stage 0, which tells the story of one run."""
    law, dimension, variant = DEMONSTRATED
    run = Run(System(law, dimension), variant, profile=profile)
    return Job(
        "0_demo",
        str(run),
        paths.workspace(profile) / "outputs" / "0_demo.ipynb",
        {"law": law, "dimension": dimension, "variant": variant, "profile": profile},
        [*code("0_demo"), paths.weights(run), *data(run.system, profile)],
        [],
        memory=4_000,
        seconds=180,
    )


def extensions_job(runs: list[Run], profile: str) -> Job:
    """Stage 5, one for all runs."""
    reads = [paths.outputs(run) / name for run in runs for name in PARTS]
    reads += [paths.encoding(run) for run in runs]
    flat = [run for run in runs if run.system.dim == 2]
    reads += [paths.weights(run) for run in flat if run.variant == "l1"]
    validations = [file for run in flat for file in data(run.system, profile, "validation")]
    return Job(
        "5_extensions",
        "all",
        paths.workspace(profile) / "outputs" / "5_extensions.ipynb",
        {"profile": profile},
        [*code("5_extensions"), *reads, *dict.fromkeys(validations)],
        [paths.workspace(profile) / "outputs" / "without_network.csv"],
        seconds=120,
    )


def report_job(runs: list[Run], larger: list[Run], profile: str) -> Job:
    """Stage 6, one for all runs, those of larger systems among them."""
    reads = [paths.outputs(run) / name for run in runs for name in PARTS]
    reads += [paths.outputs(run) / ENERGIES for run in runs if has_energies(run)]
    reads += [paths.outputs(run) / LARGER_PART for run in larger]
    return Job(
        "6_report",
        "all",
        paths.workspace(profile) / "outputs" / "6_report.ipynb",
        {"profile": profile},
        [*code("6_report"), paths.REFERENCE, TRIALS, *reads],
        [paths.results(profile), paths.workspace(profile) / "outputs" / "README.md"],
    )


def _budget(profile: str, *names: str) -> dict[str, Any]:
    return {name: asdict(get_profile(profile))[name] for name in names}


def _of(run: Run, stage: str, inputs: list[Path], outputs: list[Path], also: dict[str, Any] | None = None, **rest: Any) -> Job:
    parameters = {"system": str(run.system), "variant": run.variant, "seed": run.seed, "profile": run.profile} | (also or {})
    return Job(stage, str(run), paths.outputs(run) / f"{stage}.ipynb", parameters, inputs, outputs, **rest)


def jobs(runs: list[Run], profile: str, everything: bool = False, retrain: bool = False, engine: str = "operon") -> list[Job]:
    """All jobs that lead to the report on the given runs; with `everything`, those that belong to no run of them too.

    In the order in which they are begun where nothing else decides: a system with its runs, then the next.
    """
    systems = [run.system for run in runs] + [parse_system(name) for name in SIMULATED if everything]
    work = []
    for system in dict.fromkeys(systems):
        work.append(simulation_job(system, profile))
        for run in (run for run in runs if run.system == system):
            work += [training_job(run, retrain), analysis_job(run), distillation_job(run, engine)]
            work += [energies_job(run, engine, runs)] if has_energies(run) else []
    larger = {stage: replace(run, profile=profile) for stage, run in LARGER.items()} if everything else {}
    work += [demo_job(profile)] if everything else []
    work += [larger_system_job(stage, run, retrain, engine) for stage, run in larger.items()]
    return [*work, extensions_job(runs, profile), report_job(runs, [*larger.values()], profile)]
