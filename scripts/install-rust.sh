#!/usr/bin/env bash
# install-rust.sh [run|test] : a Rust that is new enough for this checkout, where there is none.
#   run   to build pichroot
#   test  also rustfmt and clippy
# It is the distribution's where that is new enough, else by the distribution's rustup, else by the installer from
# https://sh.rustup.rs; what rustup installs is in the caller's home. A Rust that came another way stays as it is.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { printf 'install-rust: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}
level=${1-test}
needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
needs="pichroot needs Rust $needed or later"
homes="${CARGO_HOME:-$HOME/.cargo} and ${RUSTUP_HOME:-$HOME/.rustup}"
server=${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}
installer=https://sh.rustup.rs

# Looks for cargo where make does, see the Makefile; then $have is its version, empty if it does not run.
look() {
    hash -r
    case $(command -v cargo || true) in
        '' | /usr/bin/cargo) PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH ;;
    esac
    cargo=$(command -v cargo || true)
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || have=
}
new_enough() { [ -n "$1" ] && dpkg --compare-versions "$1" ge "$needed"; }
complete() { [ "$level" = run ] || { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; }
look
if new_enough "$have" && complete; then
    exit 0
fi

has_package() { dpkg-query -W -f '${db:Status-Abbrev}\n' "$1" 2>/dev/null | grep -q '^ii'; }
# The version of package $1 that apt would install, without its epoch.
candidate() { apt-cache policy "$1" | sed -nE 's/^ *Candidate: ([0-9]+:)?([0-9].*)/\2/p'; }
update() { scripts/apt-get.sh update || die "apt-get update failed" "its messages are above; are the package archives reachable?"; }
install() {
    local command=(scripts/apt-get.sh install -y --no-install-recommends --no-remove "$@")
    "${command[@]}" || { update && "${command[@]}"; } ||
        die "apt-get could not install $*" "its messages are above; or install Rust $needed or later yourself"
}
not_below_sudo() {
    [ -z "${SUDO_USER-}" ] ||
        die "$1" "run make without sudo, it asks for root where it needs to; or install Rust for root with https://rustup.rs"
}
install_toolchain() {
    not_below_sudo "rustup has no toolchain of root's"
    say "installing Rust's stable toolchain with $(command -v rustup), from $server into ${RUSTUP_HOME:-$HOME/.rustup}"
    { rustup toolchain install stable --profile minimal --component rustfmt,clippy && rustup default stable; } >&2 ||
        die "rustup could not install the stable toolchain" "its messages are above; is $server reachable?"
}

# Whose it is decides what may be done.
if [ -n "$cargo" ] && [ -x "$(dirname "$cargo")/rustup" ]; then
    toolchains=$(rustup toolchain list 2>/dev/null | sed '/^no installed toolchains/d')
    if [ -n "$toolchains" ]; then
        new_enough "$have" || die "$cargo is ${have:-of a toolchain that does not run}; $needs" \
            "run rustup update stable, then rustup default stable if another one is the default"
        die "$cargo has no rustfmt or no clippy" "run rustup component add rustfmt clippy"
    fi
    install_toolchain
elif [ -n "$cargo" ] && ! dpkg-query -S "$cargo" >/dev/null 2>&1; then
    new_enough "$have" || die "$cargo is ${have:-a program that does not run}; $needs" \
        "put a newer one in its place, or another one before it on PATH"
    die "$cargo has no rustfmt or no clippy" "install them beside it, cargo fmt and cargo clippy must run"
else
    new_enough "$have" || say "${cargo:-cargo} is ${have:-not here}; $needs"
    packages=(cargo)
    [ "$level" = run ] || packages+=(rustfmt rust-clippy)
    if [ -z "$(candidate rustc)" ]; then
        say "updating the lists of apt"
        update
    fi
    if new_enough "$(candidate rustc)"; then
        say "installing ${packages[*]} with apt, $(candidate rustc)"
        install "${packages[@]}"
    elif ! has_package rustc && [ -n "$(candidate rustup)" ]; then
        not_below_sudo "this system's own Rust is $(candidate rustc); $needs"
        say "this system's own is $(candidate rustc); installing rustup with apt"
        install rustup
        look
        install_toolchain
    else
        # It goes beside the distribution's older one, which its package rustup would remove.
        not_below_sudo "this system's own Rust is $(candidate rustc); $needs"
        command -v curl >/dev/null || {
            say "installing curl with apt"
            install curl ca-certificates
        }
        say "this system's own is $(candidate rustc); installing Rust's stable toolchain with the installer from $installer, into $homes"
        script=$(mktemp)
        trap 'rm -f "$script"' EXIT
        curl --proto '=https' --tlsv1.2 -sSf -o "$script" "$installer" ||
            die "cannot fetch $installer" "is it reachable? Or install Rust $needed or later yourself"
        RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$script" -y --no-modify-path --profile minimal --component rustfmt,clippy >&2 ||
            die "the installer from $installer failed" "its messages are above; is $server reachable?"
        say "make finds it there; for cargo in your shell: . ${CARGO_HOME:-$HOME/.cargo}/env"
    fi
fi

look
new_enough "$have" || die "${cargo:-cargo} is ${have:-not to be run} even now; $needs" "the messages above may tell why"
say "$cargo is $have"
