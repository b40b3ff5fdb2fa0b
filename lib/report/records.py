"""What README and the pages under docs/ show of single records: a run, a file, the laws, measured minutes."""

from __future__ import annotations

import json
import re

import pandas as pd
import sympy

from lib import paths
from lib.files import read_json
from lib.network.catalogue import parse_run
from lib.physics.laws import LAWS, NO_FIELD, Law, get_law
from lib.physics.systems import DIMENSIONS
from lib.report import captions, observed
from lib.report.tables import DATA, in_columns
from lib.selection.law import LAW, read_announcement, read_law

OUTPUTS = paths.ROOT / "outputs"
PICTURED = parse_run("spring-2d", "reciprocal")
"""The run that README shows as a picture."""
EXAMPLE = paths.ROOT / "data" / "three-bodies.csv"
"""The file that README's first command reads."""
EXAMPLE_ROWS = 3
COMMANDS = paths.ROOT / "benchmarks" / "commands.csv"
"""Measured minutes of commands."""


def picture() -> str:
    """One run: its bodies, its messages and its law."""
    folder = f"outputs/{PICTURED}"
    head = ["bodies move", "messages are the force", "the law is read off"]
    row = [
        f"![trajectories](outputs/{PICTURED.system}/trajectory.gif)",
        f"![messages]({folder}/messages.png)",
        "<br>".join(_formulas()),
    ]
    scores = read_json(paths.outputs(PICTURED) / "messages.json")
    return (
        in_columns(head, [row])
        + f"\n\nOne run, `{PICTURED}`. Middle: each point is a pair of bodies, one of its message's two numbers (rows) "
        "against a linear fit by the true force (left) and by force over mass, the acceleration (right). R² with the force is "
        f"{captions.r2(scores['r2_force'])}. Right: r̂ points from body 2 to body 1; simulated was F = "
        f"${sympy.latex(get_law(PICTURED.system.law).force)}$, s = r + 0.01."
    )


def _formulas() -> list[str]:
    """The announced law with its error bars; while there is none, the formulas of the messages."""
    record = paths.outputs(PICTURED) / LAW
    if record.exists() and (said := read_announcement(read_json(record))).announced:
        return [f"${line}$" for line in observed.formula_lines(said)]
    return [f"`{text}`" for text in read_json(paths.outputs(PICTURED) / "verdict.json")["expressions"]]


def example_output() -> str:
    """What the first command prints in the end, from the record that it leaves."""
    name = EXAMPLE.stem
    told = observed.summary(read_json(OUTPUTS / "data" / name / LAW))
    return "\n".join(["```", *told, f"record: outputs/data/{name}/{LAW}", f"notebook: outputs/data/{name}/{DATA}.ipynb", "```"])


def example_rows() -> str:
    """The first lines of the example's file."""
    return "\n".join(["```", *EXAMPLE.read_text(encoding="utf-8").splitlines()[: EXAMPLE_ROWS + 1], "```"])


def data_sets() -> str:
    """Of every data set what is announced, and the error on held-out data."""
    rows = []
    for path in sorted((OUTPUTS / "data").glob(f"*/{LAW}")):
        record, name = read_json(path), path.parent.name
        notebook = next(iter(sorted(path.parent.glob("[!.]*.ipynb"))), None)
        shown = f"[{name}](../outputs/data/{name}/{notebook.name})" if notebook else name
        error = record["held_out_error"].get("law")
        said = f"`{read_law(record).text}`" if record["announced"] else f"none: {record['reason']}"
        rows.append([shown, "velocity" if record["order"] == 1 else "acceleration", said, f"{error:.1e}" if error else "–"])
    return in_columns(["data set", "law for the", "announced law", "relative error, held out"], rows)


def laws(prefix: str = "../") -> str:
    """The registry of force laws, with links to rendered simulations."""
    return in_columns(
        ["law", "what it is", "force on body 1 along the line from 2 to 1", "simulated"],
        [[f"`{name}`", f"{law.title}{_besides(law)}", f"`{law.force}`", _simulations(name, prefix)]
         for name, law in LAWS.items()],
    )  # fmt: skip


def _besides(law: Law) -> str:
    return "" if law.field is NO_FIELD else f"; outer field: {law.field.text}"


def _simulations(law: str, prefix: str) -> str:
    places = {f"{dim}D": f"outputs/{law}-{dim}d/1_simulate.ipynb" for dim in DIMENSIONS}
    return ", ".join(f"[{dim}]({prefix}{place})" for dim, place in places.items() if (paths.ROOT / place).exists())


def commands() -> str:
    """Commands, their measured minutes, and what comes out."""
    table = pd.read_csv(COMMANDS, dtype=str)
    return in_columns(
        ["command", "minutes", "measured on", "what comes out"],
        [[f"`{row.command}`", row.minutes, row.measured_on, row.result] for row in table.itertuples()],
    )


def minutes(command: str) -> str:
    """Measured minutes of a command, as text."""
    table = pd.read_csv(COMMANDS, dtype=str).set_index("command")
    return str(table.loc[command, "minutes"])


def first_command() -> str:
    """The first command, with its minutes."""
    command = f"./run_all.sh --data {EXAMPLE.relative_to(paths.ROOT)}"
    demo = f"./run_all.sh --retrain --profile demo --only {PICTURED}"
    return (
        f"```\n{command}\n```\nIt takes {minutes(command)} minutes on two cores (once {minutes('first run')} more for its "
        "environment); no account, GPU or Julia. True law: -1.5 m2/r, 1% noise; the network learns nothing here:\n"
        f"{example_output()}\n"
        f"The way of the paper, from a simulation by a network to its law, takes {minutes(demo)} minutes: `{demo}`"
    )


def solar_system() -> str:
    """What is announced of the solar system: the exponent and its error."""
    record = read_json(OUTPUTS / "data" / "solar-system" / LAW)
    found = record["hypotheses"]["exponent"]["with corrections"]
    masses = record["properties"]["mass"]
    named = len(masses["values"])
    off = abs(found["value"] - 2)
    return (
        f"The exponent of the pull, free in the fit, comes out 2 to within {off:.0e} (standard error "
        f"{found['standard_error']:.0e}); the masses of {named} bodies are found with it, and relative to the Sun's "
        "none is given."
    )


def argon() -> str:
    """The formula of argon, and its message's R²."""
    found = json.loads((OUTPUTS / "argon-3d" / "reciprocal" / "result.json").read_text(encoding="utf-8"))
    powers = re.findall(r"r\*\*([\d.]+)", found["expressions"][0])
    off = max(abs(found["constants"][name] / value - 1) for name, value in found["planted"].items())
    return (
        f"The messages have R² {captions.r2(found['r2_force'])} against the pair force over all edges, "
        f"{captions.r2(found['r2_force_trimmed'])} trimmed ({found['r2_potential_trimmed']:.0e} against the pair "
        "potential). The "
        f"formula has the powers {' and '.join(f'{float(power):.3f}' for power in powers)} of 1/r, neither of them "
        "given, and the "
        f"planted constants to within {off:.0e}."
    )
