//! What tasks change of a running kernel: its settings, modules, mounts and swap space, by the modules that people use.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::{
    ended::Ended,
    image::Image,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy},
};

/// The release of a kernel that there is only a list of modules of.
const RELEASE: &str = "6.1.0-test-arm64";

/// What the host's kernel has, and is never to have otherwise.
#[derive(Debug, PartialEq, Eq)]
struct HostsKernel(BTreeMap<String, String>);

impl HostsKernel {
    fn now() -> Self {
        let files = [
            "/proc/mounts",
            "/proc/modules",
            "/proc/swaps",
            "/proc/sys/fs/suid_dumpable",
            "/proc/sys/kernel/hostname",
            "/proc/sys/kernel/kptr_restrict",
            "/proc/sys/net/ipv4/conf/all/forwarding",
            "/proc/sys/net/ipv4/ip_forward",
            "/proc/sys/net/ipv4/tcp_rmem",
            "/proc/sys/vm/swappiness",
        ];
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        HostsKernel(files.map(|path| (path.to_owned(), read(path))).into())
    }
}

/// Plays these tasks on `image`, with more facts than a host has.
fn play(scene: &Scene, image: &Path, tasks: &str) -> Ended {
    scene.write_play(tasks);
    let before = HostsKernel::now();
    let ended = Live::start(scene.ansible_on(image).args(["-v", "--force"])).end();
    assert_eq!(HostsKernel::now(), before);
    ended
}

/// What was told to be put off, a line each: how, and what for.
fn told(ended: &Ended) -> Vec<String> {
    let (_, block) = ended
        .err
        .split_once("==> at first boot:\n")
        .unwrap_or_default();
    let lines = block.lines().map_while(|line| line.strip_prefix("    "));
    let without_task = |line: &str| {
        line.rsplit_once(" (")
            .map_or(line, |(what, _)| what)
            .to_owned()
    };
    lines.map(without_task).collect()
}

/// Runs a command in `image`, and keeps what it does.
fn exec(scene: &Scene, image: &Path, script: &str) -> Ended {
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--write", "--checksum", "none"])
        .arg(image);
    Live::start(command.args(["--", "sh", "-ec", script])).end()
}

/// A module that depmod lists: the head of an ELF file with one empty section.
fn module() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    // ET_REL for AArch64.
    elf.extend([1, 0, 183, 0, 1, 0, 0, 0]);
    elf.extend([0; 16]);
    elf.extend(64_u64.to_le_bytes());
    elf.extend([0; 4]);
    // Sizes of the head, of no program headers, and of two section headers, the second with their names.
    for number in [64_u16, 0, 0, 64, 2, 1] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend([0; 64]);
    elf.extend([1, 0, 0, 0, 3, 0, 0, 0]);
    elf.extend([0; 16]);
    for number in [192_u64, 11, 0, 1, 0] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(b"\0.shstrtab\0");
    elf
}

/// An image with a kernel, and in its folder of modules those of these names.
fn image_with_modules(scene: &Scene, names: &[&str]) -> std::path::PathBuf {
    let image = raw_copy(scene.dir(), "kernel.img");
    let folder = scene.path("modules");
    fs::create_dir_all(&folder).unwrap();
    for name in names {
        fs::write(folder.join(format!("{name}.ko")), module()).unwrap();
    }
    let tar = scene.path("modules.tar");
    crate::support::run(
        Command::new("tar")
            .arg("-cf")
            .arg(&tar)
            .arg("-C")
            .arg(scene.dir())
            .arg("modules"),
    );
    let at = format!("/lib/modules/{RELEASE}");
    let script = format!(
        "mkdir -p {at}; cd {at}; tar xf -; mv modules kernel; echo kernel/net/ipv6.ko >modules.builtin; \
         touch modules.order modules.builtin.modinfo; depmod {RELEASE}"
    );
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--write", "--checksum", "none"])
        .arg(&image);
    command
        .args(["--", "sh", "-ec", &script])
        .stdin(fs::File::open(&tar).unwrap());
    let ended = Live::start(&mut command).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(tar).unwrap();
    image
}

