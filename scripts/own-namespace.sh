#!/usr/bin/env bash
# own-namespace.sh PROGRAM ARGUMENTS... : run a test program as root, with processes, mounts and
# temporary directories of its own. The tests compare the host before and after a run; what other
# people's programs do meanwhile, and other tests, is then not in their sight.
#
# Loop devices have no namespace. Each is known by the path of its file, so TMPDIR has a name that no other has, and
# the cache that all tests share is seen below it.
set -euo pipefail

self=$(readlink -f "${BASH_SOURCE[0]}")
top=$(dirname "$(dirname "$self")")
[ "$(id -u)" = 0 ] || exec "$top/scripts/as-root.sh" "$self" "$@"

# On the disk of the checkout and not on a tmpfs: the tests copy images.
target=$(cd "$top" && readlink -m "${CARGO_TARGET_DIR:-target}")
mkdir -p "$target/tmp"
place=$(mktemp -d "$target/tmp/ns.XXXXXX")
trap 'rm -rf "$place"' EXIT
mkdir -m 1777 "$place/tmp" "$place/var-tmp" "$place/tmp/${place##*/}"
export TMPDIR=/tmp/${place##*/}
export PICHROOT_TEST_CACHE=$TMPDIR/cache
mkdir -p "$target/tmp/cache" "$place$PICHROOT_TEST_CACHE"

# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    top=$1 target=$2 place=$3 here=$PWD
    shift 3
    exec 9<"$top" 8<"$place/tmp" 7<"$place/var-tmp" 6<"$target" 5<"$target/tmp/cache"
    cover() { mount --no-canonicalize --bind "/proc/$$/fd/$1" "$2"; }
    cover 8 /tmp
    cover 7 /var/tmp
    cover 5 "$PICHROOT_TEST_CACHE"
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # A checkout below one of these is put back where it was, and so is what was built.
    put_back() {
        [ ! -e "$2/$3" ] || return 0
        mkdir -p "$2"
        cover "$1" "$2"
    }
    put_back 9 "$top" scripts
    put_back 6 "$target" tmp
    cd "$here"
    exec "$@" 9<&- 8<&- 7<&- 6<&- 5<&-' bash "$top" "$target" "$place" "$@"
