#!/usr/bin/env bash
# own-namespace.sh PROGRAM ARGUMENTS... : run a test program as root, with processes, mounts and
# temporary directories of its own. The tests compare the host before and after a run; what other
# people's programs do meanwhile is then not in their sight.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")
top=$(dirname "$(dirname "$self")")
[ "$(id -u)" = 0 ] || exec "$top/scripts/as-root.sh" "$self" "$@"

# On the disk of the checkout and not on a tmpfs: the tests copy images.
mkdir -p "$top/target/tmp"
place=$(mktemp -d "$top/target/tmp/ns.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir -m 1777 "$place/tmp" "$place/var-tmp"
export TMPDIR=/tmp

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    top=$1 place=$2 here=$PWD
    shift 2
    exec 9<"$top" 8<"$place/tmp" 7<"$place/var-tmp"
    cover() { mount --no-canonicalize --bind "/proc/$$/fd/$1" "$2"; }
    cover 8 /tmp
    cover 7 /var/tmp
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # A checkout below one of these is put back where it was.
    if [ ! -e "$top/scripts" ]; then
        mkdir -p "$top"
        cover 9 "$top"
    fi
    cd "$here"
    exec "$@" 9<&- 8<&- 7<&-' bash "$top" "$place" "$@"
