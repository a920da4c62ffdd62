#!/usr/bin/env bash
# demo.sh : from a fresh checkout on Debian or Ubuntu to a provisioned image, mypi.img.
# Called by `make demo`, which builds the binary first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary=$(readlink -f "${CARGO_TARGET_DIR:-target}")/release/pichroot
link=/usr/local/bin/pichroot

scripts/link-base-image.sh >/dev/null

# pichroot finds Ansible in a .venv above its own folder.
[ "${binary#"$(pwd -P)"/}" != "$binary" ] || ln -sfnT "$(pwd -P)/.venv" "${binary%/release/pichroot}/.venv"

# So that the plain command works from now on. A binary somebody installed there stays.
if [ ! -e "$link" ] || [ -L "$link" ]; then
    [ "$(readlink "$link" || true)" = "$binary" ] || scripts/as-root.sh ln -sfnT "$binary" "$link"
else
    printf 'note: %s is an installed binary and stays; this checkout has its own in %s\n' "$link" "$binary" >&2
fi

command=(pichroot ansible bootstrap-ubuntu-image.yml -e hn_hostname=mypi)
# Only the very file that an earlier demo made is replaced.
mark=.cache/demo-image
force=()
if [ -e mypi.img ]; then
    [ "$(stat -c '%d:%i:%.Y' mypi.img)" = "$(cat "$mark" 2>/dev/null)" ] || {
        printf 'error: %s exists, and the demo did not make it\nhint: move it away\n' "$PWD/mypi.img" >&2
        exit 1
    }
    force=(--force)
fi
# shellcheck disable=SC2016 # a prompt, not a variable
printf '\n$ %s\n\n' "${command[*]}${force[*]:+ ${force[*]}}" >&2
PATH=$PWD/.venv/bin:$PATH scripts/as-root.sh "$binary" "${command[@]:1}" "${force[@]}"
stat -c '%d:%i:%.Y' mypi.img >"$mark"
