"""Files as people have them: each kind gives the positions that were written, or one clear line."""

import gzip
import io
import pickle
import random
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.errors import InputError
from lib.observed import packed
from lib.observed.description import describe
from lib.observed.tables import read_recording
from lib.paths import ROOT

FORMATS = ROOT.parent / "shared" / "formats"
TIMES, BODIES = 12, 3
TIME = np.linspace(0, 1.1, TIMES)
ANGLE = TIME[:, None] + 2.1 * np.arange(BODIES)
POSITION = np.round(np.stack([(1.5 + np.arange(BODIES)) * np.cos(ANGLE), 2 * np.sin(1.3 * ANGLE)], axis=2), 6)
VELOCITY = np.stack([-(1.5 + np.arange(BODIES)) * np.sin(ANGLE), 2.6 * np.cos(1.3 * ANGLE)], axis=2)


def planted(name):
    """A file of shared/formats, where the checkout has them beside it."""
    path = FORMATS / name
    if not path.exists():
        pytest.skip("shared/formats is not beside this checkout")
    return path


def long_form(position=POSITION, time=TIME, **more):
    """Rows by time and body."""
    times, n = position.shape[:2]
    frame = pd.DataFrame({"time": np.repeat(time, n), "body": np.tile(np.arange(n), times)})
    for axis, values in zip("xyz", position.reshape(times * n, -1).T, strict=False):
        frame[axis] = values
    return frame.assign(**more)


