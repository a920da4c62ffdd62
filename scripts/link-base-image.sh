#!/usr/bin/env bash
# link-base-image.sh : make or reuse the base image and point .cache/base at its folder, which is where
# the checkout's pichroot.yml looks. Prints the path of the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
image=$(tests/fixtures/base-image.sh)
mkdir -p .cache
ln -sfnT "$(dirname "$image")" .cache/base
printf '%s\n' "$image"
