#!/usr/bin/env bash
# apt-get.sh ARGUMENTS... : apt-get as root, that asks nothing and says only what is wrong.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/as-root.sh" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@" >&2
