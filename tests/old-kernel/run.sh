#!/usr/bin/env bash
# run.sh [PICHROOT] : pichroot on Linux 6.1, where user namespaces have no binfmt_misc. Called by `make old-kernel`.
#
# Boots the kernel of Debian 12 in a virtual machine, with this machine's files to read, and runs inside.sh there. The
# machine is emulated, so that it needs no KVM. Runs as root; PICHROOT_TEST_IMAGE names the base image.
set -euo pipefail

top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
target=$(cd "$top" && readlink -m "${CARGO_TARGET_DIR:-target}")
pichroot=$(readlink -f "${1:-$target/release/pichroot}")
place=$target/old-kernel
# Five times what it takes on one busy core.
limit=1800
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
[ -x "$pichroot" ] || die "$pichroot does not exist" "run make build first"
image=$(readlink -f "${PICHROOT_TEST_IMAGE:?names the base image}")

# The newest that apt knows, downloaded and unpacked, never installed.
fetch_kernel() {
    local package work
    package=$(apt-cache search --names-only '^linux-image-6\.1\.[0-9-]+-amd64$' | cut -d' ' -f1 | sort -V | tail -n1)
    [ -n "$package" ] || return 1
    work=$(mktemp -d "$place/fetch.XXXXXX")
    # apt's own user may not write here.
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package" >&2) || return 1
    dpkg-deb --extract "$work"/*.deb "$work/kernel"
    # It appears complete or not at all.
    mv "$work/kernel" "$place/kernel"
}
mkdir -p "$place"
rm -rf "$place"/fetch.*
if [ ! -d "$place/kernel" ]; then
    # Lists that are out of date name a kernel that the archive has no more.
    fetch_kernel || { apt-get -qq update && fetch_kernel; } ||
        die "there is no linux-image-6.1 to download" "add Debian 12's archive to apt's sources, its security updates too"
fi
rm -rf "$place"/fetch.*

printf 'old-kernel: booting %s and running inside.sh on it, some minutes\n' "$(cd "$place/kernel/boot" && echo vmlinuz-*)" >&2
# A report and no exit code: where this machine has no udev, virtme-ng passes neither that nor output.
rm -rf "$place/out"
mkdir "$place/out"
command=$(printf '%q ' "$top/tests/old-kernel/inside.sh" "$pichroot" "$image")
timeout "$limit" vng --verbose --run "$place"/kernel/boot/vmlinuz-* --disable-kvm --force-9p --cpus 2 --memory 3G \
    --rwdir "$place/out" --exec "$command >$(printf %q "$place/out/report") 2>&1" \
    </dev/null >"$place/console" 2>&1 || true
cat "$place/out/report" || true
grep -sqx 'old-kernel: all is well' "$place/out/report" ||
    die "not all is well on the old kernel" "see $place/out/report, and what the kernel said in $place/console"
