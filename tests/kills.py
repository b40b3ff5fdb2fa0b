"""Kill a batch at random times, again and again, and compare what it ends with: `python tests/kills.py --times 20`.

One run of the smoke profile, once unbroken and once killed (SIGKILL, the whole group) so many times at times drawn
from nought to `--longest` seconds. Results and weights must agree byte by byte, less the seconds they took.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import batch, finished, results

RUN = ("--retrain", "--only", "spring-2d/reciprocal", "--cores", "1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, metavar="N", help="kills (default 20)")
    parser.add_argument("--longest", type=float, default=40.0, metavar="SECONDS", help="latest kill after a start (default 40)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        whole, broken = Path(place, "whole"), Path(place, "broken and resumed")
        whole.mkdir(), broken.mkdir()
        finished(batch(whole, *RUN))
        for kill in range(options.times):
            process, after = batch(broken, *RUN, start_new_session=True), draw.uniform(0, options.longest)
            try:
                process.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            print(
                f"{time.strftime('%H:%M:%S')} kill {kill + 1} after {after:.1f} s: {len(list(broken.rglob('*.*')))} files",
                flush=True,
            )
        finished(batch(broken, *RUN))
        same, left = results(whole, "reciprocal") == results(broken, "reciprocal"), list(broken.rglob(".partial-*"))
    print(f"{options.times} kills: {'the same results' if same else 'OTHER RESULTS'}, {len(left)} half-written files left")
    return 0 if same and not left else 1


if __name__ == "__main__":
    sys.exit(main())
