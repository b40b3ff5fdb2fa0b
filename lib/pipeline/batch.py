"""The batch: what `./run_all.sh` does once its environment stands. Snakemake decides which stages run."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from lib import paths
from lib.distillation.engines import ENGINES, get_engine
from lib.errors import InputError
from lib.files import read_json, remove_partial_files, write_json
from lib.network.catalogue import LARGER, RELEASED, select
from lib.network.variants import VARIANTS
from lib.pipeline.data_request import columns_of, name_of, put_down, record_of
from lib.pipeline.scratch import remove_leftovers
from lib.pipeline.stages import LAW, data_job, jobs
from lib.processors import allowed
from lib.profiles import PROFILES, get_profile

PATIENCE = 5.0
"""Seconds that jobs have to end after an interrupt, before they are interrupted once more."""
MEGABYTE = 1 << 20
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What a container may take, beside which Linux keeps what it takes (`memory.current`)."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line of `./run_all.sh`."""
    parser = argparse.ArgumentParser(
        prog="./run_all.sh",
        allow_abbrev=False,  # `lib.pipeline.extras` knows whole words
        description="Every table and figure, from the released weights. Killed, it goes on where it was; "
        "run again, it does only what changed.",
        epilog=f"released: {', '.join(RELEASED)}; variants: {', '.join(VARIANTS)}",
    )
    parser.add_argument("--retrain", action="store_true", help="train from nothing instead of using the released weights")
    parser.add_argument(
        "--only",
        metavar="SYSTEM[/VARIANT]",
        action="append",
        default=[],
        help="only these runs, such as spring-2d or spring-2d/l1 or spring-2d/l1-seed1; may be repeated",
    )
    parser.add_argument("--profile", default="full", metavar="NAME", help=f"budget: {' or '.join(PROFILES)} (default full)")
    parser.add_argument(
        "--engine", default="operon", metavar="NAME", help=f"symbolic regression by {' or '.join(ENGINES)} (default operon)"
    )
    parser.add_argument("--cores", type=int, default=allowed(), metavar="N", help="processors to use (default all)")
    parser.add_argument("--force", action="store_true", help="run every stage again, changed or not")
    parser.add_argument("--dry-run", action="store_true", help="say what would run")
    parser.add_argument("--executor", metavar="NAME", help="profile of a cluster below workflow/profiles, such as slurm")
    parser.add_argument("--site", action="store_true", help="only make web pages, in build/site, of what outputs/ holds")
    data = parser.add_argument_group("your own data")
    data.add_argument("--data", metavar="FILE", help="find the law of the trajectories in a file, and nothing besides")
    data.add_argument("--name", metavar="NAME", help="by which its results go in outputs/data (default the file's own)")
    data.add_argument("--frame-rate", type=float, metavar="F", help="frames in a unit of time, for files without a clock")
    data.add_argument(
        "--columns", nargs="+", action="extend", default=[], metavar="x=POSITION_X", help="where a guess of columns needs help"
    )
    return parser.parse_args(arguments)


