"""The pins: chosen once, repeated faithfully, satisfied here; and what the scripts say when they are not."""

import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

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


WHEEL = {
    "tiny.py": "",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "tiny-1.0.dist-info/RECORD": "".join(f"{name},,\n" for name in ("tiny.py", "tiny-1.0.dist-info/METADATA")),
}


@pytest.fixture
def set_up(tmp_path):
    """Begin the set-up of a checkout that needs one package, of which pip finds a file beside it."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    (checkout / "lib" / "pipeline").mkdir(parents=True)
    home.mkdir()
    for name in ("lib/pipeline/environment.sh", "lib/pipeline/pins.py"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    project = '[project]\ndependencies = ["tiny==1.0"]\n[project.optional-dependencies]\n'
    (checkout / "pyproject.toml").write_text(project)
    (checkout / "requirements.txt").write_text("tiny==1.0\n")
    with zipfile.ZipFile(checkout / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)

    def begin(settings="", **variables):
        (home / ".pip").mkdir(exist_ok=True)
        (home / ".pip" / "pip.conf").write_text(settings)
        own = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": str(home)}
        own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout)} | variables
        script = "set -euo pipefail; source lib/pipeline/environment.sh; $python -c 'import tiny; print(tiny.__file__)'"
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=checkout,
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return begin


def said(process):
    """The place from which the package is imported after a set-up, and the lines before."""
    *lines, place = process.communicate(timeout=100)[0].splitlines()
    assert process.returncode == 0, lines
    return Path(place), lines


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ("[install]\nuser = true\n", {"PIP_TARGET": "/nowhere"}),
        ("[global]\ntarget = /nowhere\n", {"PIP_USER": "1"}),
    ],
)
def test_packages_go_to_the_environment_wherever_pip_puts_others(set_up, tmp_path, settings, variables):
    place, _ = said(set_up(settings, **variables))
    assert place.is_relative_to(tmp_path / "checkout" / ".venv")


def test_of_two_first_runs_one_sets_up_anew_what_was_broken_off(set_up, tmp_path):
    left = tmp_path / "checkout" / ".venv" / "lib" / "half a package"
    left.mkdir(parents=True)
    (tmp_path / "checkout" / ".venv" / "incomplete").touch()
    both = [said(process) for process in [set_up(), set_up()]]
    assert both[0][0] == both[1][0]
    assert sum(line.startswith("setting up .venv") for _, lines in both for line in lines) == 1
    assert not left.exists()


def test_a_set_up_that_is_killed_is_taken_for_unfinished(set_up, tmp_path):
    process, python = set_up(), tmp_path / "checkout" / ".venv" / "bin" / "python"
    while not python.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert any(line.startswith("setting up .venv") for line in said(set_up())[1])
