"""What may go wrong around the batch: a full disk, a folder that cannot be written, damaged results, odd requests."""

import subprocess
import sys

import pytest
from engine import batch
from hypothesis import given
from hypothesis import strategies as st

from lib import paths
from lib.errors import InputError
from lib.files import read_json, write_json, write_text
from lib.network.catalogue import parse_run, select
from lib.network.variants import VARIANTS
from lib.pipeline.execute import main as execute
from lib.report import results


@pytest.fixture
def disk(tmp_path):
    """Mount a disk of a megabyte with options of choice."""
    place = tmp_path / "a small disk"
    place.mkdir()
    mounted = []

    def mount(*options):
        call = ["mount", "-t", "tmpfs", "-o", ",".join(["size=1m", *options]), "tmpfs", str(place)]
        try:
            subprocess.run(call, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting is not allowed here")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_leaves_what_was_there(disk):
    path = disk() / "results.json"
    write_json(path, {"law": "spring"})
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "x" * 2_000_000)
    assert read_json(path) == {"law": "spring"}
    assert list(path.parent.iterdir()) == [path]


def test_a_stage_on_a_full_disk_ends_in_one_line(disk, monkeypatch, capsys):
    place = disk()
    monkeypatch.setenv("WORKSPACE", str(place))
    monkeypatch.setattr(
        sys, "argv", ["execute", "1_simulate", str(place / "1_simulate.ipynb"), "system=spring-2d", "profile=smoke"]
    )
    assert execute() == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert "1_simulate of spring-2d failed" in error[-1] and "No space left" in error[-1]
    assert "Traceback" not in "".join(error)
    assert not (place / "1_simulate.ipynb").exists() and not list(place.rglob(".partial-*"))


def test_a_folder_that_cannot_be_written_is_named_in_one_line(disk):
    process = batch(disk("ro"), "--only", "spring-2d/l1")
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "Read-only file system" in said and "set WORKSPACE" in said and said.count("\n") == 1


@pytest.mark.parametrize("damage", ["", "{", '{"recovered": tr'])
def test_damaged_results_are_named_in_one_line(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    run = parse_run("spring-2d", "l1")
    for part in results.PARTS:
        write_json(paths.outputs(run) / part, {"expressions": [], "recovered": False})
    write_text(paths.outputs(run) / "verdict.json", damage)
    with pytest.raises(InputError, match=r"l1/verdict.json is damaged: [^\n]+$"):
        results.gather("full")


@given(st.one_of(st.text(), st.text().map("spring-2d/".__add__), st.text().map("spring-2d/l1-seed".__add__)))
def test_any_request_is_a_run_or_one_line_with_choices(text):
    try:
        assert [str(run) for run in select([text])]
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@given(st.sampled_from(["spring-2d", "charge-3d"]), st.sampled_from([*VARIANTS, "l1-reciprocal"]), st.integers(-5, 5))
def test_a_seed_is_a_number_from_nought(system, variant, seed):
    if seed < 0:
        with pytest.raises(InputError, match="choose 0 or more"):
            parse_run(system, variant, seed)
    else:
        assert select([str(parse_run(system, variant, seed))]) == [parse_run(system, variant, seed)]
