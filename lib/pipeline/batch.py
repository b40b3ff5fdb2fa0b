"""The batch: what `./run_all.sh` does once its environment stands. Snakemake decides which stages run."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec

import pandas as pd
import psutil

from lib import paths
from lib.distillation.engines import ENGINES, get_engine
from lib.errors import InputError
from lib.files import remove_partial_files
from lib.network.catalogue import RELEASED, select
from lib.network.variants import VARIANTS
from lib.profiles import PROFILES, get_profile

PATIENCE = 10.0
"""Seconds that an interrupted Snakemake and its jobs have to end by themselves, before they are interrupted once more."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line of `./run_all.sh`."""
    parser = argparse.ArgumentParser(
        prog="./run_all.sh",
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
    parser.add_argument("--cores", type=int, default=os.cpu_count(), metavar="N", help="processors to use (default all)")
    parser.add_argument("--force", action="store_true", help="run every stage again, changed or not")
    parser.add_argument("--dry-run", action="store_true", help="say what would run")
    parser.add_argument("--executor", metavar="NAME", help="profile of a cluster below workflow/profiles, such as slurm")
    parser.add_argument("--site", action="store_true", help="only make web pages, in build/site, of what outputs/ holds")
    return parser.parse_args(arguments)


def command(options: argparse.Namespace) -> list[str]:
    """Snakemake's command line."""
    config = [
        f"profile={options.profile}",
        f"only={' '.join(options.only)}",
        f"engine={options.engine}",
        f"cores={options.cores}",
    ]
    if options.retrain:
        config.append("retrain=true")
    call = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(paths.ROOT / "workflow" / "Snakefile"),
        "--directory",
        str(paths.workspace(options.profile)),
        "--rerun-triggers",
        "mtime",
        "params",
        "--rerun-incomplete",
        "--keep-going",
        "--nolock",
        "--quiet",
        "rules",
        "host",
        "--config",
        *config,
    ]
    if options.executor:
        call += ["--workflow-profile", str(paths.ROOT / "workflow" / "profiles" / options.executor)]
    else:
        call += ["--cores", str(options.cores)]
    if options.force:
        call.append("--forceall")
    # a dry run says what Snakemake says; a run, a line a job with the time left
    return [*call, *(["--dry-run"] if options.dry_run else ["--logger", "left"])]


def summary(options: argparse.Namespace) -> str:
    """What was found, a line a run."""
    table = pd.read_csv(paths.results(options.profile), keep_default_na=False)
    runs = select(options.only, options.profile)
    rows = table[
        [
            (s, v, k) in {(str(r.system), r.variant, r.seed) for r in runs}
            for s, v, k in zip(table["system"], table["variant"], table["seed"], strict=True)
        ]
    ]
    columns = ["system", "variant", "seed", "test_loss_per_node", "r2_force", "r2_acceleration", "recovered", "gauge"]
    return rows[columns].to_string(index=False, float_format="%.4f")


def make_site(cores: int) -> int:
    """The web pages of what is rendered, and where they begin."""
    from lib.report import site  # Sphinx and its kin are not needed otherwise

    try:
        print(f"site: {os.path.relpath(site.build(cores))}")
    except (RuntimeError, OSError) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 1
    return 0


def wait_for(snakemake: subprocess.Popen[bytes]) -> int:
    """Snakemake's status, once it is done; an interrupt ends it and its jobs, also where it was sent to this process alone."""
    try:
        return snakemake.wait()
    except KeyboardInterrupt:
        while snakemake.poll() is None:
            try:
                snakemake.wait(PATIENCE)  # at a terminal they all were interrupted
            except subprocess.TimeoutExpired:
                for process in psutil.Process().children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(signal.SIGINT)
        raise


def main() -> int:
    """Check the request, take the workspace's lock, hand over to Snakemake, print what was found."""
    options = parse(sys.argv[1:])
    try:
        get_profile(options.profile)
        select(options.only, options.profile)
        get_engine(options.engine)
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
    workspace = paths.workspace(options.profile)
    try:
        (workspace / "build").mkdir(parents=True, exist_ok=True)
        lock = (workspace / "build" / "run.lock").open("w")
    except OSError as error:
        print(f"run_all.sh: {error}; set WORKSPACE to a folder that can be written", file=sys.stderr)
        return 1
    with lock:
        # held until this process and the Snakemake that inherits it are gone: no lock outlives a kill,
        # and none is lost while jobs are still at work
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("run_all.sh: another run is at work here; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for folder in ("data", "model_weights", "outputs", "build/checkpoints"):  # build/ holds other profiles too
            remove_partial_files(workspace / folder)
        if options.retrain and options.force and not options.dry_run:
            for run in select(options.only, options.profile):
                paths.checkpoint(run).unlink(missing_ok=True)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (paths.ROOT, paths.ROOT / "workflow")))}
        status = wait_for(subprocess.Popen(command(options), env=environment, pass_fds=[lock.fileno()]))
    if status == 0 and not options.dry_run:
        print(summary(options))
        print(f"report: {os.path.relpath(workspace / 'outputs' / '6_report.ipynb')}")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("run_all.sh: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
