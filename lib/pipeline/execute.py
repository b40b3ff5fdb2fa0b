"""Execute one stage's notebook: `python -m lib.pipeline.execute 2_train OUTPUT system=spring-2d variant=l1 ...`."""

from __future__ import annotations

import argparse
import ast
import base64
import io
import logging
import re
import signal
import sys
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from types import FrameType
from typing import Any

import nbformat
import papermill
import psutil
from jupyter_client.kernelspec import NoSuchKernel
from papermill.exceptions import PapermillExecutionError
from PIL import Image
from traitlets.config import Config

from lib import paths
from lib.errors import InputError
from lib.files import atomic_write
from lib.pipeline import kernel
from lib.pipeline.scratch import scratch_folder

KERNEL_STARTS = 4
"""A kernel on a busy machine may not answer in time; a start is tried so often."""
COLOURS = 96
"""Colours of a stored figure; lines and their smooth edges need no more."""

TABLE = re.compile(r"\bT_[0-9a-f]{5}(?![0-9a-f])")
"""The random name that pandas gives a styled table."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")
"""The address in memory that the default text of an object ends in."""


def normalize_outputs(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook without what changes from run to run: times, progress bars, paths, tables' names and addresses.

    Injected parameters are folded where those of the notebook are.
    """
    notebook.metadata.pop("papermill", None)
    tables: dict[str, str] = {}
    for cell in notebook.cells:
        for key in ("papermill", "execution", "trusted"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            for shown in (out["data"] for out in cell.outputs if "data" in out):
                if html := shown.get("text/html"):
                    shown["text/html"] = TABLE.sub(lambda name: tables.setdefault(name[0], f"T_{len(tables):05}"), html)
                if plain := shown.get("text/plain"):
                    shown["text/plain"] = ADDRESS.sub("", plain)
    told = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    if injected := told.get("injected-parameters"):
        injected.id = "injected-parameters"
        injected.metadata = deepcopy(told["parameters"].metadata)
        injected.metadata.tags = [tag.replace("parameters", "injected-parameters") for tag in injected.metadata.tags]
    return notebook


def compact(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The executed notebook with its figures in a palette of `COLOURS`: a quarter of the bytes."""
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            if png := out.get("data", {}).get("image/png"):
                figure = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
                written = io.BytesIO()
                figure.quantize(COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
                out["data"]["image/png"] = base64.b64encode(written.getvalue()).decode()
    return notebook


def run_notebook(source: Path, target: Path, parameters: dict[str, Any], folder: Path) -> None:
    """Execute with papermill into `target`, starting the kernel again if it dies before its first cell.

    `folder`: the job's scratch folder, for the kernel's sockets (so that no two kernels race for a port) and its profile.
    """
    settings = {"transport": "ipc", "ip": str(folder / "kernel"), "connection_file": str(folder / "kernel.json")}
    for attempt in range(1, KERNEL_STARTS + 1):
        try:
            with kernel.environment(folder):
                papermill.execute_notebook(
                    source,
                    target,
                    parameters,
                    kernel_name="python3",
                    cwd=str(source.parent),
                    log_output=True,
                    progress_bar=False,
                    start_timeout=120,
                    config=Config({"KernelManager": settings}),
                    # a kernel takes the interrupt that ends it for an error when it is still busy
                    extra_arguments=["--log-level=CRITICAL"],
                )
            return
        except PapermillExecutionError:
            raise
        except KeyboardInterrupt:
            for process in psutil.Process().children(recursive=True):  # a kernel that was still starting
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            raise
        except (RuntimeError, TimeoutError, OSError) as error:
            done = target.exists() and any(
                cell.get("execution_count") for cell in nbformat.read(target, 4).cells if cell.cell_type == "code"
            )
            if done or attempt == KERNEL_STARTS:
                raise
            print(f"kernel did not start ({error}): trying again", file=sys.stderr)


def one_line(record: logging.LogRecord) -> bool:
    """Keep the newest line of a message, of a progress bar its latest state; whether any text is left."""
    record.msg = str(record.msg).replace("\n", "\r").strip("\r ").rpartition("\r")[2]
    return bool(record.msg)


def literal(text: str) -> Any:
    """A parameter's value as Python reads it, such as a number; else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def order(stage: str) -> tuple[int, str]:
    """Sorts notebooks by the number before their name, such as 10 or 5a."""
    return int(re.match(r"\d+", stage)[0]), stage


def main() -> int:
    """Execute a stage and put its notebook in place when it has succeeded; one line on stderr and status 1 if it fails."""
    parser = argparse.ArgumentParser(prog="python -m lib.pipeline.execute", description=__doc__)
    parser.add_argument("stage", help="name of a notebook, such as 2_train")
    parser.add_argument("output", type=Path, help="the executed notebook")
    parser.add_argument("parameters", nargs="*", metavar="name=value")
    arguments = parser.parse_args()
    wrong = [text for text in arguments.parameters if "=" not in text]
    if wrong:
        parser.error(f"'{wrong[0]}' is no parameter: write name=value, as system=spring-2d")
    parameters = {name: literal(value) for name, value in (text.split("=", 1) for text in arguments.parameters)}
    source = paths.ROOT / "notebooks" / f"{arguments.stage}.ipynb"
    if not source.exists():
        known = sorted((path.stem for path in source.parent.glob("*.ipynb")), key=order)
        print(f"unknown stage '{arguments.stage}': choose one of {', '.join(known)}", file=sys.stderr)
        return 2
    known = papermill.inspect_notebook(source)
    if unknown := [name for name in parameters if name not in known]:
        parser.error(f"{arguments.stage} has no parameter '{unknown[0]}': choose of {', '.join(known)}")
    about = "/".join(str(parameters[key]) for key in ("law", "system", "variant", "name") if key in parameters) or "all runs"
    logging.basicConfig(level=logging.WARNING, format=f"{arguments.stage} {about}: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(one_line)
    failed = arguments.output.with_name(f".failed-{arguments.output.name}")
    try:
        workspace = paths.workspace(str(parameters.get("profile", literal(known["profile"]["default"]))))
        with atomic_write(arguments.output) as partial, scratch_folder(workspace) as folder:
            try:
                run_notebook(source, partial, parameters, folder)
            except PapermillExecutionError:
                partial.replace(failed)
                raise
            nbformat.write(compact(normalize_outputs(nbformat.read(partial, 4))), partial)
    except PapermillExecutionError as error:
        place = f"; see {paths.shown(failed)}" if error.ename != "InputError" else ""
        return _fail(f"{arguments.stage} of {about} failed: {error.ename}: {error.evalue}{place}")
    except (InputError, RuntimeError, TimeoutError, OSError, NoSuchKernel) as error:
        return _fail(f"{arguments.stage} of {about} failed: {error}")
    except KeyboardInterrupt:  # of which the user knows, and the batch tells what follows
        return 130
    failed.unlink(missing_ok=True)
    return 0


def _fail(text: str) -> int:
    """Print what failed as one line, and give the exit status."""
    print(" ".join(text.split()), file=sys.stderr)
    return 1


def interrupt(number: int, frame: FrameType | None) -> None:
    """End on an interrupt without a word: the user knows, and the kernel's last words would hide what the batch says."""
    logging.disable(logging.CRITICAL)
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupt)  # which Snakemake, and so the jobs that it begins, ignores
    sys.exit(main())
