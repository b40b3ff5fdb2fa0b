"""The pins: chosen once, repeated faithfully, satisfied here; and what the scripts say when they are not."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from lib.paths import ROOT
from lib.pipeline.extras import EXTRAS, needed
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
        (("--sit",), "unrecognized arguments: --sit"),
    ],
)
def test_bad_requests_end_in_one_line(arguments, line):
    status, _, error = script("run_all.sh", *arguments, VIRTUAL_ENV=sys.prefix)
    assert status == 2
    assert line in error.splitlines()[-1] and (error.startswith("usage") or "\n" not in error)


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


@pytest.mark.parametrize(
    ("request_", "extras"),
    [
        ("run_all.sh", ["argon", "solar-system"]),
        ("run_all.sh --profile smoke --only=spring-2d", []),
        ("run_all.sh --only spring-2d --executor=slurm", ["cluster"]),
        ("run_all.sh --site --cores 1", ["site"]),
        ("run_tests.sh tests/test_laws.py", list(EXTRAS)),
    ],
)
def test_a_command_needs_the_extras_of_what_it_asks_for(request_, extras):
    assert needed(*request_.split()) == extras


def test_no_stage_needs_a_package_of_an_extra_when_it_is_imported():
    modules = [
        file for file in (ROOT / "lib").rglob("*.py") if file.name not in ("site.py", "sortable.py")
    ]  # of the site alone
    statements = [line for file in modules for line in ast.parse(file.read_text()).body]
    names = [alias.name for line in statements if isinstance(line, ast.Import) for alias in line.names]
    names += [line.module for line in statements if isinstance(line, ast.ImportFrom)]
    packages = packages_distributions()
    imported = {package for name in names for package in packages.get(name.partition(".")[0], [])}
    assert "torch" in imported
    assert imported.isdisjoint(pins().keys() - pins(()).keys())


def write_wheel(folder, name, version="1.0"):
    """A package of one empty module, as pip takes it."""
    about = f"{name}-{version}.dist-info"
    texts = {
        f"{name}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": f"{name}.py,,\n{about}/METADATA,,\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for file, text in texts.items():
            wheel.writestr(file, text)


def write_index(folder, name, version):
    """A package index with one package; its address."""
    write_wheel(folder / name, name, version)
    (file,) = (folder / name).iterdir()
    (folder / name / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')
    return folder.as_uri()


@pytest.fixture
def set_up(tmp_path):
    """Begin the set-up for a command in a checkout that needs one package, of which pip finds a file beside it."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    (checkout / "lib" / "pipeline").mkdir(parents=True)
    home.mkdir()
    for name in ("environment.sh", "extras.py", "pins.py"):
        (checkout / "lib" / "pipeline" / name).write_bytes((ROOT / "lib" / "pipeline" / name).read_bytes())
    (checkout / "run_all.sh").write_text(
        "set -euo pipefail; source lib/pipeline/environment.sh; $python -c 'import tiny; print(tiny.__file__)'"
    )
    needs(checkout, "tiny==1.0")
    write_wheel(checkout, "tiny")

    def begin(*arguments, settings="", **variables):
        (home / ".pip").mkdir(exist_ok=True)
        (home / ".pip" / "pip.conf").write_text(settings)
        own = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "HOME": str(home)}
        own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout)} | variables
        return subprocess.Popen(
            ["bash", "run_all.sh", *arguments],
            cwd=checkout,
            env={name: value for name, value in own.items() if value is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return begin


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An environment without packages."""
    place = tmp_path_factory.mktemp("empty") / ".venv"
    venv.create(place, symlinks=True, with_pip=True)
    return place


@pytest.fixture
def bare(empty, set_up, tmp_path):
    """A checkout that has one already, which takes seconds to make."""
    shutil.copytree(empty, tmp_path / "checkout" / ".venv", symlinks=True)


def needs(checkout, *pins, **extras):
    """Have the checkout need packages, always and for an extra."""
    optional = "".join(f'{name} = ["{pin}"]\n' for name, pin in (dict.fromkeys(EXTRAS, "tiny==1.0") | extras).items())
    project = f"[project]\ndependencies = {list(pins)}\n[project.optional-dependencies]\n{optional}"
    (checkout / "pyproject.toml").write_text(project)
    (checkout / "requirements.txt").write_text("\n".join([*pins, *extras.values(), ""]))


def said(process):
    """The place from which the package is imported after a set-up, and the lines before."""
    *lines, place = process.communicate(timeout=100)[0].splitlines()
    assert process.returncode == 0, [*lines, place]
    return Path(place), lines


PLACES = {"user": "1", "target": "/nowhere", "prefix": "/nowhere", "root": "/nowhere"}


@pytest.mark.parametrize("by", ["variables", "own file", "file of the home folder"])
def test_of_what_a_user_has_told_pip_indexes_count_and_places_do_not(bare, set_up, tmp_path, by):
    settings = "\n".join(["[install]", *(f"{name} = {value}" for name, value in PLACES.items())])
    settings += f"\n[global]\nno-index = true\nfind-links = {tmp_path / 'checkout'}\n"
    (tmp_path / "own.conf").write_text(settings)
    place, _ = said(
        {
            "variables": lambda: set_up(**{f"PIP_{name.upper()}": value for name, value in PLACES.items()}),
            "own file": lambda: set_up(PIP_CONFIG_FILE=str(tmp_path / "own.conf"), PIP_NO_INDEX=None, PIP_FIND_LINKS=None),
            "file of the home folder": lambda: set_up(settings=settings, PIP_NO_INDEX=None, PIP_FIND_LINKS=None),
        }[by]()
    )
    assert place.is_relative_to(tmp_path / "checkout" / ".venv")


def test_an_extra_is_added_when_its_command_is_given(bare, set_up, tmp_path):
    checkout = tmp_path / "checkout"
    needs(checkout, "tiny==1.0", site="pages==1.0")

    def installed():
        return sorted(file.name for file in (checkout / ".venv").rglob("*-1.0.dist-info"))

    said(set_up())
    assert installed() == ["tiny-1.0.dist-info"]
    failed = set_up("--site")
    assert "run_all.sh: packages could not be installed" in failed.communicate(timeout=100)[0]
    assert failed.returncode == 1
    # what there was is kept
    assert said(set_up())[1] == []
    write_wheel(checkout, "pages")
    size = f"packages to download: some {EXTRAS['site'].megabytes} MB"
    assert said(set_up("--site"))[1] == ["adding to .venv what run_all.sh --site needs", size]
    assert installed() == ["pages-1.0.dist-info", "tiny-1.0.dist-info"]
    assert said(set_up("--site"))[1] == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI's PyTorch has no CUDA")
@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="an NVIDIA driver is here")
@pytest.mark.parametrize(("driver", "answers", "build"), [(False, True, "1.0+cpu"), (True, True, "1.0"), (False, False, "1.0")])
def test_torch_is_the_cpu_build_where_its_index_answers_and_no_nvidia_driver_is(bare, set_up, tmp_path, driver, answers, build):
    checkout, programs = tmp_path / "checkout", tmp_path / "bin"
    needs(checkout, "tiny==1.0", "torch==1.0")
    nvidia = programs / "nvidia-smi"
    if driver:
        programs.mkdir()
        nvidia.touch(mode=0o755)
    _, lines = said(
        set_up(
            PATH=f"{programs}:{sys.base_prefix}/bin:/usr/bin:/bin",
            TORCH_INDEX=write_index(tmp_path / "cpu", "torch", "1.0+cpu") if answers else "http://127.0.0.1:9/cpu",
            PIP_NO_INDEX=None,
            PIP_INDEX_URL=write_index(tmp_path / "all", "torch", "1.0"),
        )
    )
    assert [found.name for found in (checkout / ".venv").rglob("torch-*.dist-info")] == [f"torch-{build}.dist-info"]
    assert any("not to be had from http://127.0.0.1:9/cpu" in line for line in lines) != (driver or answers)
    assert any("CUDA, for the NVIDIA driver" in line for line in lines) == driver


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
