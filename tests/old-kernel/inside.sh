#!/usr/bin/env bash
# inside.sh PICHROOT IMAGE : `pichroot exec` on a kernel before 6.7, without a binfmt entry and with two kinds of them.
# Called by run.sh as root of a virtual machine; its last line says whether all was as it should be.
set -uo pipefail

pichroot=$1 image=$2 table=/proc/sys/fs/binfmt_misc failed=0
# As the package has it: the flags are P, O and F.
entry=$(</usr/lib/binfmt.d/qemu-aarch64.conf)

# The machine's root is read-only, and 9p: what is written is in memory.
mount -t tmpfs -o size=2500m tmpfs /mnt
export PICHROOT_CACHE_DIR=/mnt/cache
mkdir /mnt/cache
: >/mnt/messages
# Opening /dev/loop-control would load it, but that is udev's to make.
modprobe loop

step() { printf '\n== %s\n' "$*"; }
wrong() {
    printf 'WRONG: %s\n' "$*"
    failed=1
}
# What a run has to leave as it was. /tmp is this machine's, where others come and go.
host() {
    cat /proc/self/mountinfo
    ls -A /run /mnt
    grep -s . /sys/block/loop*/loop/backing_file "$table"/*
}
# run CODE COMMAND [OPTION...] : in the image; it has to end with CODE.
run() {
    local before code=0
    before=$(host)
    output=$("$pichroot" exec -v --checksum none "${@:3}" "$image" -- sh -c "$2" 2>/mnt/messages </dev/null) || code=$?
    messages=$(</mnt/messages)
    printf '$ %s\n%s\n%s\n(exit code %s)\n' "$2" "$messages" "$output" "$code"
    [ "$code" = "$1" ] || wrong "the exit code is not $1"
    # The kernel takes the namespaces apart a moment later.
    for _ in {1..10}; do [ "$(host)" = "$before" ] || sleep 1; done
    diff <(echo "$before") <(host) || wrong "something was left on the host"
}
# says NUMBER PATTERN : how many lines of the messages are about it.
says() {
    local number
    number=$(grep -cE -- "$2" <<<"$messages")
    [ "$number" = "$1" ] || wrong "$number lines and not $1 match $2"
}
prints() { [ "$output" = "$1" ] || wrong "it should have printed $1"; }
fails_for_want_of_an_entry() {
    run 3 'uname -m'
    prints ''
    says 1 '^error: .*binfmt_misc for user namespaces'
    says 1 '^hint: .*Linux 6\.7 or newer.*qemu-user-static'
}
register() {
    [ ! -e "$table/qemu-aarch64" ] || echo -1 >"$table/qemu-aarch64"
    printf '%s' "$1" >"$table/register" || wrong "the kernel refuses $1"
}

step "Linux $(uname -r), binfmt_misc not mounted"
fails_for_want_of_an_entry

step "mounted, without an entry"
mount -t binfmt_misc binfmt_misc "$table"
fails_for_want_of_an_entry

step "Debian's entry: ${entry##*:}"
register "$entry"
run 0 'uname -m; dpkg --print-architecture'
prints $'aarch64\narm64'
says 1 'twin|emulated'
says 1 '^warning: no twins, .* its flags lack C, so sudo fails'
# Root's has all rights already.
run 0 'sudo -n uname -m'
prints aarch64
run 1 "su ubuntu -c 'sudo -n uname -m'"
prints ''

step "the same with the flag C"
register "${entry}C"
run 0 "su ubuntu -c 'sudo -n uname -m'"
prints aarch64
says 1 'twin|emulated'
says 0 'flags lack'

step "programs of a running machine, found by PATH"
id=/proc/sys/kernel/random/boot_id
run 0 "command -v reboot; before=\$(cat $id); reboot; [ \"\$(cat $id)\" != \"\$before\" ] && echo booted"
prints $'/run/pichroot/bin/reboot\nbooted'
says 1 '^warning: .*answered where PATH finds them'
run 1 'poweroff'
says 1 '^pichroot: .poweroff. would end the machine'
run 0 'reboot --help | head -n1'
prints 'reboot [OPTIONS...] [ARG]'

step "twins asked for"
run 3 true --emulation twin
says 1 '^error: there are no twins for this image'

step "doctor"
trial=$("$pichroot" doctor 2>&1 | grep ' trial ')
echo "$trial"
[[ $trial = warning*'no twins'* ]] || wrong "doctor's trial did not succeed"

[ "$failed" = 0 ] && printf '\nold-kernel: all is well\n'
