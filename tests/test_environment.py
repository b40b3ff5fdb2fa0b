"""The pins: chosen once, repeated faithfully, satisfied here; and what the scripts say when they are not."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from lib.paths import ROOT
from lib.pipeline.pins import amiss, pins


def test_environment_yml_repeats_the_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (by_pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert dict(line.split("==") for line in by_pip) == pins()


def test_requirements_lock_the_pins():
    locked = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pins().items() <= dict(locked).items()


def test_this_environment_satisfies_them():
    assert amiss() == []


def script(name, *arguments, **environment):
    call = subprocess.run(
        ["bash", str(ROOT / name), *arguments], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    return call.returncode, call.stdout, call.stderr.strip()


@pytest.mark.parametrize("name", ["run_all.sh", "run_tests.sh"])
def test_help(name):
    status, out, _ = script(name, "--help")
    assert status == 0 and f"./{name}" in out and "set -" not in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--only", "sprong-2d"), "unknown law 'sprong': choose one of spring"),
        (("--only", "spring-4d"), "unknown system 'spring-4d': write a law and a dimension, 2d or 3d"),
        (("--only", "spring-2d/l2"), "unknown variant 'l2': choose one of standard, bottleneck, l1, kl"),
        (("--only", "spring-2d/l1-seedx"), "unknown run 'l1-seedx' of spring-2d"),
        (("--profile", "huge"), "unknown profile 'huge': choose one of full, demo, smoke"),
        (("--cores", "0"), "cores = 0: choose 1 or more"),
        (("--executor", "condor"), "unknown executor 'condor': choose one of slurm"),
    ],
)
def test_bad_requests_end_in_one_line(arguments, line):
    status, _, error = script("run_all.sh", *arguments, VIRTUAL_ENV=sys.prefix)
    assert status == 2
    assert "\n" not in error and line in error


def test_an_old_python_ends_in_one_line(tmp_path):
    for name in ("python3", "python", *(f"python3.{minor}" for minor in range(11, 15))):
        fake = tmp_path / name
        fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
        fake.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "lib" / "pipeline").mkdir(parents=True)
    for name in ("run_all.sh", "lib/pipeline/environment.sh", "lib/pipeline/pins.py", "pyproject.toml"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    call = subprocess.run(
        ["bash", str(checkout / "run_all.sh")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert call.returncode == 1
    assert call.stderr.strip() == "run_all.sh: Python 3.11 to 3.14 is needed, and Python 3.9.1 was found"
