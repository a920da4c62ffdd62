#!/usr/bin/env bash
# install-deps.sh [run|demo|test|old-kernel] : install the Debian or Ubuntu packages that are missing.
#   run         to build pichroot and to run it
#   demo        also to make the base image
#   test        also to run every test and the linters
#   old-kernel  also to boot another kernel in a virtual machine
# Quick when nothing is missing. Uses sudo when not root. Registers nothing in the host's binfmt table.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

run=(gcc libc6-dev make python3 python3-venv ca-certificates e2fsprogs dosfstools util-linux)
demo=(mmdebstrap arch-test debian-archive-keyring mtools fdisk xz-utils)
# busybox-static: tiny images that run here without qemu. zip, zstd, gdisk: images of other kinds. tmux, bsdutils (script): a terminal for the tests of one.
# git: ansible-lint asks it which files are ours.
test=(shellcheck sudo busybox-static zip unzip zstd gdisk binutils jq tmux bsdutils procps git)
old_kernel=(qemu-system-x86 kmod)

level=${1-test}
case $level in
    run) wanted=("${run[@]}") ;;
    demo) wanted=("${run[@]}" "${demo[@]}") ;;
    test) wanted=("${run[@]}" "${demo[@]}" "${test[@]}") ;;
    old-kernel) wanted=("${run[@]}" "${demo[@]}" "${test[@]}" "${old_kernel[@]}") ;;
    *) die "install-deps.sh knows no level '$level'" "usage: scripts/install-deps.sh [run|demo|test|old-kernel]" ;;
esac

# On distributions without dpkg we can only say what is needed.
command -v dpkg-query >/dev/null ||
    die "this is neither Debian nor Ubuntu" "install what these packages hold, then call cargo yourself: ${wanted[*]} qemu-user-static"

# Rust comes first: apt's is too old on most releases, so it is the user's to choose how.
needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
hint="install Rust with https://rustup.rs, open a new shell and run this again"
if [ -n "${SUDO_USER-}" ]; then
    hint="run make without sudo, it asks for root where it needs to; or install Rust for root with https://rustup.rs"
fi
command -v cargo >/dev/null || die "cargo is not on PATH; pichroot needs Rust $needed or later" "$hint"
have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || die "$(command -v cargo) does not run" "$hint"
if ! dpkg --compare-versions "$have" ge "$needed"; then
    die "$(command -v cargo) is $have; pichroot needs Rust $needed or later" "run rustup update, or $hint"
fi

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
for package in "${wanted[@]}"; do
    grep -qx "ii  $package" <<<"$installed" || missing+=("$package")
done

# A static qemu under either name will do, wherever it came from. PATH of a plain user has no /usr/sbin,
# but qemu is in /usr/bin everywhere.
has_qemu() {
    case $(uname -m) in aarch64) return 0 ;; esac
    command -v qemu-aarch64-static >/dev/null && return 0
    command -v qemu-aarch64 >/dev/null && ! grep -qa '/ld-linux' "$(command -v qemu-aarch64)"
}
qemu_package() {
    # From 9.1 on qemu-user is the static one; qemu-user-static then only pulls in the package that
    # registers every architecture on the host, which we neither need nor want.
    local candidate
    candidate=$(apt-cache policy qemu-user | sed -n 's/^ *Candidate: //p')
    if dpkg --compare-versions "${candidate:-0}" ge 1:9.1; then echo qemu-user; else echo qemu-user-static; fi
}

if [ ${#missing[@]} = 0 ] && has_qemu; then
    exit 0
fi

as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "installing packages needs root, and sudo is not installed" "run it as root"
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@" >&2
}
install_missing() {
    has_qemu || missing+=("$(qemu_package)")
    printf 'install-deps: %s\n' "${missing[*]}" >&2
    apt install -y --no-install-recommends "${missing[@]}"
}

# The lists on the machine are used while they serve: updating them costs more than the rest.
if ! apt-cache show mmdebstrap >/dev/null 2>&1 || ! install_missing; then
    apt update || die "apt-get update failed" "its messages are above; are the package archives reachable?"
    install_missing || die "apt-get could not install ${missing[*]}" "its messages are above; on Ubuntu, is the universe component enabled?"
fi
