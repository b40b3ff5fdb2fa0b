# Sourced by run_all.sh and run_tests.sh from the project's root: sets $python to an interpreter that
# satisfies the pins, that of the active environment or of .venv, which is made here when needed.

fail() { echo "$(basename "$0"): $1" >&2; exit 1; }

satisfied() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && "$1" lib/pipeline/pins.py >/dev/null 2>&1; }

base_python() {
    for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 to 3.14 is needed, and $(python3 --version 2>/dev/null || echo 'no Python') was found"
}

# .venv as a whole: one that is being made, or was when a set-up was broken off, does not count
usable() { [ ! -e .venv/incomplete ] && satisfied .venv/bin/python; }

make_environment() {
    base=$(base_python) || exit 1
    # one set-up at a time; this shell and pip hold the lock until they end, however they end
    exec 9>.venv.lock
    "$base" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if usable; then exec 9>&-; return; fi
    if [ -e .venv/incomplete ]; then rm -rf .venv; fi
    mkdir -p .venv
    touch .venv/incomplete
    echo "setting up .venv with $("$base" --version) (once, a minute or two)"
    "$base" -m venv .venv || fail "cannot make a virtual environment: install Python's venv module (Debian: python3-venv)"
    # into .venv, wherever a user has told pip to put other packages
    printf '[%s]\nuser =\ntarget =\nprefix =\nroot =\n' global install > .venv/pip.conf
    env -u PIP_USER -u PIP_TARGET -u PIP_PREFIX -u PIP_ROOT \
        .venv/bin/python -m pip install -qq --disable-pip-version-check --requirement requirements.txt \
        || fail "the packages of requirements.txt could not be installed; the lines above say why"
    rm .venv/incomplete
    exec 9>&-
}

active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
if [ -n "$active" ] && satisfied "$active/bin/python"; then
    python=$active/bin/python
else
    usable || make_environment
    python=.venv/bin/python
    amiss=$("$python" lib/pipeline/pins.py) || fail ".venv lacks something: $(echo "$amiss" | head -1)"
fi
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
export PYTHONPATH=$PWD