def written(folder, text, name="measured.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def reading(folder, text, name="measured.csv", encoding="utf-8", **options):
    return read_recording(written(folder, text, name, encoding), **options)


def refusal(folder, text, name="measured.csv", **options):
    """The line with which a file is refused."""
    with pytest.raises(InputError) as error:
        reading(folder, text, name, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def same(recording, position=POSITION, time=TIME):
    (one,) = recording.experiments
    np.testing.assert_allclose(one.position, position, atol=1e-9)
    np.testing.assert_allclose(one.time, time, atol=1e-9)


# the eight files, each with its right reading


def laboratory():
    return read_recording(planted("expected-laboratory.csv")).experiments[0]


def test_the_columns_of_the_design():
    one = laboratory()
    assert one.position.shape == (800, 6, 2)
    np.testing.assert_allclose(np.diff(one.time), 0.05)
    table = pd.read_csv(planted("expected-laboratory.csv"))
    assert np.array_equal(one.position.reshape(-1, 2), table[["x", "y"]])


def test_a_european_spreadsheet():
    path = planted("decimal-comma.txt")
    recording = read_recording(path)
    assert np.array_equal(recording.experiments[0].position, laboratory().position)
    assert recording.time_unit == "frames"
    assert any("frames" in note for note in recording.notes)
    np.testing.assert_allclose(read_recording(path, frame_rate=20).experiments[0].time, laboratory().time)


def test_trackmate():
    recording = read_recording(planted("trackmate.csv"))
    np.testing.assert_allclose(recording.experiments[0].position, laboratory().position, atol=5.1e-6)
    np.testing.assert_allclose(recording.experiments[0].time, laboratory().time)
    assert (recording.time_unit, recording.length_unit, recording.dim) == ("sec", "micron", 2)
    assert not recording.experiments[0].properties
    assert any(note.startswith("25 rows without a body") for note in recording.notes)


def test_trackpy():
    recording = read_recording(planted("trackpy.csv"))
    (one,) = recording.experiments
    assert one.position.shape == (800, 6, 2)
    expected = np.array([160.0, 120.0]) + 40 * laboratory().position
    order = [int(np.nanargmin(np.linalg.norm(expected[100] - place, axis=1))) for place in one.position[100]]
    assert sorted(order) == list(range(6))
    np.testing.assert_allclose(one.position[one.present], expected[:, order][one.present], atol=1e-4)
    assert one.present[60:-60].mean() > 0.95
    assert "mass" not in one.properties
    assert any("mass" in note and "change in time" in note for note in recording.notes)


def test_lammps():
    pytest.importorskip("ase")
    recording = read_recording(planted("wrapped.lammpstrj"))
    (one,) = recording.experiments
    assert one.position.shape == (300, 16, 2)
    assert one.bodies == tuple(map(str, range(1, 17)))
    assert np.array_equal(recording.box, [9, 9])
    assert np.abs(np.diff(one.position, axis=0)).max() < 0.5
    np.testing.assert_allclose(one.position[-1, 0], [8.32195, 6.14661 - 9], atol=1e-12)
    np.testing.assert_allclose(one.acceleration[-1, 0], [1.7887, 0.50446])
    assert any("one mass" in note for note in recording.notes)
    # the file knows steps alone; velocities tell how long one is, a frame rate says it
    np.testing.assert_allclose(np.diff(one.time), 0.02, rtol=1e-3)
    np.testing.assert_allclose(np.diff(read_recording(planted("wrapped.lammpstrj"), frame_rate=1000).experiments[0].time), 0.02)


def test_relative_to_a_body():
    recording = read_recording(planted("tied-to-a-body.csv"))
    assert recording.experiments[0].bodies == ("alpha", "beta", "gamma", "delta", "epsilon")
    assert recording.frame == "alpha"
    assert any("alpha never moves" in note for note in recording.notes)
    assert recording.experiments[0].velocity is not None


def test_experiments_of_different_lengths():
    path = planted("different-lengths.csv")
    recording, table = read_recording(path), pd.read_csv(path)
    assert len(recording.experiments) == 40
    assert sum(one.position[..., 0].size for one in recording.experiments) == len(table)
    assert {len(one.bodies) for one in recording.experiments} == {2, 3, 4, 5}
    for one, (_, rows) in zip(recording.experiments, table.groupby("trajectory", sort=False), strict=True):
        assert np.array_equal(one.time, rows["time"].unique())
        assert np.array_equal(one.position.reshape(-1, 2), rows[["x", "y"]])
        assert np.array_equal(one.properties["mass"], rows["mass"][: len(one.bodies)])


def test_pickled_code_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = planted("pickled.npy").read_bytes()
    before = set(tmp_path.iterdir())
    assert "pickled" in refusal(tmp_path, content, "measured.npy")
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"measured.npy"}


class Payload:
    """An object whose pickle makes a file when it is loaded."""

    def __reduce__(self):
        return open, ("opened-a-pickle", "w")


@pytest.mark.parametrize("kind", ["a.npy", "a.npz", "a.pkl", "a.csv.gz"])
def test_nothing_is_ever_unpickled(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    content, array = io.BytesIO(), np.array([Payload()], dtype=object)
    if kind == "a.npy":
        np.save(content, array, allow_pickle=True)
    elif kind == "a.npz":
        np.savez(content, position=POSITION, more=array)
    else:
        content.write(pickle.dumps(Payload()))
    packed_too = gzip.compress(content.getvalue()) if kind.endswith("gz") else content.getvalue()
    assert "pickled" in refusal(tmp_path, packed_too, kind)
    assert [path.name for path in tmp_path.iterdir()] == [kind]


# whole kinds


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", "   ", ", "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_separators_and_encodings(tmp_path, separator, encoding):
    text = long_form().to_csv(index=False).replace(",", separator)
    text = "# Messung mit größter Sorgfalt\n" + text
    same(reading(tmp_path, text, encoding=encoding))


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas(tmp_path, separator):
    same(reading(tmp_path, long_form().to_csv(index=False, sep=separator, decimal=",")))


def test_decimal_commas_in_quotation_marks(tmp_path):
    text = long_form().to_csv(index=False, sep=";", decimal=",")
    same(reading(tmp_path, "\n".join(",".join(f'"{cell}"' for cell in line.split(";")) for line in text.splitlines())))


def test_thousands(tmp_path):
    table = long_form(1000 * POSITION)
    text = "time;body;x;y\n" + "\n".join(
        f"{t:.1f};{b};{x:,.6f};{y:,.6f}".translate(str.maketrans(",.", ".,")) for t, b, x, y in table.itertuples(index=False)
    )
    same(reading(tmp_path, text), 1000 * POSITION)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_and_blank_lines(tmp_path, ending):
    lines = long_form().to_csv(index=False).splitlines()
    same(reading(tmp_path, ending.join([*lines[:5], "", *lines[5:], "", ""])))


@pytest.mark.parametrize(
    ("header", "unit", "length"),
    [
        ("time [s],body,x [um],y [um]", "s", "um"),
        ("Time (s),Body,X (m),Y (m)", "s", "m"),
        ("time_s,particle,x_mm,y_mm", "s", "mm"),
        ("t / s,track,x / µm,y / µm", "s", "µm"),
        ("POSITION_T,TRACK_ID,POSITION_X,POSITION_Y", "", ""),
        ('"time",id,pos_x,pos_y', "", ""),
    ],
)
def test_names_and_units(tmp_path, header, unit, length):
    text = long_form().to_csv(index=False).replace("time,body,x,y", header)
    recording = reading(tmp_path, text)
    same(recording)
    assert (recording.time_unit, recording.length_unit) == (unit, length)


def test_a_line_of_units_below_the_names(tmp_path):
    recording = reading(tmp_path, long_form().to_csv(index=False).replace("time,body,x,y", "time,body,x,y\nms,,cm,cm"))
    same(recording)
    assert (recording.time_unit, recording.length_unit) == ("ms", "cm")


def test_different_units_of_coordinates_are_refused(tmp_path):
    text = long_form().to_csv(index=False).replace("x,y", "x [mm],y [um]")
    assert "different units" in refusal(tmp_path, text)


@pytest.mark.parametrize("mark", ["#", "%", "//"])
def test_names_in_a_comment(tmp_path, mark):
    text = long_form().to_csv(index=False, sep=" ")
    same(reading(tmp_path, f"{mark} made by hand\n{mark} {text}", "measured.dat"))


def test_lines_above_the_names(tmp_path):
    same(reading(tmp_path, "Exported on Monday\nby somebody\n\n" + long_form().to_csv(index=False)))
    same(reading(tmp_path, "sep=;\n" + long_form().to_csv(index=False, sep=";")))


def test_the_names_again_among_the_rows(tmp_path):
    lines = long_form().to_csv(index=False).splitlines()
    recording = reading(tmp_path, "\n".join([*lines[:10], lines[0], *lines[10:]]))
    same(recording)
    assert any("names stands again 1 time" in note for note in recording.notes)


def test_names_of_bodies_as_text(tmp_path):
    table = long_form()
    table["body"] = table["body"].map({0: "Sun", 1: "Earth", 2: "Mars"})
    recording = reading(tmp_path, table.to_csv(index=False))
    same(recording)
    assert recording.experiments[0].bodies == ("Sun", "Earth", "Mars")


@pytest.mark.parametrize(
    "form",
    ["{q}{k}", "{q}_{k}", "{q}[{k}]", "{q}({k})", "{name}_{q}", "{q}_{name}", "{name} {q}", "{name}.{q} [km]", "{q}{k}_km"],
)
def test_wide_tables(tmp_path, form):
    names = ["Sun", "Earth", "Mars"]
    columns = {"time": TIME}
    for i, name in enumerate(names):
        for axis in (1, 0):
            columns[form.format(q="xy"[axis], k=i + 1, name=name)] = POSITION[:, i, axis]
    columns["temperature"] = np.arange(TIMES)
    recording = reading(tmp_path, pd.DataFrame(columns).to_csv(index=False))
    same(recording)
    assert recording.experiments[0].bodies == (tuple(names) if "name" in form else ("1", "2", "3"))
    assert any("temperature" in note for note in recording.notes)


def test_a_wide_table_with_velocities_masses_and_no_time(tmp_path):
    columns = {}
    for i in range(BODIES):
        columns |= {f"x{i}": POSITION[:, i, 0], f"y{i}": POSITION[:, i, 1], f"m{i}": 1.0 + i}
        columns |= {f"vx{i}": VELOCITY[:, i, 0], f"vy{i}": VELOCITY[:, i, 1]}
    recording = reading(tmp_path, pd.DataFrame(columns).to_csv(index=False))
    (one,) = recording.experiments
    np.testing.assert_allclose(one.position, POSITION)
    np.testing.assert_allclose(one.velocity, VELOCITY)
    assert np.array_equal(one.properties["mass"], [1, 2, 3])
    # frames are as far apart as velocities and positions say
    np.testing.assert_allclose(one.time, TIME, rtol=1e-3)


def test_letters_that_might_be_units(tmp_path):
    table = pd.DataFrame({"t": TIME, **{f"{a}_{b}": POSITION[:, i, k] for i, b in enumerate("me") for k, a in enumerate("xy")}})
    recording = reading(tmp_path, table.to_csv(index=False))
    same(recording, POSITION[:, :2])
    assert (recording.experiments[0].bodies, recording.length_unit) == (("m", "e"), "")
    flat = VELOCITY.reshape(-1, 2).T
    table = long_form().rename(columns={"time": "time_s", "x": "x_m", "y": "y_m"}).assign(vx_m_per_s=flat[0], vy_m_s=flat[1])
    recording = reading(tmp_path, table.to_csv(index=False))
    np.testing.assert_allclose(recording.experiments[0].velocity, VELOCITY)
    assert (recording.time_unit, recording.length_unit) == ("s", "m")


def test_a_wide_table_that_lacks_a_column(tmp_path):
    table = pd.DataFrame({"t": TIME, **{f"{a}{i}": POSITION[:, i, k] for i in range(3) for k, a in enumerate("xy")}})
    assert "has column x2 and no y of body 2" in refusal(tmp_path, table.drop(columns="y2").to_csv(index=False))
    assert "has no column of body, x, y" in refusal(tmp_path, table[["t"]].assign(u=1).to_csv(index=False))
    assert "has no column of body" in refusal(tmp_path, table.rename(columns={"x0": "x", "y0": "y"}).to_csv(index=False))
    assert "has no column of body" in refusal(tmp_path, "time,x (m),y (m)\n" + "1,2,3\n" * 12)
    named = table.rename(columns={"x2": "x2 [mm]", "x1": "x1 [um]"})
    assert "different units" in refusal(tmp_path, named.to_csv(index=False))


def test_names_in_two_lines(tmp_path):
    lines = ["bodyparts," + ",".join(f"fish{i},fish{i}" for i in range(BODIES)), "coords," + ",".join(["x,y"] * BODIES)]
    lines += [",".join(map(str, [k, *POSITION[k].ravel()])) for k in range(TIMES)]
    recording = reading(tmp_path, "\n".join(lines))
    same(recording, time=np.arange(TIMES))
    assert recording.experiments[0].bodies == ("fish0", "fish1", "fish2")


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.bz2", ".csv.xz", ".zip", ".csv"])
def test_packed(tmp_path, suffix):
    import bz2
    import lzma

    text = long_form().to_csv(index=False).encode()
    if suffix == ".zip":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("__MACOSX/._measured.csv", b"junk")
            archive.writestr("folder/measured.csv", text)
        text = content.getvalue()
    else:
        text = {".csv.gz": gzip.compress, ".csv.bz2": bz2.compress, ".csv.xz": lzma.compress, ".csv": bytes}[suffix](text)
    same(reading(tmp_path, text, f"measured{suffix}"))
    same(reading(tmp_path, text, "measured.txt"))


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "LIMIT", 1000)
    assert "more than" in refusal(tmp_path, gzip.compress(b" " * 100_000))


def test_two_files_in_one_zip_are_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    assert "packs 2 files (a.csv, b.csv)" in refusal(tmp_path, content.getvalue(), "measured.zip")


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "measured.parquet"
    # trackpy's index has the name of a column
    table = long_form().rename(columns={"time": "frame", "body": "particle"}).assign(frame=np.repeat(np.arange(TIMES), BODIES))
    table.set_index("frame", drop=False).rename_axis("index").to_parquet(path)
    same(read_recording(path), time=np.arange(TIMES))


def test_parquet_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.observed.parquet.importlib.util.find_spec", lambda name: None)
    assert "pip install '.[parquet]'" in refusal(tmp_path, b"PAR1" + b"\0" * 100)


def arrays(count=2, **more):
    return {"position": np.stack([POSITION + s for s in range(count)]), "time": np.stack([TIME] * count), **more}


def npz(**named):
    content = io.BytesIO()
    np.savez(content, **named)
    return content.getvalue()


def test_npz(tmp_path):
    mass = np.array([[1.0, 2, 3], [2, 3, 4]])
    velocity = np.stack([VELOCITY, VELOCITY])
    recording = reading(tmp_path, npz(**arrays(mass=mass, velocity=velocity, box=[50.0, 50.0], spin=mass.T[0])), "a.npz")
    assert len(recording.experiments) == 2
    np.testing.assert_allclose(recording.experiments[1].position, POSITION + 1)
    np.testing.assert_allclose(recording.experiments[1].velocity, VELOCITY)
    assert np.array_equal(recording.experiments[1].properties["mass"], [2, 3, 4])
    assert np.array_equal(recording.box, [50, 50])
    assert any("spin" in note for note in recording.notes)


def test_npz_of_different_lengths_and_bodies(tmp_path):
    held = arrays()
    held["position"][1, :, 2] = np.nan
    held["position"][0, 3, 1] = np.nan
    held["time"][1, 9:] = np.nan
    first, second = reading(tmp_path, npz(**held, mass=[[1, 2, 3], [1, 2, np.nan]]), "a.npz").experiments
    assert (first.position.shape, second.position.shape) == ((12, 3, 2), (9, 2, 2))
    assert np.isnan(first.position[3, 1]).all()
    assert np.array_equal(second.properties["mass"], [1, 2])


def test_npz_of_one_experiment_under_other_names(tmp_path):
    content = npz(pos=POSITION, t=TIME, masses=[1.0, 2, 3], names=["a", "b", "c"])
    recording = reading(tmp_path, content, "a.npz")
    same(recording)
    assert recording.experiments[0].bodies == ("a", "b", "c")
    same(reading(tmp_path, npz(trail=POSITION, clock=TIME), "b.npz", columns={"position": "trail", "time": "clock"}))


def test_npy(tmp_path):
    content = io.BytesIO()
    np.save(content, POSITION)
    recording = reading(tmp_path, content.getvalue(), "a.npy", frame_rate=10)
    same(recording)
    content = io.BytesIO()
    np.save(content, long_form().to_records(index=False))
    same(reading(tmp_path, content.getvalue(), "b.npy"))


@pytest.mark.parametrize(
    ("named", "line"),
    [
        ({"speed": np.zeros(3)}, "has no array position"),
        ({"position": POSITION[:, :, :1]}, "12 x 3 x 1"),
        ({"position": POSITION, "time": TIME[::-1]}, "times must ascend"),
        ({"position": POSITION, "time": TIME[:5]}, "time is 5"),
        ({"position": POSITION, "velocity": VELOCITY[:5]}, "shape of position"),
        ({"position": POSITION, "mass": [1.0, 2, 3, 4]}, "mass must be"),
        ({"position": POSITION, "mass": [1.0, -2, 3]}, "masses must be positive"),
        ({"position": POSITION, "box": [1.0, 2, 3]}, "2 positive periods"),
        ({"position": POSITION, "dt": 0.0}, "dt must be"),
        ({"position": np.where(np.isclose(POSITION, POSITION[3, 1]), np.inf, POSITION)}, "infinite"),
        ({"position": POSITION.astype(str)}, "where numbers belong"),
        ({"position": POSITION.astype(object)}, "pickled"),
        ({"position": POSITION, "note": np.array([{"a": 1}], dtype=object)}, "pickled"),
        ({"position": POSITION, "pos": POSITION, "positions": POSITION, "names": ["a", "a", "a"]}, "1 name of bodies"),
        ({"position": np.full((12, 3, 2), np.nan)}, "holds no position"),
        ({"position": POSITION[:, :1]}, "one body only"),
    ],
)
def test_arrays_that_are_refused(tmp_path, named, line):
    assert line in refusal(tmp_path, npz(**named), "a.npz")


def dump(wrapped=True, flags=True, mass=False, names="id type x y z {flags} vx vy vz fx fy fz {mass}", box=4.0):
    """A LAMMPS dump, z flat, atoms in another order in each frame."""
    rng, lines = np.random.default_rng(0), []
    position = np.cumsum(np.concatenate([POSITION[:1] % box, np.full((TIMES - 1, BODIES, 2), 0.4)]), axis=0)
    columns = names.format(flags="ix iy iz" if flags else "", mass="mass" if mass else "")
    for k in range(TIMES):
        lines += ["ITEM: TIMESTEP", str(100 * k), "ITEM: NUMBER OF ATOMS", str(BODIES), "ITEM: BOX BOUNDS pp pp pp"]
        lines += [f"0.0 {box}", f"0.0 {box}", "-0.5 0.5", f"ITEM: ATOMS {columns}"]
        for i in rng.permutation(BODIES):
            turns = np.floor(position[k, i] / box).astype(int) if wrapped else np.zeros(2, int)
            x, y = position[k, i] - turns * box
            cells = {"id": i + 7, "type": 1, "x": x, "y": y, "z": 0, "ix": turns[0], "iy": turns[1], "iz": 0, "mass": i + 2.0}
            cells |= {"vx": 4, "vy": 4, "vz": 0, "fx": i, "fy": 2 * i, "fz": 0}
            cells |= {"xu": position[k, i, 0], "yu": position[k, i, 1], "zu": 0, "q": i - 1.0}
            lines.append(" ".join(str(cells[name]) for name in columns.split()))
    return "\n".join(lines) + "\n", position


@pytest.mark.parametrize(("wrapped", "flags"), [(True, True), (True, False), (False, False)])
def test_dumps_wrapped_or_not(tmp_path, wrapped, flags):
    pytest.importorskip("ase")
    text, position = dump(wrapped, flags)
    recording = reading(tmp_path, text, "a.dump", frame_rate=1000)
    (one,) = recording.experiments
    np.testing.assert_allclose(one.position, position, atol=1e-9)
    np.testing.assert_allclose(one.time, np.arange(TIMES) * 0.1)
    np.testing.assert_allclose(one.velocity, 4)
    np.testing.assert_allclose(one.acceleration[5, :, 1], [0, 2, 4])
    assert one.bodies == ("7", "8", "9")
    assert np.array_equal(recording.box, [4, 4])


def test_a_dump_that_is_periodic_along_one_axis(tmp_path):
    pytest.importorskip("ase")
    text, position = dump(flags=False, names="id type xu yu zu ix iy iz")
    recording = reading(tmp_path, text.replace("pp pp pp", "pp ff pp"), "a.dump")
    np.testing.assert_allclose(recording.experiments[0].position, position, atol=1e-9)
    assert recording.box[0] == 4
    assert recording.box[1] > 2 * np.ptp(position[..., 1])
    assert reading(tmp_path, text.replace("pp pp pp", "ff ff pp"), "b.dump").box is None


def test_a_dump_with_masses_and_charges(tmp_path):
    pytest.importorskip("ase")
    text, position = dump(flags=False, mass=True, names="id mass q xu yu zu vx vy vz fx fy fz")
    recording = reading(tmp_path, gzip.compress(text.encode()), "a.dump.gz")
    (one,) = recording.experiments
    np.testing.assert_allclose(one.position, position, atol=1e-9)
    assert np.array_equal(one.properties["mass"], [2, 3, 4])
    assert np.array_equal(one.properties["charge"], [-1, 0, 1])
    np.testing.assert_allclose(one.acceleration[0, :, 0], [0, 1 / 3, 2 / 4])
    np.testing.assert_allclose(one.time, np.arange(TIMES) * 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("ATOMS id type", "ATOMS type id_", "no ids"),
        ("0.0 4.0", "0.0 4.0 0.5", "damaged"),
        ("ITEM: TIMESTEP\n100\n", "ITEM: TIMESTEP\n5000\n", "back in time"),
        ("ITEM: NUMBER OF ATOMS\n3", "ITEM: NUMBER OF ATOMS\n4", "damaged"),
        ("xu", "xu", "needs at least"),
        ("ITEM: ATOMS", "ITEM: ATOM", "without atoms"),
        ("pp pp pp\n0.0 4.0\n0.0 4.0\n-0.5 0.5", "xy xz yz pp pp pp\n0 5 1\n0 4 0\n-0.5 0.5 0", "not rectangular"),
        (
            "100\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0.0 4.0",
            "100\nITEM: NUMBER OF ATOMS\n3\nITEM: BOX BOUNDS pp pp pp\n0.0 4.1",
            "changes in time",
        ),
    ],
)
def test_dumps_that_are_refused(tmp_path, old, new, line):
    pytest.importorskip("ase")
    text, _ = dump()
    if old == new:
        text, line = text.split("ITEM: TIMESTEP\n300")[0], "too few rows"
    assert line in refusal(tmp_path, text.replace(old, new), "a.dump")


