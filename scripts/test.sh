#!/usr/bin/env bash
# test.sh [nextest or cargo test arguments] : lint and run every test. Called by `make test`, after the set-up. Tests that are
# marked `ignore` take long, and run with PICHROOT_TEST_ALL=1 only, which is `make test-all`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/.venv/bin:$PATH

# The tests mount and make namespaces, so they run as root, and apart from what else runs here; what
# builds them does not.
scripts/as-root.sh true # asks for a password now, rather than in the middle
host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
export "CARGO_TARGET_${host}_RUNNER=$PWD/scripts/own-namespace.sh"

# The base image takes minutes the first time, and one core: it is made while the other one compiles.
# Job control gives it a process group of its own, so that it can be stopped as a whole.
path_file=$(mktemp)
set -m
scripts/link-base-image.sh >"$path_file" &
image_job=$!
set +m

# What cannot be tested on this machine, one line for each; see tests/support/skip.rs. Told at every end, so that it is
# not taken for tested.
skipped=$(readlink -m "${CARGO_TARGET_DIR:-target}")/skipped-tests
mkdir -p "$(dirname "$skipped")"
: >"$skipped"
export PICHROOT_SKIPPED_TESTS=$skipped
tested=false
finish() {
    kill -- "-$image_job" 2>/dev/null || true
    rm -f "$path_file"
    "$tested" || return 0
    sort -o "$skipped" "$skipped"
    printf '%s skipped on this machine%s\n' "$(wc -l <"$skipped")" "$([ -s "$skipped" ] && echo :)"
    sed 's/^/    /' "$skipped"
}
trap finish EXIT

scripts/lint.sh

if cargo nextest --version >/dev/null 2>&1; then
    runner=(cargo nextest run --locked)
    all=(--run-ignored all)
else
    runner=(cargo test --locked)
    all=(-- --include-ignored)
fi
"${runner[@]}" --no-run
if [ -z "${PICHROOT_TEST_ALL:-}" ]; then
    all=()
    echo "tests that take long are not run: make test-all"
fi

# The connection plugin by itself, and in a chroot that is this very system.
if [ $# = 0 ]; then
    scripts/as-root.sh .venv/bin/python -m unittest discover --quiet -s ansible_plugins/tests/unit
fi

wait "$image_job"
PICHROOT_TEST_IMAGE=$(cat "$path_file")
export PICHROOT_TEST_IMAGE
tested=true
"${runner[@]}" "$@" "${all[@]}"

# A part of Ansible's own tests of connection plugins, through ours; make conformance has the rest.
if [ $# = 0 ]; then
    pichroot=${CARGO_TARGET_DIR:-target}/debug/pichroot
    scripts/as-root.sh tests/conformance/run.py --pichroot "$pichroot" connection --way fast --short

    # Programs by their twins, and under qemu: the very same, for two that only sometimes have one. The
    # rest of the corpus is for make twins.
    scripts/as-root.sh tests/twins/corpus.py --pichroot "$pichroot" awk kmod
fi
