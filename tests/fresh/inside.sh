#!/usr/bin/env bash
# inside.sh SUITE : what run.sh has done in a fresh root. /checkout is a clone, /lent this machine's toolchain.
#
# bookworm is used by a plain user with sudo, trixie by root, who builds outside the checkout.
set -euo pipefail
suite=$1
say() { printf 'fresh: %s\n' "$*"; }
fail() {
    say "FAIL $*"
    exit 1
}
timed() {
    local started=$SECONDS name=$1
    shift
    "$@" || fail "$name"
    say "$name: $((SECONDS - started)) s"
}
# Tells whether the output of the last `make_setup` has these words, and in this order.
told() {
    local line pattern=
    for line; do pattern+=".*$line"; done
    tr '\n' ' ' </tmp/out | grep -qE "$pattern" || fail "not told: $*"
}
as_user() { "$@"; }
home=/root
make_setup() {
    rc=0
    as_user make -C /checkout setup-demo >/tmp/out 2>&1 || rc=$?
    cat /tmp/out
}
packages() { dpkg-query -W | sort; }

for program in cargo rustc rustup curl wget sudo python3; do
    ! command -v "$program" || fail "this is no fresh machine"
done

# A Rust of somebody's own is left as it is, and nothing is installed.
before=$(packages)
mkdir -p /opt/own/bin "$home/.cargo/bin"
printf '#!/bin/sh\necho cargo 1.60.0\n' >/opt/own/bin/cargo
chmod +x /opt/own/bin/cargo
PATH=/opt/own/bin:$PATH make_setup
[ "$rc" != 0 ] || fail "an old cargo is taken"
told 'error: /opt/own/bin/cargo is 1.60.0; pichroot needs Rust' 'hint: put a newer one'
cp /opt/own/bin/cargo "$home/.cargo/bin/cargo"
cat >"$home/.cargo/bin/rustup" <<'RUSTUP'
#!/bin/sh
[ "$*" = "toolchain list" ] || touch /tmp/changed
echo 1.60.0
RUSTUP
chmod +x "$home/.cargo/bin/rustup"
make_setup
[ "$rc" != 0 ] || fail "an old toolchain is taken"
told "error: $home/.cargo/bin/cargo is 1.60.0; pichroot needs Rust" 'hint: run rustup update stable'
[ ! -e /tmp/changed ] || fail "a toolchain was changed"
rm -r "$home/.cargo/bin" /opt/own
SUDO_USER=somebody make_setup
[ "$rc" != 0 ] || fail "Rust is installed for root below sudo"
told 'error: ' 'hint: run make without sudo'
[ "$before" = "$(packages)" ] || fail "packages were installed for nothing"
say "a Rust of somebody's own stays as it is"

if [ "$suite" = bookworm ]; then
    apt-get -qq install -y sudo >/dev/null 2>&1
    useradd --create-home --shell /bin/bash user
    echo 'user ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/user
    chown -R user: /checkout
    home=/home/user
    [ ! -d /root/.config ] || cp -R /root/.config "$home/"
    [ ! -d /root/.cargo ] || cp -R /root/.cargo "$home/"
    chown -R user: "$home"
    as_user() { setpriv --reuid=user --regid=user --init-groups env HOME="$home" PATH=/usr/local/bin:/usr/bin:/bin "$@"; }
fi

case $suite in
    bookworm)
        make_setup
        told 'install-rust: cargo is not here' 'installing curl with apt' 'installer from https://sh.rustup.rs, into /home/user/.cargo'
        # run.sh has closed it off.
        [ "$rc" != 0 ] || fail "https://sh.rustup.rs is reachable"
        told 'error: cannot fetch https://sh.rustup.rs' 'hint: is it reachable'
        say "https://sh.rustup.rs was asked for; the installer is a stand-in"
        # It takes what the installer would and puts this machine's toolchain where that has its own.
        cat >/usr/local/bin/curl <<'CURL'
#!/bin/bash
[ "$*" = "--proto =https --tlsv1.2 -sSf -o $6 https://sh.rustup.rs" ] || exit 1
cat >"$6" <<'INSTALLER'
[ "$*" = "-y --no-modify-path --profile minimal --component rustfmt,clippy" ] || exit 1
mkdir -p ~/.cargo/bin && ln -s /lent/bin/* ~/.cargo/bin/
INSTALLER
CURL
        chmod +x /usr/local/bin/curl
        # Beside the distribution's, which stays the one on PATH for others.
        apt-get -qq install -y --no-install-recommends cargo >/dev/null 2>&1
        make_setup
        rm /usr/local/bin/curl
        told 'install-rust: /usr/bin/cargo is' 'installer from https://sh.rustup.rs' "/home/user/.cargo/bin/cargo is"
        dpkg-query -W cargo >/dev/null || fail "the distribution's cargo is gone"
        [ ! -e /root/.cargo/bin ] || fail "root has a toolchain"
        ;;
    trixie)
        nowhere=https://rust.invalid
        RUSTUP_DIST_SERVER=$nowhere make_setup
        told 'install-rust: cargo is not here' 'installing rustup with apt' "with /usr/bin/rustup, from $nowhere" \
            'error: rustup could not install the stable toolchain' "hint: .*is $nowhere reachable"
        # What was cut short goes on, and the package is not installed again.
        make_setup
        told "install-rust: installing Rust's stable toolchain with /usr/bin/rustup, from https://static.rust-lang.org"
        [ "$rc" != 0 ] || fail "https://static.rust-lang.org is reachable"
        told 'error: rustup could not install the stable toolchain' 'hint: .*is https://static.rust-lang.org reachable'
        say "https://static.rust-lang.org was asked for; rustup has a lent toolchain"
        rustup toolchain link lent /lent
        rustup default lent
        make_setup
        ;;
esac
[ "$rc" = 0 ] || fail "make setup-demo"
[ "$suite" = bookworm ] || export CARGO_TARGET_DIR=/elsewhere
say "Rust is found"

timed "make demo" as_user make -C /checkout demo
[ -s /checkout/mypi.img ] || fail "there is no mypi.img"
say "mypi.img has $(stat -c %s /checkout/mypi.img) bytes"
[ "$suite" = bookworm ] || [ ! -e /checkout/target ] || fail "CARGO_TARGET_DIR is not heeded"
timed "make test, of which the doctor's" as_user make -C /checkout test TEST_ARGS="doctor"

# The program by itself, as cargo installs it, with the PATH that sudo gives it; and the demo's link, which finds the
# checkout's Ansible.
bare() { (cd / && env -i HOME=/nonexistent PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"); }
timed "the demo's link" bare /usr/local/bin/pichroot doctor
if [ "$suite" = trixie ]; then
    # make finds the toolchain by itself.
    timed "cargo install" env PATH="$HOME/.cargo/bin:$PATH" \
        cargo install --quiet --locked --path /checkout --root /installed
    printf 'ansible: {command: /checkout/.venv/bin/ansible-playbook}\n' >/tmp/ansible.yml
    timed "an installed program" bare /installed/bin/pichroot ansible bootstrap-ubuntu-image.yml --config /tmp/ansible.yml \
        --image "$(readlink -f /checkout/.cache/base)"/*.img.xz --checksum none -e hn_hostname=alone -o /tmp/alone.img
    [ -s /tmp/alone.img ] || fail "there is no alone.img"
fi