def available_memory() -> int:
    """Memory that jobs on this machine can take, MB: what is free of it, and of the container that this runs in."""
    free = psutil.virtual_memory().available
    with suppress(OSError, ValueError):  # no container, or one without a limit
        free = min(free, int(LIMIT.read_text()) - int(LIMIT.with_name("memory.current").read_text()))
    return max(free // MEGABYTE, 1)


def command(options: argparse.Namespace) -> list[str]:
    """Snakemake's command line."""
    config = {
        "profile": options.profile,
        "only": " ".join(options.only),
        "engine": options.engine,
        "cores": options.cores,
        "retrain": options.retrain,
    }
    if options.data:
        config["request"] = os.path.relpath(record_of(options.name, options.profile), paths.workspace(options.profile))
    workflow = paths.ROOT / "workflow"
    # no profile but the one asked for, whatever SNAKEMAKE_PROFILE says
    call = [sys.executable, "-m", "snakemake", "--profile", "none"]
    call += ["--snakefile", str(workflow / "Snakefile"), "--directory", str(paths.workspace(options.profile))]
    call += ["--rerun-triggers", "mtime", "params", "--rerun-incomplete", "--keep-going", "--nolock"]
    # Jobs' priorities all differ, so that nothing is left for a solver. Each round of scheduling, which asks all inputs for
    # their sizes, calls for another after this timespan, and so does each job that ends: seconds would make thousands.
    call += ["--scheduler", "greedy", "--max-jobs-per-timespan", "1000/1m"]
    if options.executor:
        call += ["--workflow-profile", str(workflow / "profiles" / options.executor)]
    else:
        config["memory"] = available_memory()
        call += ["--workflow-profile", "none", "--cores", str(options.cores), "--resources", f"mem_mb={config['memory']}"]
    call += ["--quiet", "rules", "host", "--config", *(f"{name}={value}" for name, value in config.items())]
    if options.dry_run:  # it says what Snakemake says; a run, a line a job with the time left
        return [*call, "--dry-run", *(["--forceall"] if options.force and not under_way(options) else [])]
    return [*call, "--logger", "time-left"]


def marks(options: argparse.Namespace) -> list[Path]:
    """The files that say of each job of the request that it is done."""
    if options.data:
        return [paths.made_mark(data_job(record_of(options.name, options.profile), options.profile).name, options.profile)]
    runs = select(options.only, options.profile)
    asked = jobs(runs, options.profile, not options.only, options.retrain, options.engine)
    return [paths.made_mark(job.name, options.profile) for job in asked]


def forced(options: argparse.Namespace) -> Path:
    """The record of the last request with --force."""
    return paths.workspace(options.profile) / "build" / "forced.json"


def request(options: argparse.Namespace) -> dict[str, object]:
    """What tells one request from another."""
    return {name: getattr(options, name) for name in ("only", "profile", "retrain", "engine", "data", "name")}


def under_way(options: argparse.Namespace) -> bool:
    """Whether the same request with --force was begun and not finished."""
    record = forced(options)
    return record.exists() and read_json(record) == request(options) and not all(mark.exists() for mark in marks(options))


def forget(options: argparse.Namespace) -> None:
    """Forget that jobs of the request were done, and where their trainings are, unless it is one that is under way."""
    if under_way(options):
        return
    for mark in marks(options):
        mark.unlink(missing_ok=True)
    if options.retrain:
        larger = [] if options.only else [replace(run, profile=options.profile) for run in LARGER.values()]
        for run in [*select(options.only, options.profile), *larger]:
            paths.checkpoint(run).unlink(missing_ok=True)
    write_json(forced(options), request(options))


def check_data(options: argparse.Namespace) -> None:
    """Check the request to find a law in a file, and say at once what was read; give it its name.

    `InputError` for what does not go together, for a name that is none, and for a file that cannot be understood.
    """
    if not options.data:
        asked = {"--name": options.name, "--frame-rate": options.frame_rate, "--columns": options.columns}
        for word, value in asked.items():
            if value:
                raise InputError(f"{word} belongs to --data FILE")
        return
    for word, value in {"--only": options.only, "--retrain": options.retrain, "--site": options.site}.items():
        if value:
            raise InputError(f"{word} does not go with --data, which finds the law of one file")
    from lib.observed.description import describe  # SciPy's and pandas' seconds are for those who ask
    from lib.observed.tables import read_recording

    options.columns = columns_of(options.columns)
    file = Path(os.environ.get(paths.CALLED_FROM) or Path.cwd()) / options.data
    options.name = name_of(file, options.name)
    recording = read_recording(file, columns=options.columns or None, frame_rate=options.frame_rate)
    options.data = str(file)
    print(f"read {file.name}, as {options.name}:")
    print("\n".join(f"  {line}" for line in [*describe(recording).splitlines(), *recording.notes]), flush=True)


def summary_of_data(options: argparse.Namespace) -> str:
    """What was found in a user's data, in a few lines."""
    from lib.report import observed

    folder = paths.outputs_of_data(options.name, options.profile)
    places = {"record": folder / LAW, "notebook": folder / "10_your_data.ipynb"}
    lines = [*observed.summary(read_json(folder / LAW)), *(f"{what}: {paths.shown(path)}" for what, path in places.items())]
    return "\n".join(lines)


def summary(options: argparse.Namespace) -> str:
    """The main results: the law that is announced of each run, with error bars, and below them figures, a line a run."""
    from lib.report import observed

    runs = select(options.only, options.profile)
    laws = [f"{run}: {observed.summary(read_json(paths.outputs(run) / LAW))[0]}" for run in runs]
    table = pd.read_csv(paths.results(options.profile), keep_default_na=False)
    rows = table[
        [
            (s, v, k) in {(str(r.system), r.variant, r.seed) for r in runs}
            for s, v, k in zip(table["system"], table["variant"], table["seed"], strict=True)
        ]
    ]
    columns = ["system", "variant", "seed", "announced", "test_loss_per_node"]
    columns += ["r2_force", "r2_acceleration", "recovered", "gauge"]
    return "\n".join([*laws, "", rows[columns].to_string(index=False, float_format="%.4f")])


def make_site(cores: int) -> int:
    """Make web pages of what is rendered and print the place of the first; the exit status."""
    from lib.report import site  # Sphinx and its kin are not needed otherwise

    try:
        print(f"site: {paths.shown(site.build(cores))}")
    except (RuntimeError, OSError) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 1
    return 0


def wait_for(snakemake: subprocess.Popen[bytes]) -> int:
    """Wait until Snakemake ends, and return its status.

    Interrupted, it has Snakemake begin no more jobs and waits until those at work have ended, to which it passes the
    interrupt on where it was sent to this process alone; then it raises `KeyboardInterrupt`.
    """
    try:
        return snakemake.wait()
    except KeyboardInterrupt:
        snakemake.terminate()
        while snakemake.poll() is None:
            try:
                snakemake.wait(PATIENCE)  # at a terminal the jobs were interrupted too
            except subprocess.TimeoutExpired:
                for process in psutil.Process().children(recursive=True):
                    with suppress(psutil.NoSuchProcess, ProcessLookupError):
                        if os.getsid(process.pid) == os.getsid(0):  # kernels, in sessions of their own, are ended by their jobs
                            process.send_signal(signal.SIGINT)
        raise


def main() -> int:
    """Check the request, take the workspace's lock, let Snakemake work, print the results; the exit status."""
    options = parse(sys.argv[1:])
    try:
        get_profile(options.profile)
        select(options.only, options.profile)
        get_engine(options.engine)
        check_data(options)
        if options.cores < 1:
            raise InputError(f"cores = {options.cores}: choose 1 or more")
        profiles = sorted(p.name for p in (paths.ROOT / "workflow" / "profiles").iterdir())
        if options.executor and options.executor not in profiles:
            raise InputError(f"unknown executor '{options.executor}': choose one of {', '.join(profiles)}")
        if options.executor and find_spec(f"snakemake_executor_plugin_{options.executor}") is None:
            raise InputError(f"executor {options.executor} needs: pip install snakemake-executor-plugin-{options.executor}")
    except InputError as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 2
    if options.site:
        return make_site(options.cores)
    if options.dry_run and options.data:
        print("a dry run of --data ends here: the file can be read, and its law would be sought")
        return 0
    if options.dry_run:  # which changes nothing, and needs no lock
        return run_snakemake(options)
    workspace = paths.workspace(options.profile)
    try:
        (workspace / "build").mkdir(parents=True, exist_ok=True)
        lock = (workspace / "build" / "run.lock").open("w")
    except OSError as error:
        print(f"run_all.sh: {error}; set WORKSPACE to a folder that can be written", file=sys.stderr)
        return 1
    with lock:
        # held until this process and the Snakemake that inherits it are gone: no lock outlives a kill,
        # and none is lost while jobs are still begun
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("run_all.sh: another run is at work here; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        remove_leftovers(workspace, lambda text: print(f"run_all.sh: {text}", flush=True))
        for folder in ("data", "model_weights", "outputs", "build/checkpoints"):  # build/ holds other profiles too
            remove_partial_files(workspace / folder)
        if options.data:
            put_down(Path(options.data), options.name, options.frame_rate, options.columns, options.profile)
        if options.force:
            forget(options)
        status = run_snakemake(options, pass_fds=[lock.fileno()])
    if status == 0 and options.data:
        print(summary_of_data(options))
    elif status == 0:
        print(summary(options))
        print(f"report: {paths.shown(workspace / 'outputs' / '6_report.ipynb')}")
    else:
        print(
            "run_all.sh: not everything was made; the lines above say why, the same command goes on from here", file=sys.stderr
        )
    return status


def run_snakemake(options: argparse.Namespace, **rest: Any) -> int:
    """Let Snakemake do what was asked for; its status."""
    variables = {
        "PYTHONPATH": os.pathsep.join(map(str, (paths.ROOT, paths.ROOT / "workflow"))),
        paths.CALLED_FROM: os.environ.get(paths.CALLED_FROM) or str(Path.cwd()),
    }
    call = command(options)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by Snakemake, which an interrupt would break
    try:
        snakemake = subprocess.Popen(call, env=os.environ | variables, **rest)
    finally:
        signal.signal(signal.SIGINT, before)
    return wait_for(snakemake)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from elsewhere, as interrupted here
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"run_all.sh: {error}")
    except KeyboardInterrupt:
        print("run_all.sh: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
