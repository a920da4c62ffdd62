#!/usr/bin/env bash
# as-root.sh COMMAND... : run COMMAND as root, with the caller's environment.
# sudo resets PATH whatever one asks of it, hence the env; a plain user's PATH may lack the folders
# with mkfs and losetup.
set -euo pipefail
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ "$(id -u)" = 0 ]; then
    exec "$@"
fi
command -v sudo >/dev/null || {
    printf 'error: %s needs root, and sudo is not installed\nhint: run this as root\n' "$1" >&2
    exit 1
}
exec sudo --preserve-env env "PATH=$PATH" "$@"
