#!/usr/bin/env bash
# run.sh [PICHROOT] : what was put off to the first boot is done by it, once. Called by `make first-boot`.
#
# Gives a base image a kernel, provisions it with site.yml, and boots it twice in a virtual machine. That is emulated, so it
# needs no KVM. probe.sh runs in it and says what it finds. Runs as root; PICHROOT_TEST_IMAGE names the base image.
set -euo pipefail

top=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
here=$top/tests/first-boot
target=$(cd "$top" && readlink -m "${CARGO_TARGET_DIR:-target}")
pichroot=$(readlink -f "${1:-$target/release/pichroot}")
place=$target/first-boot
# Many times what a boot takes on one busy core; kernel.yml has systemd be as patient.
limit=1800
# Where the root is in the base image: tests/fixtures/pi-disk.sh.
root_offset=$((526336 * 512))
failed=0
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
wrong() {
    printf 'WRONG: %s\n' "$*" >&2
    failed=1
}
say() { printf 'first-boot: %s\n' "$*" >&2; }
[ -x "$pichroot" ] || die "$pichroot does not exist" "run make build first"
for tool in qemu-system-aarch64 debugfs ansible-playbook; do
    command -v "$tool" >/dev/null || die "there is no $tool" "run scripts/install-deps.sh first-boot and scripts/ansible-venv.sh test"
done
image=$(readlink -f "${PICHROOT_TEST_IMAGE:?names the base image}")
mkdir -p "$place"
rm -f "$place"/*.txt "$place"/*.console "$place"/*.log "$place/machine.img"

in_root() { debugfs -R "$1" "$place/machine.img?offset=$root_offset" 2>/dev/null; }
names_in() { in_root "ls -p $1" | awk -F/ 'NF > 6 && $6 !~ /^\.\.?$/ { print $6 }'; }

# provision PLAYBOOK IMAGE OUTPUT
provision() {
    local before log
    before=$(date +%s)
    log=$place/${1%.yml}.log
    (cd "$here" && "$pichroot" ansible "$1" -v --config /dev/null --image "$2" --checksum none --output "$3" \
        -e hn_hostname=machine) >"$log" 2>&1 || {
        cat "$log"
        die "$1 failed" "what it said is above, and in $log"
    }
    say "$1 took $(($(date +%s) - before)) s"
}
# Kept for the next time, by what it is made of.
key=$(sha256sum "$image" "$here/kernel.yml" | sha256sum | cut -c1-16)
if [ ! -e "$place/base-$key.img" ]; then
    rm -f "$place"/base-*.img
    provision kernel.yml "$image" "$place/base-$key.img"
fi
provision site.yml "$place/base-$key.img" "$place/machine.img"
sed -n '/^==> at first boot:/,/^==> made/p' "$place/site.log" | grep -v '^==> [^a]'

kernel=$(names_in /boot | grep '^vmlinuz-' | sort -V | tail -n1)
[ -n "$kernel" ] || die "the image has no kernel" "see $place/kernel.log"
in_root "dump /boot/$kernel $place/vmlinuz"
in_root "dump /boot/initrd.img-${kernel#vmlinuz-} $place/initrd"
{ [ -s "$place/vmlinuz" ] && [ -s "$place/initrd" ]; } || die "the kernel cannot be read from the image" "does $place have room?"

# boot NAME : boots the machine until it switches itself off; what probe.sh says is in NAME.txt.
boot() {
    before=$(date +%s)
    : >"$place/$1.txt"
    timeout "$limit" qemu-system-aarch64 -M virt -cpu cortex-a53 -smp 2 -m 768 -display none -monitor none -no-reboot \
        -kernel "$place/vmlinuz" -initrd "$place/initrd" -append "root=LABEL=writable rw console=ttyAMA0 panic=-1" \
        -drive "if=none,id=disk,format=raw,file=$place/machine.img" -device virtio-blk-pci,drive=disk \
        -nic user,model=virtio-net-pci -serial "file:$place/$1.console" \
        -device virtio-serial-pci -chardev "file,id=probe,path=$place/$1.txt" \
        -device virtserialport,chardev=probe,name=probe </dev/null ||
        die "the $1 boot did not end" "see $place/$1.console"
    say "the $1 boot took $(($(date +%s) - before)) s"
    grep -qx 'end' "$place/$1.txt" || die "the $1 boot found nothing" "see $place/$1.console"
}
# has NAME LINE : probe.sh has said exactly this.
has() { grep -qFx -- "$2" "$place/$1.txt" || wrong "the $1 boot lacks: $2"; }

boot first
boot second
while read -r name line; do
    case $name in
        first | second) has "$name" "$line" ;;
        both)
            has first "$line"
            has second "$line"
            ;;
    esac
done <"$here/expected.txt"
[ -z "$(names_in /var/lib/pichroot)" ] || wrong "something of the unit is left in /var/lib/pichroot"
! names_in /etc/systemd/system | grep -q pichroot || wrong "the unit is left"
! names_in /etc/systemd/system/multi-user.target.wants | grep -q pichroot || wrong "the unit is left enabled"

if [ "$failed" != 0 ]; then
    for name in first second; do
        printf '\n== %s boot\n' "$name"
        cat "$place/$name.txt"
    done
    die "not all is well at the first boot" "what the machine said is above, and in $place"
fi
say "all is well"
