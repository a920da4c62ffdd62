//! What tasks find out of the machine that they run on: the one that the image becomes, and never this one.

use std::{fs, process::Command};

use crate::{
    ended::Ended,
    live::Live,
    scene::Scene,
    support::{pichroot, raw_copy},
};

fn run(command: &mut Command) -> Ended {
    Live::start(command).end()
}

fn succeeds(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// What this machine would say.
const UNNAMED: &str = r#"- setup:
  register: all
- set_fact: {facts: "{{ all.ansible_facts }}"}
- assert:
    that:
      - facts.ansible_architecture == "aarch64"
      - facts.ansible_virtualization_type == "NA" and facts.ansible_product_name == "NA"
      - facts.ansible_is_chroot
      - facts.ansible_interfaces == ["lo"] and facts.ansible_lo.ipv4.address == "127.0.0.1"
      - facts.ansible_default_ipv4 == {} and facts.ansible_all_ipv4_addresses == []
      - facts.ansible_dns == {}
      - facts.ansible_devices.keys() | list == ["mmcblk0"]
      - facts.ansible_mounts | map(attribute="fstype") | sort == ["ext4", "vfat"]
      - facts.ansible_cmdline.root == "LABEL=writable"
      - facts.ansible_env.keys() | reject("in", ["HOME", "LANG", "PATH", "PWD", "TERM"]) | list == []
      - facts.ansible_uptime_seconds < 3600
      # The image has no kernel, and so what any container has.
      - facts.ansible_kernel == lookup("pipe", "uname -r")
      # Nobody says which board it is for.
      - facts.keys() | select("match", "ansible_(processor|mem(total|free)|loadavg|flags)") | list == []
- command: grep -cE "^processor|Raspberry|Revision" /proc/cpuinfo
  register: processors
- command: nproc
  register: nproc
- assert: {that: processors.stdout == nproc.stdout}
- command: ls /sys/class/net
  register: net
- assert: {that: net.stdout == "lo"}
- shell: ls -A /sys/firmware; test ! -e /proc/device-tree/model && test ! -e /sys/class/dmi/id
  register: firmware
- assert: {that: firmware.stdout == ""}
- setup:
  delegate_to: localhost
  delegate_facts: true
- assert: {that: "hostvars.localhost.ansible_facts.kernel == lookup('pipe', 'uname -r')"}
"#;

#[test]
fn without_a_board_nothing_of_this_machine_is_told() {
    let scene = Scene::with_tasks(UNNAMED);
    succeeds(&mut scene.ansible());
    scene.assert_left(&["out.img"]);
}

/// As roles ask for it. `grep` and `sh` have twins, which no emulator shows anything.
const BOARD: &str = r#"- command: grep -E "Raspberry Pi|BCM2711" /proc/cpuinfo
- command: grep -a "Raspberry Pi 4 Model B" /proc/device-tree/model
- shell: tr -d '\0' </proc/device-tree/model
  register: model
- copy:
    dest: /tmp/is-pi
    mode: "0755"
    content: |
      #!/bin/sh
      [ -f /proc/device-tree/model ] && { read -r model </proc/device-tree/model; echo "$model"; }
- command: /tmp/is-pi
  register: script
- slurp: {src: /sys/firmware/devicetree/base/compatible}
  register: compatible
- stat: {path: /proc/device-tree/model}
  register: there
- command: awk '/^Revision/ {print $3}' /proc/cpuinfo
  register: revision
- shell: echo $QEMU_CPU; ls /sys/class/net | tr '\n' ' '
  register: more
- assert:
    that:
      - model.stdout == "Raspberry Pi 4 Model B Rev 1.5" and script.stdout == model.stdout
      - compatible.content | b64decode is match("raspberrypi,4-model-b.brcm,bcm2711")
      - there.stat.exists and revision.stdout == "d03115"
      - more.stdout_lines == [cpu, "eth0 lo wlan0 "]
- gather_facts:
- assert:
    that:
      - ansible_processor_vcpus == 4 and ansible_facts.processor_nproc == 4
      - ansible_memtotal_mb == 7168 and ansible_facts.memory_mb.swap.total == 0
      - ansible_facts.interfaces == ["lo", "eth0", "wlan0"] and not ansible_eth0.active
      - ansible_eth0.ipv4 is undefined and ansible_facts.eth0.macaddress is undefined
- setup: {gather_subset: ["!all", "!min", hardware], filter: [ansible_processor*]}
  register: some
- assert:
    that:
      - some.ansible_facts.ansible_processor == ["0", "1", "2", "3"]
      - some.ansible_facts.keys() | reject("match", "ansible_processor") | list == []
- setup: {filter: ansible_memtotal_mb}
  async: 60
  poll: 1
  register: late
- assert:
    that:
      - late.ansible_facts.ansible_memtotal_mb == 7168
"#;

#[test]
fn a_board_that_is_named_is_what_roles_find() {
    let scene = Scene::with_tasks(BOARD);
    let cpu = ["-e", "cpu=cortex-a72"];
    succeeds(scene.ansible().args(["-e", "hn_board=pi4-8g"]).args(cpu));
    scene.assert_left(&["out.img"]);
}

/// By a template, and in a variable that only Ansible knows; what was fixed before stays the least of all boards.
#[test]
fn an_inventory_can_name_the_board() {
    let scene = Scene::with_tasks(
        "- command: grep -aF 'Raspberry Pi 4 Model B' /proc/device-tree/model
- gather_facts: {gather_subset: ['!all', '!min', hardware]}
- assert: {that: ansible_memtotal_mb == 7168}
",
    );
    let text = "all:\n  vars: {kind: pi4}\n  hosts:\n    mypi: {hn_board: '{{ kind }}-8g'}\n";
    fs::write(scene.path("hosts.yml"), text).unwrap();
    let mut command = scene.ansible();
    command.args(["-i", "hosts.yml"]);
    succeeds(&mut command);
    let text = "mypi hn_board=pi44\n";
    fs::write(scene.path("hosts.yml"), text).unwrap();
    fs::rename(scene.path("hosts.yml"), scene.path("hosts.ini")).unwrap();
    let mut command = scene.ansible();
    let ended = run(command.args(["--force", "-i", "hosts.ini"]));
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let said = "ERROR! hn_board is pi44, which is no board that pichroot knows; did you mean pi4?";
    assert!(ended.err.contains(said), "{ended:?}");
    scene.assert_left(&["hosts.ini", "out.img"]);
}

#[test]
fn a_board_that_nobody_knows_is_told_before_anything() {
    let scene = Scene::with_tasks("- ping:\n");
    let ended = run(scene.ansible().args(["-e", "hn_board=pi6"]));
    ended.assert_error(2, "hn_board is pi6, which is no board that pichroot knows");
    assert!(ended.err.contains("hint: did you mean pi"), "{ended:?}");
    scene.assert_left(&[]);
}

#[test]
fn a_task_that_fails_without_a_fact_is_told_which_one() {
    let scene = Scene::with_tasks(
        "- setup:\n- copy: {dest: /etc/workers, content: \"{{ ansible_processor_vcpus }}\"}\n",
    );
    let ended = run(&mut scene.ansible());
    let hint = "failed for what an image is: it needs a fact that nobody knows of an image; -e hn_board=pi4 names";
    assert!(ended.err.contains(hint), "{ended:?}");
    scene.write_play("- setup:\n- fail: {msg: the ansible_kernel is not what I like}\n");
    let ended = run(&mut scene.ansible());
    assert!(!ended.err.contains("nobody knows"), "{ended:?}");
    scene.assert_left(&[]);
}

const BANNER: &str = "Linux version 6.1.0-13-arm64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, \
                      GNU ld (GNU Binutils for Debian) 2.40) #1 SMP Debian 6.1.55-1 (2023-09-29)";

#[test]
fn the_kernel_is_the_images_own() {
    let scene = Scene::with_tasks(
        "- setup:\n- assert:\n    that:\n      - ansible_kernel == '6.1.0-13-arm64'
      - ansible_kernel_version == '#1 SMP Debian 6.1.55-1 (2023-09-29)'
      - ansible_apparmor.status == 'enabled'\n",
    );
    let image = raw_copy(scene.dir(), "x.img");
    let script = format!(
        "mkdir -p /lib/modules/6.1.0-13-arm64
        echo '{BANNER}' | gzip -c >/boot/vmlinuz-6.1.0-13-arm64
        printf '#\\nCONFIG_SECURITY_APPARMOR=y\\nCONFIG_LSM=\"yama,apparmor\"\\n' >/boot/config-6.1.0-13-arm64"
    );
    let mut command = pichroot(scene.dir());
    command
        .args(["exec", "--write", "x.img", "--checksum", "none", "--"])
        .args(["sh", "-c", &script]);
    succeeds(&mut command);
    succeeds(&mut scene.ansible_on(&image));
    scene.assert_left(&["out.img", "x.img"]);
}
