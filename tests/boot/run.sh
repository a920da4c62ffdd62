#!/usr/bin/env bash
# run.sh [PICHROOT] : `pichroot boot` on a real image. Called by `make boot`.
#
# Gives a base image a kernel, a network and a key, and boots it: to its prompt, for a playbook over SSH, with a reboot, and
# with what has to fail. That is emulated, so it needs no KVM. Runs as root; PICHROOT_TEST_IMAGE names the base image.
set -euo pipefail

top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
here=$top/tests/boot
target=$(cd "$top" && readlink -m "${CARGO_TARGET_DIR:-target}")
pichroot=$(readlink -f "${1:-$target/release/pichroot}")
place=$target/boot
# Many times what a boot takes on one busy core.
limit=30m
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
say() { printf 'boot: %s\n' "$*" >&2; }
[ -x "$pichroot" ] || die "$pichroot does not exist" "run make build first"
for tool in qemu-system-aarch64 ssh ssh-keygen ansible-playbook; do
    command -v "$tool" >/dev/null || die "there is no $tool" "run scripts/install-deps.sh boot and scripts/ansible-venv.sh test"
done
image=$(readlink -f "${PICHROOT_TEST_IMAGE:?names the base image}")
mkdir -p "$place"
rm -f "$place"/*.log

# Kept for the next time, by what it is made of.
key=$(sha256sum "$image" "$here/machine.yml" "$top/tests/first-boot/kernel.yml" | sha256sum | cut -c1-16)
machine=$place/machine-$key.img
if [ ! -e "$machine" ] || [ ! -e "$place/key" ]; then
    rm -f "$place"/machine-*.img "$place"/key*
    ssh-keygen -q -t ed25519 -N '' -C test -f "$place/key"
    (cd "$here" && "$pichroot" ansible machine.yml --config /dev/null --image "$image" --checksum none --output "$machine" \
        -e hn_hostname=machine -e "key_file=$place/key") >"$place/machine.log" 2>&1 || {
        cat "$place/machine.log"
        die "machine.yml failed" "what it said is above, and in $place/machine.log"
    }
fi
before=$(sha256sum "$machine")

# boots NAME EXPECTED-CODE ARGUMENT... : `pichroot boot` of the machine; what it says is in NAME.log.
boots() {
    local name=$1 expected=$2 began code=0
    shift 2
    began=$(date +%s)
    (cd "$here" && "$pichroot" boot "$machine" --config /dev/null --checksum none "$@") >"$place/$name.log" 2>&1 </dev/null || code=$?
    [ "$code" = "$expected" ] || {
        tail -n 50 "$place/$name.log"
        die "$name: exit code $code in place of $expected" "what it said last is above, and all of it in $place/$name.log"
    }
    say "$name took $(($(date +%s) - began)) s"
}
# said NAME TEXT : it has said this.
said() { grep -qF -- "$2" "$place/$1.log" || die "$1 has not said: $2" "see $place/$1.log"; }

boots login 0 -v --until login --timeout "$limit"
said login "as QEMU's machine virt"
said login "Debian GNU/Linux"

boots verify 0 --playbook verify.yml --timeout "$limit" --user ubuntu --private-key "$place/key" -e expected=machine -- --become
said verify "failed=0"

boots uefi 0 -v --until login --timeout "$limit" --uefi
said uefi "with its boot loader, by UEFI"
said uefi "by-uefi"

boots playbook-fails 5 --playbook verify.yml --timeout "$limit" --user ubuntu --private-key "$place/key" -e expected=other
said playbook-fails "the answer"

boots too-late 4 --until login --timeout 5s
said too-late "within 5 s; its console showed last:"

boots panic 4 --until login --timeout "$limit" --append rdinit=/bin/false
said panic "the machine does not come up: "
said panic "Kernel panic - not syncing"

# What it wrote before is there after it.
boots reboot 0 --until 'up again' --timeout "$limit" --append reboot-once
said reboot "the machine starts again"

boots off 4 --until login --timeout "$limit" --append systemd.unit=poweroff.target
said off "switched itself off before"

[ "$(sha256sum "$machine")" = "$before" ] || die "$machine has changed" "the artefact is never to be written"
say "all is well"
