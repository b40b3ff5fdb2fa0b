#!/usr/bin/env bash
# Every table and figure, from the released weights, into outputs/.
#
#   ./run_all.sh                            all that the project releases
#   ./run_all.sh --data FILE                the law of your own trajectories: see README, "Your own data"
#   ./run_all.sh --only spring-2d/l1        one run (or a system: spring-2d); may be repeated
#   ./run_all.sh --retrain                  train from nothing instead
#   ./run_all.sh --profile smoke            the same path in minutes, into build/smoke
#   ./run_all.sh --cores 1                  processors to use (default all)
#   ./run_all.sh --force                    run every stage again, changed or not
#   ./run_all.sh --dry-run                  say what would run
#   ./run_all.sh --site                     only web pages of what outputs/ holds, into build/site
#   ./run_all.sh --engine pysr              search with PySR instead of Operon
#   ./run_all.sh --executor slurm           on a cluster, see workflow/profiles
#
# It makes its environment in .venv when the active one does not satisfy the pins. Killed, it goes on
# where it was; run again, it does only what changed.
set -euo pipefail
case " $* " in *" --help "* | *" -h "*) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit ;; esac
export CALLED_FROM=$PWD
cd "$(dirname "$0")"
source lib/pipeline/environment.sh
exec "$python" -m lib.pipeline.batch "$@"
