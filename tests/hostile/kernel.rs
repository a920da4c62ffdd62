//! What root in the chroot writes to what looks like its kernel.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{
    image::{exec, within_limit},
    support::{Host, raw_copy, text},
};

/// Below /proc/sys: what changes by itself, or at every reading.
const RESTLESS: [&str; 9] = [
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "fs/aio-nr",
    "fs/quota",
    "kernel/ns_last_pid",
    "kernel/pty/nr",
    "kernel/random",
];

/// All settings of the host's kernel.
fn settings(folder: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path
            .strip_prefix("/proc/sys")
            .unwrap()
            .display()
            .to_string();
        if RESTLESS.iter().any(|restless| name.starts_with(restless)) {
            continue;
        }
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => settings(&path, all),
            false => {
                let value = fs::read_to_string(&path).unwrap_or_default();
                all.insert(name, value);
            }
        }
    }
}

fn now() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    settings("/proc/sys".as_ref(), &mut all);
    assert!(all.len() > 500, "{}", all.len());
    all
}

/// Whatever is written, under whatever name, and through whatever links the image has.
#[test]
fn no_setting_of_the_hosts_kernel_changes() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let (host, before) = (Host::now(), now());
    let script = r#"
ln -s /proc/sys/vm/swappiness /etc/link
mkdir -p /mnt/sys; mount --rbind /proc/sys /mnt/sys
for value in 1 7 "x y" 99999999999 ; do
    for file in $(find /proc/sys /mnt/sys -type f ! -path '*/binfmt_misc/*'); do
        echo "$value" >"$file"
    done 2>/dev/null
done
echo 3 >/etc/link
umount -l /mnt/sys
mount -t tmpfs none /proc/sys/net 2>/dev/null && umount /proc/sys/net
mount -o remount,rw /proc/sys; mount -o remount,exec,suid,dev,bind /proc/sys; mount --move /proc/sys /mnt/sys
head -c 1000000 /dev/zero >/proc/sys/kernel/core_pattern
mkdir /proc/sys/x; ln -s / /proc/sys/x; mknod /proc/sys/x c 1 3; rm -rf /proc/sys/vm; mv /etc/link /proc/sys/x
umount -l /proc/sys /sys/module /proc/swaps
for file in $(find /proc/sys -type f ! -path '*/binfmt_misc/*'); do echo 1 >"$file"; done 2>/dev/null
echo done
"#;
    let (out, err) = text(&within_limit(&mut exec(&image, &["sh", "-c", script])));
    assert!(out.ends_with("done\n"), "{out}{err}");
    let after = now();
    let changed = before
        .iter()
        .filter(|(name, value)| after.get(*name) != Some(value));
    let changed = changed.collect::<Vec<_>>();
    assert!(changed.is_empty(), "{changed:#?}");
    host.assert_unchanged();
}

/// Each is bounded, and the run goes on.
#[test]
fn much_of_it_is_refused_and_does_not_hold_up_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let image = raw_copy(dir.path(), "x.img");
    let script = r#"
for n in $(seq 1100); do echo "m$n"; done >/etc/modules-load.d/many.conf
for n in $(seq 300); do mkdir -p /mnt/$n; echo "srv$n:/x /mnt/$n 9p noauto"; done >>/etc/fstab
for n in $(seq 300); do mount /mnt/$n || break; done 2>/mnt/said
grep -c 9p /etc/fstab; grep -o 'too much is mounted' /mnt/said; mountpoint -q /mnt/200 && ! mountpoint -q /mnt/201 && echo bounded
mkfifo /etc/sysctl.d/x.conf /etc/modprobe.d/x.conf
yes 'net.*.*.*.*=1' | head -100000 >/etc/sysctl.d/y.conf
ln -s /proc/self/mem /etc/sysctl.d/z.conf
sysctl -w vm.swappiness=3
echo done
"#;
    let (out, err) = text(&within_limit(&mut exec(&image, &["sh", "-c", script])));
    assert!(out.contains("too much is mounted\nbounded\n"), "{out}{err}");
    assert!(out.ends_with("vm.swappiness = 3\ndone\n"), "{out}{err}");
    // With all of that it is opened again.
    let opened = within_limit(&mut exec(&image, &["sh", "-c", "wc -l </proc/modules"]));
    assert_eq!(text(&opened).0, "1000\n", "{opened:?}");
}
