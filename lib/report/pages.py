"""README and the pages under docs/: what is computed in them stands between marks, and is written anew from the results.

`python -m lib.report.pages` writes it, and `outputs/README.md`.
"""

from __future__ import annotations

import re
import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from lib import paths
from lib.files import write_text
from lib.report import captions, findings, records, results, statements, tables

WIDTH = 165
"""Of lines of text."""
MARKS = re.compile(r"(?s)(<!-- (\w+) -->\n)(?:.*?\n)??(<!-- end -->)")
"""A passage between its marks: a comment with its name, and one that says `end`."""
OF_TABLE = {
    "headline": partial(tables.headline, place="outputs/"),
    "seeds": captions.seeds,
    "budgets": captions.budgets,
    "recovered": tables.recovered,
    "losses": tables.losses,
    "closed_forms": tables.closed_forms,
    "scores": tables.scores,
    "announced": tables.announced,
    "potentials": tables.potentials,
    "ablations": tables.ablations,
    "standing": statements.standing,
    "against_table_1": statements.against_table_1,
    "announcements": statements.announcements,
    "recovered_in": findings.recovered_in,
    "reproduction_b": findings.reproduction_b,
    "losses_above": findings.losses_above,
    "with_noise": findings.with_noise,
    "confidence": findings.confidence,
    "closed_form": findings.closed_form,
    "discontinuity": findings.discontinuity,
    "friction": findings.friction,
    "gauge_corrected": findings.gauge_corrected,
    "reciprocity": findings.reciprocity,
    "sparse": findings.sparse,
    "node_weighted": findings.node_weighted,
    "ablations_found": findings.ablations_found,
    "energies": findings.energies,
    "test_sets": findings.test_sets,
}
"""Passages that are computed from the table of all runs."""
OF_RECORDS = {
    "picture": records.picture,
    "first_command": records.first_command,
    "example_output": records.example_output,
    "example_rows": records.example_rows,
    "data_sets": records.data_sets,
    "solar_system": records.solar_system,
    "argon": records.argon,
    "laws": records.laws,
    "commands": records.commands,
    "penalties": findings.penalties,
    "edges": captions.edges,
    "verdict_tested": findings.verdict_tested,
}
"""Passages that are computed from single records, benchmarks and registries."""


def pages() -> list[Path]:
    """The files that hold computed passages."""
    return [paths.ROOT / "README.md", *sorted((paths.ROOT / "docs").glob("*.md"))]


def passages(table: pd.DataFrame, found: list[dict[str, Any]]) -> dict[str, str]:
    """Computed passages, by the names of their marks."""
    computed = {name: of(table) for name, of in OF_TABLE.items()} | {name: of() for name, of in OF_RECORDS.items()}
    return {name: wrapped(text) for name, text in (computed | {"larger": tables.larger(found)}).items()}


def wrapped(text: str) -> str:
    """The text with its long lines broken, less those of tables and of what is shown as it is."""
    lines, verbatim = [], False
    for line in text.split("\n"):
        verbatim ^= line.startswith("```")
        if verbatim or line.startswith(("|", "```")) or not line:
            lines.append(line)
        else:
            indent = "  " if line.startswith("- ") else ""
            lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def names(text: str) -> list[str]:
    """The names of the passages of a page, in order."""
    return [name for _, name, _ in MARKS.findall(text)]


def refreshed(text: str, computed: dict[str, str]) -> str:
    """The text with the computed passages between their marks."""
    return MARKS.sub(lambda mark: f"{mark[1]}{computed[mark[2]]}\n{mark[3]}", text)


if __name__ == "__main__":
    found, outputs = (results.gather("full"), results.larger("full")), paths.ROOT / "outputs"
    computed = passages(*found)
    for page in pages():
        write_text(page, refreshed(page.read_text(encoding="utf-8"), computed))
    write_text(outputs / "README.md", tables.index(*found, outputs))