def xyz(extended=True, labels=("A", "A", "A"), box=None):
    lines = []
    for k in range(TIMES):
        lattice = f'Lattice="{box} 0 0 0 {box} 0 0 0 1" pbc="T T F" ' if box else ""
        form = f"{lattice}Properties=species:S:1:pos:R:3:velo:R:3:forces:R:3 time={TIME[k]}" if extended else f"step number {k}"
        lines += [str(BODIES), form]
        for label, (x, y), (vx, vy) in zip(labels, POSITION[k], VELOCITY[k], strict=True):
            lines.append(f"{label} {x} {y} 0.0" + (f" {vx} {vy} 0 {2 * x} {2 * y} 0" if extended else ""))
    return "\n".join(lines) + "\n"


def test_extended_xyz(tmp_path):
    pytest.importorskip("ase")
    recording = reading(tmp_path, xyz(box=30), "a.xyz")
    same(recording)
    np.testing.assert_allclose(recording.experiments[0].velocity, VELOCITY)
    np.testing.assert_allclose(recording.experiments[0].acceleration, 2 * POSITION)
    assert np.array_equal(recording.box, [30, 30])
    assert reading(tmp_path, xyz(labels=("Sun", "Io", "X")), "b.xyz").experiments[0].bodies == ("Io", "Sun", "X")
    masses = reading(tmp_path, xyz(labels=("H", "O", "H")), "c.xyz").experiments[0].properties["mass"]
    np.testing.assert_allclose(masses, [1.008, 15.999, 1.008])


