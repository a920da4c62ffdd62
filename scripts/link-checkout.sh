#!/usr/bin/env bash
# link-checkout.sh : where CARGO_TARGET_DIR is outside the checkout, link share/pichroot there to the checkout, so that
# the programs built there find the playbooks and plugins. Called after a build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$(readlink -m "${CARGO_TARGET_DIR:-target}")
case $target/ in
    "$(pwd -P)"/*) ;;
    *) mkdir -p "$target/share" && ln -sfnT "$(pwd -P)" "$target/share/pichroot" ;;
esac
