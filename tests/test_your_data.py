"""The door for a user's own data: planted sets through `discover`, a file through the command, and bad requests of it."""

import json
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import planted_motion
import pytest
import sympy
from engine import batch, finished

import lib.pipeline.batch
from lib import paths
from lib.distillation.expressions import parse
from lib.errors import InputError
from lib.observed import graph_network
from lib.observed.discover import discover
from lib.observed.example import example
from lib.observed.held_out import held_out
from lib.observed.recording import Experiment, Recording
from lib.observed.rollout import follow, is_continuous, rollouts
from lib.observed.tables import read_recording
from lib.pipeline.data_request import name_of, put_down, record_of
from lib.report import observed
from lib.selection.law import Announcement, Constant, Law, read_law
from lib.selection.terms import RADIAL, PairTerm

WRITTEN = {"record": "law.json", "notebook": "10_your_data.ipynb"}
CHARGES = np.array([1.0, -0.6, 1.7])


def snapshots(kind, graphs=80, times=3, n=3, seed=0):
    """Bodies at independent places with measured accelerations, under a planted law or none."""
    rng, experiments = np.random.default_rng(seed), []
    for _ in range(graphs):
        x, v = rng.uniform(-2, 2, (times, n, 2)), rng.standard_normal((times, n, 2))
        mass = rng.uniform(0.5, 2, n)
        separation = x[:, :, None] - x[:, None]
        r = np.linalg.norm(separation, axis=-1)
        r[:, range(n), range(n)] = np.inf
        along = separation / r[..., None]
        properties, noise = {"mass": mass}, 0.01
        if kind == "noisy":
            a, noise = ((-mass / r**2)[..., None] * along).sum(2), 0.05
        elif kind == "hidden charges":
            a, properties = ((CHARGES[:, None] * CHARGES / r**2)[..., None] * along).sum(2), {}
        elif kind == "three bodies":  # the potential is a function of the triangle's area
            edge = np.roll(x, -2, axis=1) - np.roll(x, -1, axis=1)
            height = np.stack([-edge[..., 1], edge[..., 0]], axis=-1) / 2
            (ux, uy), (wx, wy) = (np.moveaxis(x[:, k] - x[:, 0], -1, 0) for k in (1, 2))
            area = (ux * wy - uy * wx)[:, None, None] / 2
            a = 2 * area * np.exp(-(area**2)) * height
        else:
            a = rng.standard_normal(x.shape)
        a = a + noise * np.median(np.linalg.norm(a, axis=-1)) * rng.standard_normal(a.shape)
        experiments.append(Experiment(np.arange(times) * 1.0, x, v, a, properties, tuple("abc")))
    return Recording(tuple(experiments), None, ())


def test_a_noisy_law_is_announced_with_error_bars():
    found = discover(snapshots("noisy")).announcement
    assert found.announced and found.law.order == 2 and found.law.transverse == 0 and not found.law.single
    radial = found.law.radial / sympy.Symbol("m1", real=True) if found.law.divides_by_mass else found.law.radial
    ratio = sympy.simplify(radial * sympy.Symbol("r", real=True) ** 2 / sympy.Symbol("m2", real=True))
    assert ratio.is_number and abs(float(ratio) + 1) < 0.02
    (constant,) = found.constants
    assert 0 < constant.standard_error < 0.02 and abs(abs(constant.value) - 1) < 5 * constant.standard_error


def test_hidden_charges_are_learned_up_to_their_scale():
    recording = snapshots("hidden charges")
    found = discover(recording)
    (told,) = found.announcement.properties.values()
    values = np.array(told["values"])
    assert not told["given"] and told["scale"] == "free"
    assert np.abs(values / values[0] - CHARGES / CHARGES[0]).max() < 0.05
    assert found.announcement.hypotheses["bodies differ"]["found"]
    assert any("scale is free" in line for line in observed.undetermined(found.announcement))
    # what is found predicts: opposite charges attract, equal ones repel, falling as the square
    rates = found.announcement.law.rates(found.evidence.motion)
    left = (rates - np.concatenate([one.acceleration.reshape(-1, 2) for one in recording.experiments])) / found.evidence.typical
    assert np.median(np.abs(left)) < 0.05


