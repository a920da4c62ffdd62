#!/usr/bin/env bash
# run.sh [bookworm|trixie]... : make demo and a part of make test on machines that have make, git and ca-certificates, and
# no Rust. Called by `make fresh`, which names both.
#
# Each is a root made by mmdebstrap, with namespaces of its own and a clone of what is committed here. This machine lends
# its network and whatever settings of its own the registries need, but not the way to the servers of Rust: the test sees
# them asked, and then lends this machine's toolchain, rather than have each run download one. Runs as root.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=$(dirname "$(dirname "$here")")
target=$(cd "$top" && readlink -m "${CARGO_TARGET_DIR:-target}")
say() { printf 'fresh: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
[ $# != 0 ] || set -- bookworm trixie
command -v mmdebstrap >/dev/null || die "mmdebstrap is not installed" "run scripts/install-deps.sh demo"
closed_off=(static.rust-lang.org sh.rustup.rs)
sysroot=$(rustc --print sysroot) || die "this machine has no Rust to lend" "run scripts/install-rust.sh"

mkdir -p "$target/fresh"
work=$(mktemp -d "$target/fresh/run.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
# git trusts a checkout that is somebody else's only when it is asked by them.
setpriv --reuid="$(stat -c %u "$top")" --clear-groups env HOME=/nonexistent \
    git -C "$top" bundle create --quiet - HEAD >"$work/checkout.bundle" || die "cannot bundle what $top has committed" "git's message is above"

# What a machine is told by who runs it: names, certificates, and where pip, cargo and apt look.
lend_settings() {
    local root=$1 file
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /usr/local/share/ca-certificates \
        "${CARGO_HOME:-$HOME/.cargo}/config.toml" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf"; do
        [ -e "$file" ] || continue
        mkdir -p "$root$(dirname "$file")"
        cp -RL --remove-destination "$file" "$root$(dirname "$file")/"
    done
    apt-config dump | grep -E '^Acquire::https?::' >"$root/etc/apt/apt.conf.d/90lent" || true
    chroot "$root" update-ca-certificates >/dev/null
    # Variables alone that programs read for the same, and none with a folder in them that is not there.
    env -0 | grep -zE '^((http|https|no|ftp|all)_proxy|PIP_(INDEX|EXTRA_INDEX|TRUSTED|DEFAULT_TIMEOUT).*|CARGO_(HTTP|NET|REGISTRIES|SOURCE)_.*|PICHROOT_DEBIAN_MIRROR)=' -i \
        >"$root/lent.env" || true
    # Nobody answers there; and a proxy, which would look the names up by itself, is not asked.
    printf '127.0.0.1 %s\n' "${closed_off[@]}" >>"$root/etc/hosts"
    local names=${no_proxy:-${NO_PROXY-}}
    names=$(IFS=, && echo "${closed_off[*]}")${names:+,$names}
    printf '%s\0' "no_proxy=$names" "NO_PROXY=$names" >>"$root/lent.env"
}

for suite; do
    root=$work/$suite
    log=$target/fresh/$suite.log
    say "$suite: its log is $log"
    started=$SECONDS
    mmdebstrap --quiet --variant=apt --architectures="$(dpkg --print-architecture)" \
        --include=make,git,ca-certificates "$suite" "$root" ${PICHROOT_DEBIAN_MIRROR:+"$PICHROOT_DEBIAN_MIRROR"} >"$log" 2>&1 ||
        die "mmdebstrap could not make $root" "see $log"
    lend_settings "$root"
    git -c advice.detachedHead=false -c init.defaultBranch=main clone --quiet "$work/checkout.bundle" "$root/checkout" >>"$log" 2>&1
    cp "$here/inside.sh" "$root/inside.sh"
    mkdir "$root/lent" "$root/old"
    say "$suite: a root after $((SECONDS - started)) s"

    # No chroot but a root of its own, as the kernel makes no user namespaces in a chroot.
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --pid --fork --kill-child bash -euc '
        root=$1 sysroot=$2 suite=$3
        mount --bind "$root" "$root"
        cd "$root"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        mount -t tmpfs tmpfs run
        mount --bind -o ro "$sysroot" lent
        pivot_root . old
        # A root of mmdebstrap has no umount of its own.
        chroot /old umount --no-canonicalize --lazy /
        cd /
        mapfile -d "" lent <lent.env
        exec env -i "${lent[@]}" HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            bash /inside.sh "$suite"' bash "$root" "$sysroot" "$suite" </dev/null >>"$log" 2>&1 ||
        {
            tail -n 30 "$log" >&2
            die "not all is well on a fresh $suite" "see $log"
        }
    sed -n 's/^fresh: //p' "$log" | while read -r line; do say "$suite: $line"; done
    rm -rf --one-file-system "$root"
done
