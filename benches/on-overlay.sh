#!/usr/bin/env bash
# on-overlay.sh PLACE KEEP COMMAND... : run COMMAND as root on this host's own files, and throw away
# what it writes, except below KEEP.
#
# In mount and PID namespaces of its own. PLACE is an empty folder: there a tmpfs takes what is
# written, as the kernel wants it on another file system than the one below. That is no slower than
# the disk of a host that keeps what is written.
set -euo pipefail
if [ "$1" != --inside ]; then
    exec unshare --mount --pid --fork --kill-child bash "${BASH_SOURCE[0]}" --inside "$@"
fi
place=$2
keep=$3
shift 3

root=$place/root
mount -t tmpfs tmpfs "$place"
mkdir "$root" "$place/upper" "$place/work"
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$root"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mkdir -p "$root$keep"
mount --rbind "$keep" "$root$keep"

# What the reference playbook takes for granted. A host without an SSH server gets a unit to enable.
grep -q '^sudo:' "$root/etc/group" || echo 'sudo:x:27:' >>"$root/etc/group"
if [ ! -e "$root/usr/lib/systemd/system/ssh.service" ] && [ ! -e "$root/lib/systemd/system/ssh.service" ]; then
    printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
        >"$root/etc/systemd/system/ssh.service"
fi

# No exec: this shell, number 1 of the namespace, reaps what the command leaves behind.
# shellcheck disable=SC2016 # expanded by the inner shell
chroot "$root" sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