def test_xyz_with_columns_of_other_shapes(tmp_path):
    pytest.importorskip("ase")
    text = xyz().replace("velo:R:3", "mass:R:3").replace("forces:R:3", "momenta:R:3")
    recording = reading(tmp_path, text, "a.xyz")
    same(recording)
    assert not recording.experiments[0].properties
    assert any("Momenta are left out" in note for note in recording.notes)


def test_plain_xyz(tmp_path):
    pytest.importorskip("ase")
    same(reading(tmp_path, xyz(extended=False), "a.xyz"), time=np.arange(TIMES))
    assert "whole frame" in refusal(tmp_path, xyz(extended=False)[:-60], "b.xyz")


def test_dumps_without_their_library(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ase", None)
    monkeypatch.setitem(__import__("sys").modules, "ase.io", None)
    monkeypatch.setitem(__import__("sys").modules, "ase.io.extxyz", None)
    assert "pip install '.[lammps]'" in refusal(tmp_path, xyz(), "a.xyz")


# what is told, left out, and put in order


def test_columns_by_choice(tmp_path):
    text = long_form().rename(columns={"x": "links", "y": "oben"}).to_csv(index=False)
    same(reading(tmp_path, text, columns={"x": "links", "y": "oben"}))
    assert "has no column of x, y" in refusal(tmp_path, text)
    assert "choose among trajectory, time" in refusal(tmp_path, text, columns={"left": "links"})
    assert "is missing: the file has time, body, links, oben" in refusal(tmp_path, text, columns={"x": "rechts"})
    assert "one column is chosen for two" in refusal(tmp_path, text, columns={"x": "links", "y": "links"})


def test_a_frame_rate_that_is_none(tmp_path):
    text = long_form().rename(columns={"time": "frame"}).to_csv(index=False)
    for rate in (0, -1, np.nan, np.inf):
        assert "frame rate" in refusal(tmp_path, text, frame_rate=rate)


def test_properties(tmp_path):
    table = long_form(size=np.tile([1.0, 2, 3], TIMES), shade=np.arange(TIMES * BODIES), kind="ball", zoom=3.0)
    recording = reading(tmp_path, table.assign(charge=table["size"]).to_csv(index=False))
    assert {name: list(v) for name, v in recording.experiments[0].properties.items()} == {
        "charge": [1, 2, 3],
        "size": [1, 2, 3],
    }
    told = " ".join(recording.notes)
    assert all(name in told for name in ("shade", "kind", "zoom"))


def test_velocities_accelerations_and_forces(tmp_path):
    flat = VELOCITY.reshape(-1, 2).T
    table = long_form(vx=flat[0], vy=flat[1], fx=flat[1], fy=flat[0], mass=np.tile([1.0, 2, 4], TIMES))
    (one,) = reading(tmp_path, table.to_csv(index=False)).experiments
    np.testing.assert_allclose(one.velocity, VELOCITY)
    np.testing.assert_allclose(one.acceleration, VELOCITY[..., ::-1] / np.array([1.0, 2, 4])[:, None])
    (one,) = reading(tmp_path, table.rename(columns={"fx": "ax", "fy": "ay"}).to_csv(index=False)).experiments
    np.testing.assert_allclose(one.acceleration, VELOCITY[..., ::-1])
    recording = reading(tmp_path, table.drop(columns="vy").to_csv(index=False))
    assert recording.experiments[0].velocity is None
    assert any("components are missing: vx" in note for note in recording.notes)


def test_velocities_in_another_unit_are_told(tmp_path):
    flat = 1000 * VELOCITY.reshape(-1, 2).T
    recording = reading(tmp_path, long_form(vx=flat[0], vy=flat[1]).to_csv(index=False))
    assert recording.experiments[0].velocity is None
    assert any("units differ" in note for note in recording.notes)


def test_missing_rows_and_bodies_that_come_and_go(tmp_path):
    table = long_form()
    absent = (
        ((table["body"] == 1) & (table["time"] < 0.25)) | ((table["body"] == 2) & (table["time"] > 0.9)) | (table.index == 16)
    )
    recording = reading(tmp_path, table[~absent].to_csv(index=False))
    expected = POSITION.copy()
    expected.reshape(-1, 2)[absent] = np.nan
    same(recording, expected)
    assert any("Coming late or leaving early: 1, 2" in note for note in recording.notes)


def test_bodies_too_scattered_to_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.observed.rows.LIMIT", 100)
    assert "3 bodies at 12 times" in refusal(tmp_path, TEXT)


def test_rows_in_no_order_are_sorted(tmp_path):
    recording = reading(tmp_path, long_form().sample(frac=1, random_state=1).to_csv(index=False))
    same(recording)
    assert any("sorted" in note for note in recording.notes)
    assert not any("sorted" in note for note in reading(tmp_path, long_form().to_csv(index=False)).notes)


def test_rows_standing_twice(tmp_path):
    table = long_form()
    recording = reading(tmp_path, pd.concat([table, table[3:5]]).to_csv())
    same(recording)
    assert any("2 rows standing twice" in note for note in recording.notes)
    assert "body 0 stands at time 0.1 a second time" in refusal(
        tmp_path, pd.concat([table, table[3:4].assign(x=9.0)]).to_csv(index=False)
    )


def test_a_third_coordinate(tmp_path):
    flat = np.concatenate([POSITION, np.full((TIMES, BODIES, 1), 2.5)], axis=2)
    recording = reading(tmp_path, long_form(flat).to_csv(index=False))
    same(recording)
    assert any("z never changes" in note for note in recording.notes)
    same(reading(tmp_path, npz(position=flat, time=TIME, box=[50.0, 50, 50]), "a.npz"))
    flat[3, 1, 2] = 2.6
    same(reading(tmp_path, long_form(flat).to_csv(index=False)), flat)


def test_frames_of_reference(tmp_path):
    def read(position):
        return reading(tmp_path, long_form(position).to_csv(index=False))

    assert read(POSITION - POSITION[:, 1:2]).frame == "1"
    held = POSITION.copy()
    held[:, 1] = [3.0, 4.0]
    assert read(held).frame == read(POSITION).frame == "inertial"
    assert any("taken as held: 1" in note for note in read(held).notes)


def test_positions_across_a_periodic_box(tmp_path):
    moving = POSITION + 2.0 * TIME[:, None, None]
    recording = reading(tmp_path, npz(position=moving % 3.0, time=TIME, box=3.0), "a.npz")
    (one,) = recording.experiments
    np.testing.assert_allclose(one.position - one.position[0], moving - moving[0], atol=1e-9)
    # beyond one period they are unwrapped already, however fast they move
    fast = POSITION + 20.0 * TIME[:, None, None]
    same(reading(tmp_path, npz(position=fast, time=TIME, box=3.0), "b.npz"), fast)


@pytest.mark.parametrize(
    ("clock", "unit"),
    [(lambda t: f"2020-02-03T04:05:{10 + t:09.6f}", "s"), (lambda t: f"0:01:{20 + t:.6f}", "s"), (lambda t: f"{t:.6f}", "")],
)
def test_clocks(tmp_path, clock, unit):
    recording = reading(tmp_path, long_form().assign(time=lambda t: t["time"].map(clock)).to_csv(index=False))
    assert recording.time_unit == unit
    np.testing.assert_allclose(np.diff(recording.experiments[0].time), np.diff(TIME), atol=1e-6)


def test_description(tmp_path):
    table = long_form(mass=2.0)[:-1]
    lines = describe(reading(tmp_path, table.to_csv(index=False))).splitlines()
    assert "bodies: 3 in 2D" in lines
    assert "times: 12 in each, 12 in all" in lines
    assert "spacing: 0.1" in lines
    assert "missing: 1 of 36 positions (2.78%)" in lines
    assert "given: positions, mass" in lines


# bad input: one line each


TEXT = long_form().to_csv(index=False)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ("\n\n  \n", "no line of data"),
        ("hello", "not a table"),
        ("time,body,x,y\n", "no row of numbers"),
        (TEXT.split("\n", 1)[1], "no line of column names"),
        (TEXT.replace("body", "thing"), "has no column of body"),
        (TEXT.replace("time", "thing"), "no column of time or frame"),
        (TEXT.replace("body,x,y", "body,x,x"), "would all be read as x"),
        (TEXT.replace("body,x,y", "body,x,X"), "would all be read as x"),
        (TEXT.replace("\n0.1,0,", "\n0.1,0,many"), "line 5: column x holds 'many"),
        (TEXT.replace("\n0.1,0,", "\n0.1,0,inf,7#").replace("7#", ""), "line 5 has 5 fields"),
        (TEXT.replace("\n0.1,0,", "\n0.1,0,1e999\n0.1,0,"), "line 5 has 3 fields where 4 belong"),
        (TEXT + "9,0,inf,1\n", "line 38: column x holds an infinite value"),
        (TEXT + "soon,0,1,1\n", "line 38: column time holds 'soon'"),
        (TEXT + '9,0,1,"1\n', "quotation mark"),
        (TEXT + "9,0,1,\x001\n", "neither text"),
        (TEXT + "9,0,1,\x011\n", "line 38 holds a character that is no text"),
        ("\n".join(TEXT.splitlines()[:7]), "too few rows"),
        (long_form(POSITION[:, :1]).to_csv(index=False), "one body only"),
        (long_form(mass=np.tile([1.0, 0, 3], TIMES)).to_csv(index=False), "body 1 has the mass 0"),
        (long_form(frame=np.repeat(np.arange(TIMES)[::-1], BODIES)).to_csv(index=False), "time goes back while frames go on"),
        (
            long_form().assign(body=lambda t: t["body"] + 9 * (t["time"] > 0.5)).to_csv(index=False),
            "replaced by others at time",
        ),
        (
            pd.concat([long_form(), long_form(POSITION + 1)]).to_csv(index=False),
            "number the experiments in a column trajectory",
        ),
        ('{"time": [1, 2]}', "JSON"),
        ("<html><body>", "XML or HTML"),
        (pickle.dumps({"x": [1]}), "pickled"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PK\x03\x04 and no more", "cannot be unpacked"),
        (gzip.compress(TEXT.encode())[:-30], "cannot be unpacked"),
        (b"\x93NUMPY\x01\x00 and no more", "damaged numpy file"),
        (b"\x93NUMPY\x01\x00\x3a\x00{'descr':'<f8','fortran_order':False,'shape':(999999999,)}\n", "damaged numpy file"),
        (bytes(range(256)), "neither text"),
    ],
)
def test_bad_files(tmp_path, text, line):
    assert line in refusal(tmp_path, text)


