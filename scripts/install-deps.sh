#!/usr/bin/env bash
# install-deps.sh [run|demo|test|layouts|old-kernel|boot|first-boot|netboot] : install Rust and the Debian or Ubuntu packages that are missing.
#   run         to build pichroot and to run it
#   demo        also to make the base image
#   test        also to run every test and the linters
#   layouts     also to run programs of every architecture
#   old-kernel  also to boot another kernel in a virtual machine
#   boot        also for pichroot boot
#   first-boot  also to boot an image in a virtual machine
#   netboot     also to boot one from the network, with all servers that this takes
# Quick when nothing is missing. Uses sudo when not root. Registers nothing in the host's binfmt table.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

run=(gcc libc6-dev make python3 python3-venv ca-certificates e2fsprogs dosfstools util-linux)
# mount: with-emulation.sh; a small root has none.
demo=(mmdebstrap mount arch-test debian-archive-keyring mtools fdisk xz-utils)
# busybox-static: tiny images that run here without qemu. zip, zstd, gdisk: images of other kinds. tmux, bsdutils (script): a terminal for the tests of one.
# qemu-utils: images of virtual machines. bmap-tools: a second opinion on block maps.
# xfsprogs and those beside it: file systems of each kind that is told apart. iptables: what our answers are compared with.
# gnupg, gpgv: signing, and verifying it.
# git: ansible-lint asks it which files are ours.
test=(shellcheck sudo rsync busybox-static zip unzip zstd gdisk binutils jq tmux bsdutils procps git gnupg gpgv
    xfsprogs btrfs-progs f2fs-tools exfatprogs qemu-utils bmap-tools iptables)
old_kernel=(qemu-system-x86 kmod)
# openssh-client: Ansible reaches the machine by it.
boot=(qemu-system-arm qemu-efi-aarch64 openssh-client)
# ipxe-qemu: qemu wants its ROM for a network card.
first_boot=(qemu-system-arm ipxe-qemu)
netboot=(ceph-mon ceph-osd ceph-common dnsmasq-base iproute2 nfs-ganesha nfs-ganesha-vfs u-boot-qemu u-boot-tools)

level=${1-test}
case $level in
    run) wanted=("${run[@]}") ;;
    demo) wanted=("${run[@]}" "${demo[@]}") ;;
    test | layouts) wanted=("${run[@]}" "${demo[@]}" "${test[@]}") ;;
    old-kernel) wanted=("${run[@]}" "${demo[@]}" "${test[@]}" "${old_kernel[@]}") ;;
    boot) wanted=("${run[@]}" "${demo[@]}" "${test[@]}" "${boot[@]}") ;;
    first-boot) wanted=("${run[@]}" "${demo[@]}" "${test[@]}" "${first_boot[@]}") ;;
    netboot) wanted=("${run[@]}" "${demo[@]}" "${test[@]}" "${first_boot[@]}" "${netboot[@]}") ;;
    *) die "install-deps.sh knows no level '$level'" "usage: scripts/install-deps.sh [run|demo|test|layouts|old-kernel|boot|first-boot|netboot]" ;;
esac

# On distributions without dpkg we can only say what is needed.
command -v dpkg-query >/dev/null ||
    die "this is neither Debian nor Ubuntu" "install what these packages hold, then call cargo yourself: ${wanted[*]} qemu-user-static"

# Rust comes first: the rest is of no use without it.
case $level in
    run | demo) scripts/install-rust.sh run ;;
    *) scripts/install-rust.sh test ;;
esac

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
for package in "${wanted[@]}"; do
    grep -qx "ii  $package" <<<"$installed" || missing+=("$package")
done

# A static qemu under either name will do, wherever it came from. PATH of a plain user has no /usr/sbin,
# but qemu is in /usr/bin everywhere.
has_qemu() {
    local machine=aarch64
    # All architectures are in one package.
    [ "$level" != layouts ] || machine=riscv64
    [ "$(uname -m)" != "$machine" ] || return 0
    command -v "qemu-$machine-static" >/dev/null && return 0
    command -v "qemu-$machine" >/dev/null && ! grep -qa '/ld-linux' "$(command -v "qemu-$machine")"
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

install_missing() {
    has_qemu || missing+=("$(qemu_package)")
    printf 'install-deps: %s\n' "${missing[*]}" >&2
    scripts/apt-get.sh install -y --no-install-recommends "${missing[@]}"
}

# The lists on the machine are used while they serve: updating them costs more than the rest.
if ! apt-cache show mmdebstrap >/dev/null 2>&1 || ! install_missing; then
    scripts/apt-get.sh update || die "apt-get update failed" "its messages are above; are the package archives reachable?"
    install_missing || die "apt-get could not install ${missing[*]}" "its messages are above; on Ubuntu, is the universe component enabled?"
fi