#[test]
fn kernel_parameters_are_set_read_back_and_carried_by_files_where_there_are_some() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    let ended = play(
        &scene,
        &image,
        "- ansible.posix.sysctl: &forward
    {name: net.ipv4.ip_forward, value: '1', sysctl_set: true, reload: true, sysctl_file: /etc/sysctl.d/99-k.conf}
  register: first
- ansible.posix.sysctl: *forward
  register: second
- assert: {that: [first.changed, not second.changed]}
- command: sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.forwarding
  register: read
- assert: {that: \"read.stdout_lines == ['1', '1']\"}
- name: Without a file
  command: sysctl -w vm.swappiness=10 kernel.kptr_restrict=2
- name: By hand
  shell: echo 4096 87380 6291456 >/proc/sys/net/ipv4/tcp_rmem
- command: cat /proc/sys/net/ipv4/tcp_rmem
  register: read
- assert: {that: 'read.stdout == \"4096\\t87380\\t6291456\"'}
- name: A file that comes later
  copy: {dest: /etc/sysctl.d/60-x.conf, content: 'kernel/kptr_restrict = 2'}
- name: All files
  command: sysctl --system
- name: As before
  shell: sysctl -w fs.suid_dumpable=1; sysctl -w fs.suid_dumpable=0
- name: At once
  shell: echo 3 >/proc/sys/vm/drop_caches
- name: No such thing
  command: sysctl -w net.ipv4.nosuch=1
  register: missing
  failed_when: \"'No such file or directory' not in missing.stderr\"
- name: No number
  ansible.posix.sysctl: {name: net.ipv4.ip_forward, value: maybe, sysctl_set: true, state: present}
  register: wrong
  failed_when: \"'Invalid argument' not in wrong.msg\"
- stat: {path: /proc/sys/net/bridge}
  register: bridge
- assert: {that: not bridge.stat.exists}
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        told(&ended),
        [
            "by /etc/sysctl.d/99-k.conf in the image: sysctl -w net.ipv4.ip_forward=1",
            "by pichroot-first-boot.service: sysctl -w vm.swappiness=10",
            "by /etc/sysctl.d/60-x.conf in the image: sysctl -w kernel.kptr_restrict=2",
            "by pichroot-first-boot.service: sysctl -w net.ipv4.tcp_rmem=4096 87380 6291456",
            "any boot does: sysctl -w vm.drop_caches",
        ],
        "{ended:?}"
    );
    assert!(
        ended.err.contains("(Without a file, play.yml:"),
        "{ended:?}"
    );
    assert!(ended.err.contains("(By hand, play.yml:"), "{ended:?}");
    let made = Image::new(&scene.output());
    let step = made.cat("/var/lib/pichroot/first-boot/steps/00002");
    let line = "printf '%s\\n' '4096\t87380\t6291456' >/proc/sys/net/ipv4/tcp_rmem";
    assert!(step.ends_with(&format!("{line}\n")), "{step}");
    assert!(!made.exists("/var/lib/pichroot/first-boot/steps/00003"));
    scene.assert_left(&["base.img", "out.img"]);
}