def test_what_is_no_file(tmp_path, monkeypatch):
    for path, line in ((tmp_path, "is a folder"), (tmp_path / "none.csv", "is not there")):
        with pytest.raises(InputError, match=line):
            read_recording(path)
    monkeypatch.setattr("lib.observed.tables.LIMIT", 10)
    assert "more than" in refusal(tmp_path, TEXT)


def contents():
    """Files of all kinds, by name, as bytes."""
    table = long_form(mass=np.tile([1.0, 2, 3], TIMES))
    wide = pd.DataFrame({"time": TIME} | {f"{a}{i}": POSITION[:, i, k] for i in range(BODIES) for k, a in enumerate("xy")})
    array = io.BytesIO()
    np.save(array, POSITION)
    found = {
        "long.csv": table.to_csv(index=False).encode(),
        "wide.txt": wide.to_csv(index=False, sep="\t").encode(),
        "comma.csv": table.to_csv(index=False, sep=";", decimal=",").encode("utf-16"),
        "runs.csv": pd.concat([table.assign(run=k) for k in "ab"]).to_csv(index=False).encode("utf-8-sig"),
        "spaces.dat": ("# " + table.to_csv(index=False, sep=" ")).encode(),
        "packed.csv.gz": gzip.compress(table.to_csv(index=False).encode(), mtime=0),
        "arrays.npz": npz(**arrays(mass=np.ones((2, 3)))),
        "positions.npy": array.getvalue(),
    }
    try:
        import ase  # noqa: F401

        found |= {"a.dump": dump()[0].encode(), "a.xyz": xyz().encode()}
    except ImportError:
        pass
    try:
        content = io.BytesIO()
        table.to_parquet(content)
        found["a.parquet"] = content.getvalue()
    except ImportError:
        pass
    return found


