//! What the confinement must not break.

use crate::{
    image::{exec, within_limit},
    support::{Host, raw_copy, text},
};

#[test]
fn root_in_the_chroot_can_do_what_provisioning_needs() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let host = Host::now();
    let script = r#"
        set -eu
        test "$(sudo -u ubuntu sudo -n id -u)" = 0
        test "$(sudo -u ubuntu id -un)" = ubuntu
        sudo -u ubuntu sh -c 'echo x >/dev/null; head -c1 /dev/urandom >/dev/zero'
        touch /root/f; chown ubuntu:www-data /root/f; test "$(stat -c %U:%G /root/f)" = ubuntu:www-data
        cp /bin/true /root/suid; chmod 4755 /root/suid; test -u /root/suid
        mkfifo /root/fifo
        mount -t tmpfs none /mnt; touch /mnt/x; umount /mnt
        mount --bind /etc /mnt; test -e /mnt/passwd; umount /mnt
        sudo -u ubuntu sh -c 'ulimit -c 0; true'
        python3 -c 'import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (100, 100)); assert r.getrlimit(r.RLIMIT_NOFILE)[0] == 100'
        hostname changed; test "$(hostname)" = changed
        perl -e 'use Fcntl; exit !-c "/dev/tty"'
        python3 -c 'import os, pty; os._exit(os.waitstatus_to_exitcode(pty.spawn(["true"])))'
        script -qec true /dev/null >/dev/null
        if command -v setcap >/dev/null; then
            setcap cap_net_raw+ep /root/f; getcap /root/f | grep -q cap_net_raw
        else
            python3 -c 'import os, struct
os.setxattr("/root/f", "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
assert os.getxattr("/root/f", "security.capability")'
        fi
        echo all
    "#;
    let output = within_limit(&mut exec(&image, &["bash", "-c", script]));
    let (out, err) = text(&output);
    assert!(output.status.success() && out == "all\n", "{out}{err}");
    host.assert_unchanged();
}
