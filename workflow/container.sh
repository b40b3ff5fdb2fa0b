#!/usr/bin/env bash
# Builds the image of Containerfile on a base made here, for machines that cannot pull one, and tries it:
#
#   workflow/container.sh                   Jupyter, a run of the smoke profile and a test
#   workflow/container.sh './run_all.sh --help' ...     these commands, one after the other
#
# Needs root and Debian's mmdebstrap and buildah. What it makes, some 5 GB, lies in a folder below TMPDIR, deleted
# at the end. MOUNTS hands settings of this machine to the build and to the commands: pairs host:container, such as
# MOUNTS="/etc/pip.conf:/etc/pip.conf /etc/ssl/certs:/certs" where that file names certificates in /certs.
set -euo pipefail
case " $* " in *" --help "* | *" -h "*) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit ;; esac
cd "$(dirname "$0")/.."
for program in mmdebstrap buildah; do
    command -v "$program" >/dev/null || { echo "container.sh: $program is needed (Debian: apt-get install mmdebstrap buildah)" >&2; exit 1; }
done
[ $# -gt 0 ] || set -- \
    'timeout 60 jupyter lab --no-browser --port 8899 2>&1 | grep -m 1 "is running at"' \
    './run_all.sh --profile smoke --only spring-2d/standard' \
    './run_tests.sh tests/test_laws.py -q'

folder=$(mktemp -d)
mounts=()
for pair in ${MOUNTS:-}; do mounts+=(--volume "$pair:ro"); done
store() { buildah --storage-driver vfs --root "$folder/images" --runroot "$folder/run" "$@"; }
trap 'rm -rf --one-file-system "$folder"' EXIT
timed() {
    local name=$1 begin=$SECONDS
    shift
    "$@" || { echo "== $name: failed after $((SECONDS - begin)) s" >&2; exit 1; }
    echo "== $name: $((SECONDS - begin)) s"
}

timed "base" mmdebstrap --quiet --variant=minbase bookworm "$folder/base.tar"
base=$(store from scratch)
store add --quiet "$base" "$folder/base.tar" / >/dev/null
rm "$folder/base.tar"
store commit --quiet --rm "$base" localhost/base >/dev/null
timed "image" store build --isolation chroot --build-arg BASE=localhost/base \
    ${mounts[@]+"${mounts[@]}"} --file Containerfile --tag force-laws .
container=$(store from --pull-never force-laws)
for line in 'du -sm .venv; id -un; python --version' "$@"; do
    timed "$line" store run --isolation chroot ${mounts[@]+"${mounts[@]}"} "$container" -- bash -c "$line"
done
