#!/usr/bin/env bash
# The tests: unit and property tests, every stage on the smoke profile, and the rendered notebooks of
# outputs/ executed again from the released weights and compared (nbval).
#
#   ./run_tests.sh                          all tests, and of the rendered notebooks a run of each variant
#   ./run_tests.sh --all                    all tests, and every rendered notebook
#   ./run_tests.sh tests/test_laws.py       what is named, as pytest takes it
#
# It makes its environment in .venv when the active one does not satisfy the pins.
set -euo pipefail
case " $* " in *" --help "* | *" -h "*) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit ;; esac
cd "$(dirname "$0")"
source lib/pipeline/environment.sh
if [ $# -gt 0 ] && [ "$1" != --all ]; then exec "$python" -m pytest "$@"; fi
# one thread a worker: two notebooks side by side beat one on both cores
export OMP_NUM_THREADS=1
notebooks=$("$python" tests/rendered.py "$@")
exec "$python" -m pytest -q -n "$(getconf _NPROCESSORS_ONLN)" --dist loadfile --durations 20 \
    --nbval --nbval-lax --nbval-sanitize-with tests/nbval.cfg --nbval-kernel-name python3 \
    tests $notebooks
