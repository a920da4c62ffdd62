#!/usr/bin/env bash
# conformance.sh : upstream's tests on an image, and one playbook in two ways. Called by `make conformance`,
# after the set-up and the build. docs/conformance.md tells about them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PICHROOT_TEST_IMAGE=$(scripts/link-base-image.sh)
export PICHROOT_TEST_IMAGE PATH=$PWD/.venv/bin:$PATH

failed=0
run() {
    printf '+ %s\n' "$*" >&2
    scripts/as-root.sh "$@" || failed=1
}
run tests/conformance/run.py negative
run tests/conformance/run.py connection --way fast --way plain --way hand
run tests/conformance/differential.py --a "--executor fast" --b "--executor plain"
run tests/conformance/run.py targets --way fast --control hand
run tests/conformance/collection_tests.py
exit "$failed"