CONTENTS = contents()
CELLS = [
    b"",
    b"nan",
    b"inf",
    b"-1e400",
    b"abc",
    b"1,5",
    b"1.5",
    b'"',
    b"\xff",
    b"\x00",
    b"0",
    b"-1",
    b"1e300",
    b"9" * 30,
    b"\n",
]


def damaged(content, rng):
    """Some damage to a file: bytes, cells, lines and columns lost, changed, doubled and moved."""
    lines = content.split(b"\n")
    how = rng.randrange(9)
    k, j = rng.randrange(len(content)), rng.randrange(len(lines))
    if how == 0:
        return content[:k]
    if how == 1:
        return content[:k] + bytes([rng.randrange(256)]) + content[k + 1 :]
    if how == 2:
        return content[:k] + content[k + rng.randrange(1, 40) :]
    if how == 3:
        lines.insert(rng.randrange(len(lines)), lines[j])
    elif how == 4:
        del lines[j]
    elif how == 5:
        rng.shuffle(lines)
    elif how == 6:
        separator = next((s for s in (b"\t", b";", b",", b" ") if s in lines[j]), b",")
        cells = lines[j].split(separator)
        cells[rng.randrange(len(cells))] = rng.choice(CELLS)
        lines[j] = separator.join(cells)
    elif how == 7:
        lines = [line.rsplit(b",", 1)[0] for line in lines]
    else:
        return content.replace(
            rng.choice([b"x", b"y", b"time", b"body", b"0", b",", b"."]), rng.choice([b"y", b"z", b"", b";", b"1"])
        )
    return b"\n".join(lines)