@pytest.mark.parametrize("kind", ["random", "three bodies"])
def test_without_a_pair_law_none_is_announced(kind):
    found = discover(snapshots(kind)).announcement
    assert not found.announced and found.reason
    assert observed.summary(found.record())[0] == f"no law is announced: {found.reason}"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The example, as a user's file with a name that is none for a folder."""
    path = tmp_path_factory.mktemp("user") / "my orbits (2).csv"
    example().to_csv(path, index=False)
    return path


def test_the_example_is_the_one_that_the_project_brings_along():
    recording, again = read_recording(paths.ROOT / "data" / "three-bodies.csv"), example()
    rows = np.concatenate([one.acceleration.reshape(-1, 2) for one in recording.experiments])
    assert np.allclose(rows, again[["ax", "ay"]].to_numpy(), rtol=1e-3, atol=1e-4)


def test_held_out_trajectories_are_predicted_within_the_noise_and_followed(file):
    recording = read_recording(file)
    found = discover(recording)
    judged = held_out(found)
    assert judged.whole_trajectories and 0.5 < judged.chi_square < 2.5
    assert len(judged.trajectories) < len(recording.experiments) / 3
    followed = rollouts(recording, found, judged)
    assert followed and all(np.median(one.distance) < 0.01 * np.ptp(one.measured) for one in followed)


@pytest.mark.parametrize(("force", "box", "law"), [("r1", None, "-1/r"), ("soft", 40.0, "-r/(r**2 + 0.3)**1.5")])
def test_a_law_from_positions_alone_is_followed_as_the_bodies_moved(force, box, law):
    sides = None if box is None else np.full(2, box)
    exact = planted_motion.motion(force, count=1, times=40, dt=0.02, n=3)
    shifted = (exact[0], exact[1] + (0 if box is None else box / 2), exact[2])  # over the box's edges, and back by wrapping
    recording = planted_motion.recording(shifted, box=sides)
    evidence = SimpleNamespace(motion=SimpleNamespace(reach=np.inf, ties=None))
    one = follow(recording, SimpleNamespace(learned=None, evidence=evidence), Law(2, parse(law, ["r"])), 0, 0)
    assert one.distance[0] < 1e-6 and 0 < one.distance[-1] < 1e-3
    assert np.abs(np.diff(one.measured, axis=0)).max() < 1


def test_independent_snapshots_are_no_motion_to_follow():
    recording = snapshots("noisy", graphs=1, times=10)
    assert not is_continuous(recording.experiments[0], None)


def test_a_network_is_judged_on_trajectories_that_it_has_not_seen(file, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    monkeypatch.setattr(graph_network, "EPOCHS", 25)
    evidence = discover(read_recording(file)).evidence
    assert graph_network.can_be_trained(evidence)
    error, seen = graph_network.held_out_error(evidence, "reciprocal", "orbits", "smoke")
    assert 0.05 < error < 1.05 and seen >= 25 * 150


def test_no_law_is_announced_beside_a_clearly_better_network():
    law = Announcement(True, Law(2, parse("-1/r", ["r"])), held_out_error={"law": 0.1}, confidence=1.0)
    assert graph_network.beside(law, 0.09).announced
    better = graph_network.beside(law, 0.05)
    assert not better.announced and "network" in better.reason and better.held_out_error["network"] == 0.05


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-1.79984, 0.0012, "1.7998(12)"),
        (6.02e23, 1.1e21, "6.020(11)e23"),
        (0.5, None, "0.5"),
        (12345.6, 678.0, "1.235(68)e4"),
        (3.2e-5, 1.5e-6, "3.20(15)e-5"),
        (0.01, 3.0, "0.01(undetermined)"),
    ],
)
def test_error_bars_are_in_units_of_the_last_digits(value, error, text):
    assert observed.with_error(Constant("c", value, error)) == text


def test_a_formula_over_a_regressed_term_is_that_term_alone():
    law = Law(2, parse("-2*m1*m2/r**2 + 3*m2*exp(-r)", ["r", "m1", "m2"]), divides_by_mass=True)
    r = sympy.Symbol("r", real=True)
    assert sympy.simplify(observed.along(law, PairTerm(RADIAL, (("m2", 1.0),))) + 2 / r**2) == 0
    only = observed.along(law, PairTerm(RADIAL, (("m1", -1.0), ("m2", 1.0))))
    assert sympy.simplify(only - 3 * sympy.exp(-r)) == 0
    assert observed.along(law, PairTerm(RADIAL, (("q1", 1.0),))) is None