#[test]
fn modules_are_loaded_as_the_images_kernel_would() {
    let scene = Scene::new();
    let image = image_with_modules(&scene, &["dummy", "br_netfilter", "cramfs", "overlay"]);
    let ended = play(
        &scene,
        &image,
        "- command: uname -r
  register: release
- assert: {that: \"release.stdout == '6.1.0-test-arm64'\"}
- community.general.modprobe: &bridge {name: br_netfilter, state: present, persistent: present}
  register: first
- community.general.modprobe: *bridge
  register: second
- assert: {that: [first.changed, not second.changed]}
- ansible.posix.sysctl: {name: net.bridge.bridge-nf-call-iptables, value: '1', sysctl_set: true}
- name: For once
  community.general.modprobe: {name: dummy, state: present, params: numdummies=2}
- community.general.modprobe: {name: ipv6, state: present}
  register: builtin
- community.general.modprobe: {name: nosuch, state: present}
  register: missing
  failed_when: \"'Module nosuch not found in directory /lib/modules/6.1.0-test-arm64' not in missing.msg\"
- community.general.modprobe: {name: cramfs, state: absent}
  register: absent
- assert: {that: [not builtin.changed, not absent.changed]}
- command: lsmod
  register: loaded
- assert: {that: [\"'dummy' in loaded.stdout\", \"'cramfs' not in loaded.stdout\"]}
- shell: grep -c '^dummy ' /proc/modules
- copy: {dest: /etc/modprobe.d/cis.conf, content: \"install cramfs /bin/false\\nblacklist cramfs\\n\"}
- shell: modprobe -n -v cramfs | grep 'install /bin/false'
- command: modprobe cramfs
  register: refused
  failed_when: refused.rc != 1 or 'install command' not in refused.stderr
- name: Load and unload
  shell: modprobe overlay && lsmod | grep -q overlay && modprobe -r overlay && ! lsmod | grep -q overlay
- name: Keep out
  command: modprobe -r cramfs
- command: rmmod nosuch
  register: missing
  failed_when: \"'not currently loaded' not in missing.stderr\"
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        told(&ended),
        [
            "by /etc/modules-load.d/br_netfilter.conf in the image: modprobe br_netfilter",
            "by pichroot-first-boot.service: modprobe dummy numdummies=2",
            "by /etc/modprobe.d/cis.conf in the image: modprobe -r cramfs",
        ],
        "{ended:?}"
    );
    let made = Image::new(&scene.output());
    assert_eq!(
        made.cat("/etc/modules-load.d/br_netfilter.conf"),
        "br_netfilter\n"
    );
    // What is loaded at a boot is loaded when the image is opened again, and its settings are there.
    let opened = exec(
        &scene,
        &scene.output(),
        "sysctl -n net.bridge.bridge-nf-call-iptables; lsmod",
    );
    assert!(opened.out.starts_with("1\nModule"), "{opened:?}");
    assert!(opened.out.contains("br_netfilter"), "{opened:?}");
    scene.assert_left(&["kernel.img", "out.img"]);
}

/// As images for containers are. Nobody can say then what modules there will be.
#[test]
fn without_a_kernel_modules_are_put_off_unseen() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    let ended = play(
        &scene,
        &image,
        "- community.general.modprobe: &it {name: br_netfilter, state: present}
  register: first
- community.general.modprobe: *it
  register: second
- assert: {that: [first.changed, not second.changed]}
- ansible.posix.sysctl: {name: net.bridge.bridge-nf-call-iptables, value: '0', sysctl_set: true}
- community.general.modprobe: {name: cramfs, state: absent}
- user: {name: someone, system: true}
- community.general.modprobe: {name: xyz, state: present}
  become: true
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told = told(&ended);
    assert_eq!(
        told[0], "by pichroot-first-boot.service: modprobe br_netfilter",
        "{ended:?}"
    );
    assert_eq!(
        told[2], "by pichroot-first-boot.service: modprobe xyz",
        "{ended:?}"
    );
    scene.assert_left(&["base.img", "out.img"]);
}

#[test]
fn mounts_are_made_stood_in_for_or_put_off() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    let ended = play(
        &scene,
        &image,
        "- name: In memory
  ansible.posix.mount: &memory {path: /mnt/memory, src: tmpfs, fstype: tmpfs, opts: 'size=1m', state: mounted}
  register: first
- ansible.posix.mount: *memory
  register: second
- assert: {that: [first.changed, not second.changed]}
- copy: {dest: /mnt/memory/x, content: x}
- name: A disk
  ansible.posix.mount: &disk {path: /srv/data, src: LABEL=data, fstype: ext4, opts: 'nofail,noatime', state: mounted}
  register: first
- ansible.posix.mount: *disk
  register: second
- command: mountpoint /srv/data
- command: findmnt -n -o SOURCE /srv/data
  register: source
- assert: {that: [first.changed, not second.changed, \"source.stdout == 'LABEL=data'\"]}
- command: touch /srv/data/x
  register: lost
  failed_when: \"'Read-only file system' not in lost.stderr\"
- name: A share without its program
  ansible.posix.mount: {path: /srv/share, src: '192.0.2.1:/x', fstype: nfs, state: mounted}
  register: share
  failed_when: \"'helper program' not in share.msg\"
- name: Of processes
  ansible.posix.mount: {path: /proc, src: proc, fstype: proc, opts: 'rw,nosuid,nodev,noexec,hidepid=2', state: mounted}
- name: Shared memory
  command: mount -o remount,noexec /dev/shm
- shell: findmnt -n -o OPTIONS /dev/shm | grep noexec
- name: Of the kernel
  command: mount -t debugfs none /sys/kernel/debug
- name: Of a disk that nobody knows
  command: mount /dev/sda1 /mnt
  register: unknown
  failed_when: \"'/etc/fstab' not in unknown.stderr\"
- ansible.posix.mount: {path: /srv/tmp, src: /etc, fstype: none, opts: 'bind,ro', state: ephemeral}
- command: test -e /srv/tmp/hostname
- command: touch /srv/tmp/x
  register: kept
  failed_when: \"'Read-only file system' not in kept.stderr\"
- command: mount -o remount,bind,noexec /srv/tmp
- shell: findmnt -n -o OPTIONS /srv/tmp | grep noexec
- ansible.posix.mount: {path: /srv/tmp, state: unmounted}
- name: The boot partition
  command: mount -o remount,rw /boot/firmware
- copy: {dest: /boot/firmware/written, content: x}
- name: A file system of processes elsewhere
  shell: mkdir -p /srv/root/proc && mount -t proc proc /srv/root/proc && test -e /srv/root/proc/self && umount /srv/root/proc
- name: No more
  ansible.posix.mount: {path: /srv/data, state: absent}
- stat: {path: /srv/data}
  register: gone
- assert: {that: not gone.stat.exists}
- command: mount -a
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        told(&ended),
        [
            "by /etc/fstab in the image: mount /mnt/memory",
            "by /etc/fstab in the image: mount -o remount /proc",
            "by pichroot-first-boot.service: mount -o remount,noexec /dev/shm",
            "any boot does: mount -t debugfs none /sys/kernel/debug",
            "by /etc/fstab in the image: mount -o remount,rw /boot/firmware",
        ],
        "{ended:?}"
    );
    let made = Image::new(&scene.output());
    assert!(
        made.cat("/etc/fstab")
            .contains("tmpfs /mnt/memory tmpfs size=1m 0 0\n")
    );
    assert!(made.list("/mnt/memory").is_empty() && !made.exists("/srv/data"));
    assert!(made.exists("/srv/tmp") && made.boot_file("written") == "x");
    scene.assert_left(&["base.img", "out.img"]);
}

#[test]
fn swap_space_is_the_machines() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    let ended = play(
        &scene,
        &image,
        "- name: Use it
  shell: |
    dd if=/dev/zero of=/swapfile bs=1M count=4 && chmod 600 /swapfile && mkswap /swapfile
    ! swapon /nosuch
    swapon /swapfile
    ! swapon /swapfile
- ansible.posix.mount: {path: none, src: /swapfile, fstype: swap, opts: sw, state: present}
- command: swapon --show=NAME,SIZE --noheadings
  register: used
- assert: {that: \"used.stdout.split() == ['/swapfile', '4M']\"}
- name: All of fstab
  command: swapon -a
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = "by /etc/fstab in the image: swapon /swapfile";
    assert_eq!(told(&ended), [line], "{ended:?}");
    fs::rename(scene.output(), &image).unwrap();
    let ended = play(
        &scene,
        &image,
        "- shell: grep /swapfile /proc/swaps
- name: As for Kubernetes
  command: swapoff -a
- shell: test $(wc -l </proc/swaps) = 1
- replace: {path: /etc/fstab, regexp: '^(.*swap.*)$', replace: '# \\1'}
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = "by /etc/fstab in the image: swapoff /swapfile";
    assert_eq!(told(&ended), [line], "{ended:?}");
    scene.assert_left(&["base.img", "out.img"]);
}

/// What would need the unit is refused, or is an error at the end where that shows only then.
#[test]
fn without_a_unit_only_what_files_carry_is_put_off() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    scene.write_play(
        "- ansible.posix.sysctl: {name: vm.swappiness, value: '10', sysctl_set: true}
- command: modprobe x
  register: refused
  failed_when: \"'--first-boot on' not in refused.stderr\"
- copy: {dest: /etc/modules-load.d/x.conf, content: x}
- command: modprobe x
",
    );
    let off = ["--first-boot", "off"];
    let ended = Live::start(scene.ansible_on(&image).args(off)).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    scene.write_play("- command: sysctl -w vm.swappiness=10\n");
    let ended = Live::start(scene.ansible_on(&image).args(off).arg("--force")).end();
    ended.assert_error(5, "`sysctl -w vm.swappiness=10 (command, play.yml:4)` needs a unit for the first boot, and there is to be none");
    scene.assert_left(&["base.img", "out.img"]);
}

/// On a living machine a reboot undoes what no file says.
#[test]
fn after_a_reboot_the_kernel_is_as_files_say() {
    let scene = Scene::new();
    let image = raw_copy(scene.dir(), "base.img");
    let ended = play(
        &scene,
        &image,
        "- shell: sysctl -w vm.swappiness=10 kernel.kptr_restrict=2; modprobe once; modprobe ever
- copy: {dest: /etc/sysctl.d/x.conf, content: vm.swappiness=10}
- copy: {dest: /etc/modules-load.d/x.conf, content: ever}
- name: Boot
  reboot:
- shell: sysctl -n vm.swappiness kernel.kptr_restrict; lsmod
  register: now
- assert: {that: ['now.stdout_lines[:2] == [\"10\", \"0\"]', \"'ever' in now.stdout\", \"'once' not in now.stdout\"]}
",
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let carried = "in the image: ";
    let found = told(&ended);
    assert_eq!(
        found[0],
        format!("by /etc/sysctl.d/x.conf {carried}sysctl -w vm.swappiness=10"),
        "{ended:?}"
    );
    assert_eq!(
        found[1],
        format!("by /etc/modules-load.d/x.conf {carried}modprobe ever"),
        "{ended:?}"
    );
    assert_eq!(found.len(), 3, "{ended:?}");
    scene.assert_left(&["base.img", "out.img"]);
}