@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(CONTENTS)), seed=st.integers(0, 2**32), times=st.integers(1, 4))
def test_damaged_files_give_one_line(tmp_path, name, seed, times):
    rng, content = random.Random(seed), CONTENTS[name]
    for _ in range(times):
        content = damaged(content, rng) or b" "
    path = written(tmp_path, content, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            recording = read_recording(path)
        except InputError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 600
            return
    holds_what_was_promised(recording)


def wrong_cell(table, rng, value):
    table = table.astype({"x": object, "time": object})
    table.loc[rng.randrange(len(table)), rng.choice(["x", "time"])] = value
    return table


def some(table, rng, most=6):
    return table.index.isin(rng.sample(range(len(table)), rng.randint(1, most)))


WRONG = {
    "has no column of body": lambda t, rng: t.drop(columns="body"),
    "has no column of x": lambda t, rng: t.drop(columns="x"),
    "no column of time": lambda t, rng: t.drop(columns="time"),
    "would all be read as y": lambda t, rng: t.assign(Y=1.0),
    "where a number belongs": lambda t, rng: wrong_cell(t, rng, rng.choice(["many", "1e", "0x1", "1.2.3", "--5"])),
    "infinite value": lambda t, rng: wrong_cell(t, rng, rng.choice(["inf", "-inf", "Infinity", "1e999"])),
    "a second time with other values": lambda t, rng: pd.concat([t, t[some(t, rng)].assign(x=7.5)]).sample(
        frac=1, random_state=1
    ),
    "one body only": lambda t, rng: t[t["body"] == rng.randrange(BODIES)],
    "too few rows": lambda t, rng: t[: rng.randrange(BODIES, 7 * BODIES)],
    "masses must be positive": lambda t, rng: t.assign(mass=t["mass"] - 1.0 - rng.randrange(BODIES)),
    "replaced by others": lambda t, rng: t.assign(body=t["body"] + 9 * (t["time"] > rng.uniform(0.05, 1.05))),
    "time goes back": lambda t, rng: t.assign(frame=t["time"].where(t["time"] != TIME[rng.randrange(1, TIMES)], -1)),
}
"""Damage to a table that must be refused, by what the line says."""
HARMLESS = {
    "rows in another order": lambda t, rng: t.sample(frac=1, random_state=rng.randrange(1000)),
    "columns in another order": lambda t, rng: t[rng.sample(list(t.columns), len(t.columns))],
    "rows twice": lambda t, rng: pd.concat([t, t[some(t, rng)]]),
    "rows missing": lambda t, rng: t[~some(t, rng)],
    "values missing": lambda t, rng: t.assign(x=t["x"].mask(some(t, rng))),
    "rows without a body": lambda t, rng: t.assign(body=t["body"].mask(some(t, rng))),
    "further columns": lambda t, rng: t.assign(shade=rng.random(), note="a b", count=range(len(t))),
    "mass that changes": lambda t, rng: t.assign(mass=t["mass"] + t["time"] * rng.random()),
    "mass of one body missing": lambda t, rng: t.assign(mass=t["mass"].mask(t["body"] == 1)),
}
"""Peculiarities that must not hinder the reading."""
WRITERS = {
    "a.csv": lambda t: t.to_csv(index=False).encode(),
    "b.txt": lambda t: t.to_csv(sep="\t", index=False).encode("utf-16"),
    "c.csv": lambda t: t.to_csv(sep=";").encode("utf-8-sig"),
    "d.csv.gz": lambda t: gzip.compress(t.to_csv(index=False).encode()),
    "e.csv": lambda t: t.assign(run="first").to_csv(index=False).encode("latin-1"),
}


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(how=st.sampled_from([*WRONG, *HARMLESS]), name=st.sampled_from(sorted(WRITERS)), seed=st.integers(0, 2**32))
def test_damaged_tables_are_refused_for_what_is_wrong(tmp_path, how, name, seed):
    table = long_form(mass=np.tile([1.0, 2, 3], TIMES))
    table = (WRONG | HARMLESS)[how](table, random.Random(seed))
    content = WRITERS[name](table)
    if how in WRONG:
        assert how in refusal(tmp_path, content, name)
        return
    (one,) = reading(tmp_path, content, name).experiments
    expected = POSITION[np.isin(TIME, one.time)]
    np.testing.assert_allclose(one.position[one.present], expected[one.present])
    assert one.present.mean() > 0.8
    assert ("mass" in one.properties) == ("mass" not in how)


def holds_what_was_promised(recording):
    first = recording.experiments[0]
    for one in recording.experiments:
        assert (np.diff(one.time) > 0).all()
        assert one.position.shape == (len(one.time), len(one.bodies), recording.dim)
        assert not np.isinf(one.position).any()
        assert one.present.any(axis=0).all() and one.present.any(axis=1).all()
        assert (one.velocity is None) == (first.velocity is None)
        assert set(one.properties) == set(first.properties)
        assert all(values.shape == (len(one.bodies),) and np.isfinite(values).all() for values in one.properties.values())
    assert all("\n" not in note for note in recording.notes)
    assert SimpleNamespace(text=describe(recording)).text
