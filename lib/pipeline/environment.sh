# Sourced by run_all.sh and run_tests.sh from the project's root: sets $python to an interpreter that has the
# pinned packages that the command needs, that of the active environment or of .venv, which is made or added to
# here. TORCH_INDEX names another package index for PyTorch than that of its CPU builds, such as a mirror.

request=("$(basename "$0")" "$@")
export PYTHONPATH=$PWD

fail() { echo "${request[0]}: $1" >&2; exit 1; }

# ask QUESTION INTERPRETER: see lib/pipeline/pins.py
ask() { "$2" -m lib.pipeline.pins "$1" "${request[@]}"; }

satisfied() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && ask amiss "$1" >/dev/null 2>&1; }

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

# into .venv, wherever a user has told pip to put other packages; indexes, certificates and proxies stay the user's
install() {
    .venv/bin/python -m pip install -qq --disable-pip-version-check \
        --no-user --target '' --prefix "$PWD/.venv" --root / --constraint requirements.txt "$@"
}

# first, since the PyTorch that PyPI has for Linux brings CUDA, of use with an NVIDIA driver alone
install_torch() {
    [[ $(ask amiss .venv/bin/python) == *"torch "* ]] || return 0
    [ "$(uname -s)" = Linux ] || { echo "PyTorch: some 100 MB"; return; }
    if command -v nvidia-smi >/dev/null || [ -e /proc/driver/nvidia ]; then
        echo "PyTorch with CUDA, for the NVIDIA driver here: some 3 GB"
        return
    fi
    echo "PyTorch's CPU build, as no NVIDIA driver is here: some 190 MB"
    index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
    install --no-deps --retries 1 --timeout 5 --index-url "$index" "$(ask wanted .venv/bin/python | grep '^torch==')" 2>/dev/null \
        || echo "not to be had from $index; PyTorch as pip finds it: some 3 GB if that is the build with CUDA"
}

make_environment() {
    base=$(base_python) || exit 1
    # one set-up at a time; this shell and pip hold the lock until they end, however they end
    exec 9>.venv.lock
    "$base" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if usable; then exec 9>&-; return; fi
    if [ -e .venv/incomplete ]; then find .venv -mindepth 1 ! -path .venv/incomplete -delete; fi
    mkdir -p .venv
    touch .venv/incomplete
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then
        made=yes
        echo "adding to .venv what ${request[*]} needs"
    else
        made=
        echo "setting up .venv with $("$base" --version) (once, a minute or two)"
        "$base" -m venv .venv || fail "cannot make a virtual environment: install Python's venv module (Debian: python3-venv)"
    fi
    install_torch
    echo "packages to download: some $(ask megabytes .venv/bin/python) MB"
    if ! install --requirement <(ask wanted .venv/bin/python); then
        # what was there before still serves the commands that it served
        if [ -n "$made" ]; then rm .venv/incomplete; fi
        fail "packages could not be installed; the lines above say why"
    fi
    rm .venv/incomplete
    exec 9>&-
}

active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
if [ -n "$active" ] && satisfied "$active/bin/python"; then
    python=$active/bin/python
else
    usable || make_environment
    python=.venv/bin/python
    amiss=$(ask amiss "$python") || fail ".venv lacks something: $(echo "$amiss" | head -1)"
fi
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