def test_a_file_goes_through_the_command_and_then_nothing_runs_again(file, tmp_path):
    call = ("--data", str(file), "--columns", "x=x")
    said = finished(batch(tmp_path, *call))
    assert said.startswith("read my orbits (2).csv, as my-orbits-2:") and "experiments: 12" in said
    last = said.splitlines()[-4:]
    assert last[0].startswith("a law is announced; acceleration of body 1: -1.50") and "network" in last[1]
    folder = tmp_path / "outputs" / "data" / "my-orbits-2"
    assert last[2:] == [f"{what}: {(folder / name).relative_to(tmp_path)}" for what, name in WRITTEN.items()]
    record = json.loads((folder / "law.json").read_text())
    assert record["announced"] and read_law(record).radial.has(sympy.Symbol("m2", real=True))
    assert set(record["held_out_error"]) >= {"law", "network"}
    rendered = nbformat.read(folder / "10_your_data.ipynb", 4)
    assert sum("image/png" in out.get("data", {}) for cell in rendered.cells for out in cell.get("outputs", [])) == 4
    assert str(file.parent) not in json.dumps(rendered)
    # the data stay where they are, and no other stage ran
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_symlink() and p.read_bytes() == file.read_bytes()]
    assert [p.name for p in (tmp_path / "outputs").rglob("*.ipynb")] == ["10_your_data.ipynb"]
    again = finished(batch(tmp_path, *call))
    assert "Nothing to be done" in again and again.splitlines()[-4:] == last


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--data", "nowhere.csv"], "nowhere.csv is not there: give the path of a file"),
        (["--data", "."], "is a folder: give one file"),
        (["--data", "text.csv"], "text.csv"),
        (["--data", "good.csv", "--name", "../up"], "name '../up': choose at most 60 letters, digits, - and _"),
        (["--data", "good.csv", "--name", ".hidden"], "name '.hidden'"),
        (["--data", "good.csv", "--columns", "x"], "column 'x': write ours=theirs, as x=POSITION_X"),
        (["--data", "good.csv", "--columns", "x=a", "x=b"], "column 'x' is given twice"),
        (["--data", "good.csv", "--columns", "x=nothing"], "nothing"),
        (["--data", "good.csv", "--only", "spring-2d"], "--only does not go with --data"),
        (["--name", "orbits"], "--name belongs to --data FILE"),
    ],
)
def test_a_bad_request_ends_in_one_line_before_anything_begins(file, tmp_path, monkeypatch, capsys, arguments, line):
    (tmp_path / "good.csv").write_bytes(file.read_bytes())
    (tmp_path / "text.csv").write_text("some text\nthat is no table\n")
    monkeypatch.setenv("WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv(paths.CALLED_FROM, str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["batch", *arguments])
    assert lib.pipeline.batch.main() == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("run_all.sh: ") and line in error
    assert not (tmp_path / "workspace").exists()


def test_a_request_is_put_down_anew_only_when_it_changed(file, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE", str(tmp_path))
    own = tmp_path / "own.csv"
    own.write_bytes(file.read_bytes())
    record = record_of("orbits", "smoke")
    put_down(own, "orbits", None, {}, "smoke")
    before = record.stat().st_ino  # it is replaced as a whole when it is written
    put_down(own, "orbits", None, {}, "smoke")
    assert record.stat().st_ino == before
    put_down(own, "orbits", 25.0, {}, "smoke")
    changed = record.stat().st_ino
    own.write_text(own.read_text() + "\n")
    put_down(own, "orbits", 25.0, {}, "smoke")
    assert len({before, changed, record.stat().st_ino}) == 3


def test_names_are_made_safe(tmp_path):
    assert name_of(tmp_path / "Spots in tracks.2.csv", None) == "Spots-in-tracks-2"
    assert name_of(tmp_path / "轨迹.csv", None) == "data"
    with pytest.raises(InputError, match="name"):
        name_of(tmp_path / "a.csv", "a/b")
