#!/usr/bin/env bash
# own-namespace.sh PROGRAM ARGUMENTS... : run a test program as root, with processes, mounts and
# temporary directories of its own. The tests compare the host before and after a run; what other
# people's programs do meanwhile is then not in their sight.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")
[ "$(id -u)" = 0 ] || exec "$(dirname "$self")/as-root.sh" "$self" "$@"

# On the disk of the checkout and not on a tmpfs: the tests copy images.
mkdir -p "$(dirname "$self")/../target/tmp"
place=$(mktemp -d "$(dirname "$self")/../target/tmp/ns.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir -m 1777 "$place/tmp" "$place/var-tmp"
export TMPDIR=/tmp

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    place=$1
    shift
    mount --bind "$place/tmp" /tmp
    mount --bind "$place/var-tmp" /var/tmp
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    exec "$@"' bash "$place" "$@"
