"""One search by PySR, in a process of its own: torch and Julia do not share one.

    python -m lib.distillation.pysr_process folder

reads `search.npz` (x [rows, inputs], y [rows]) and `search.json` (names, evaluations, seed, functions)
in the folder, and writes `front.json`, the equations as text; meanwhile Julia keeps its own
`search/hall_of_fame.csv` there, which an interrupted search leaves behind.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

NO_JULIA = 3
"""Exit status if PySR cannot be imported, for want of Julia or of its packages."""


def main(folder: Path) -> int:
    """Search; the exit status."""
    # an interrupt at the keyboard is for the process that waits, which then ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        from pysr import PySRRegressor  # before numpy: Julia brings libraries that must come first
    except Exception as failure:  # whatever Julia's set-up raises, one line tells it
        return _failed(failure, NO_JULIA)
    try:
        _search(PySRRegressor, folder)
    except Exception as failure:  # Julia's errors end in a trace of frames: the first line tells them
        return _failed(failure, 1)
    return 0


def _search(regressor_class: type, folder: Path) -> None:
    import numpy as np

    task = json.loads((folder / "search.json").read_text())
    with np.load(folder / "search.npz", allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    regressor = regressor_class(
        binary_operators=["+", "-", "*", "/", *("^" for name in task["functions"] if name == "pow")],
        unary_operators=[name for name in task["functions"] if name != "pow"],
        maxsize=30,
        niterations=1_000_000,  # it stops by evaluations
        max_evals=task["evaluations"],
        deterministic=True,
        parallelism="serial",
        random_state=task["seed"],
        precision=64,
        batching=False,
        progress=False,
        verbosity=0,
        input_stream="devnull",
        output_directory=str(folder),
        run_id="search",
    )
    regressor.fit(x, y, variable_names=task["names"])
    # PySR's own text: its SymPy expressions are not evaluated, and print without parentheses that they need
    found = regressor.equations_["equation"].astype(str).tolist()
    scratch = folder / "front.json.partial"
    scratch.write_text(json.dumps(found))
    scratch.replace(folder / "front.json")


def _failed(failure: Exception, status: int) -> int:
    print(f"{type(failure).__name__}: {failure}".splitlines()[0], file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
