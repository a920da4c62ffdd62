//! `pichroot boot`, with a stand-in for QEMU: what it is given, what is made of its console, and what has no machine.
//! Real machines are booted by tests/boot/run.sh.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    case::Case,
    images::{self, Root},
    support::wait_for,
};

/// Shows its user, arguments and kernel on the console, then what `says` does.
fn qemu(case: &Case, name: &str, says: &str) {
    let script = format!(
        r#"#!/bin/sh
case "$*" in *"-machine help"*) echo 'raspi3b  Raspberry Pi 3B'; exit ;; esac
echo "user $(id -u)"
echo "arguments $*"
while [ $# -gt 0 ]; do
    [ "$1" != -kernel ] || echo "kernel $(tr -d '\0' <"$2")"
    shift
done
{says}
"#
    );
    let path = case.file(&format!("bin/{name}"), script);
    // Others than root run it.
    for path in [&path, path.parent().unwrap(), case.folder()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn boot(case: &Case, arguments: &[&str]) -> Command {
    let mut command = case.pichroot(["boot", "x.img", "--checksum", "none"]);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", case.path("bin").display());
    command.args(arguments).env("PATH", path);
    command
}

/// A kernel for a PC, as far as anybody looks.
fn kernel_of_pc() -> String {
    format!(
        "{}HdrS{}\u{1}the kernel",
        "\0".repeat(0x202),
        "\0".repeat(0x30)
    )
}

/// One for 64-bit ARM.
fn kernel_of_arm() -> String {
    format!("{}ARM\u{64}{}", "\0".repeat(0x38), "\0".repeat(0x400))
}

const VIRTUAL: (&str, &str) = (
    "/lib/modules/6.1.0-amd64/modules.builtin",
    "kernel/drivers/block/virtio_blk.ko\nkernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/net/virtio_net.ko\n",
);

fn image(case: &Case, files: &[(&str, &str)]) {
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            files,
            ..Root::default()
        },
    );
}

fn bootable(case: &Case) {
    let kernel = kernel_of_pc();
    let files = [
        ("/boot/vmlinuz-6.1.0-amd64", &*kernel),
        (
            "/boot/cmdline.txt",
            "console=serial0,115200 root=/dev/mmcblk0p2 quiet\n",
        ),
        VIRTUAL,
    ];
    image(case, &files);
}

#[test]
fn the_prompt_is_waited_for_and_the_image_stays_as_it_is() {
    let case = Case::new();
    qemu(
        &case,
        "qemu-system-x86_64",
        "printf 'tiny login: '; sleep 1000",
    );
    bootable(&case);
    let before = fs::read(case.path("x.img")).unwrap();
    let ended = case.run(&mut boot(
        &case,
        &["-v", "--until", "login", "--append", "a=1"],
    ));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let said = &ended.stderr;
    for part in [
        "as QEMU's machine q35, with its kernel /boot/vmlinuz-6.1.0-amd64",
        "kernel HdrS",
        "the kernel\n",
        "root=PARTUUID=",
        " rootwait console=ttyS0 a=1 ",
        "virtio-blk-pci,drive=disk",
        "user 65534\n",
        "what was waited for has come after",
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert!(
        !said.contains("serial0") && !said.contains(" quiet"),
        "{said}"
    );
    assert!(fs::read(case.path("x.img")).unwrap() == before);
    case.unchanged();
}

#[test]
fn it_runs_as_who_called_sudo() {
    let case = Case::new();
    qemu(&case, "qemu-system-x86_64", "sleep 1000");
    bootable(&case);
    let mut command = boot(&case, &["-v", "--until", "^user 12345$"]);
    command.env("SUDO_UID", "12345").env("SUDO_GID", "12345");
    assert_eq!(case.run(&mut command).code, Some(0));
    case.unchanged();
}

#[test]
fn a_machine_that_does_not_come_up_is_told_with_its_last_words() {
    let case = Case::new();
    bootable(&case);
    let words =
        "for i in $(seq 100); do echo \"line $i\"; done; printf 'open\\033[31m line'; sleep 1000";
    qemu(&case, "qemu-system-x86_64", words);
    let mut command = boot(&case, &["--until", "login", "--timeout", "3s"]);
    let late = [
        "did not come to what was waited for within 3 s",
        "line 100\nopen line",
    ];
    let ended = case.refused(&mut command, 4, &late, "--timeout");
    assert!(!ended.stderr.contains("line 80\n"), "{}", ended.stderr);

    qemu(
        &case,
        "qemu-system-x86_64",
        "echo 'Kernel panic - not syncing: no init'; sleep 1000",
    );
    let mut command = boot(&case, &["--until", "login"]);
    let panic = ["does not come up: Kernel panic - not syncing: no init"];
    case.refused(&mut command, 4, &panic, "-v");

    qemu(
        &case,
        "qemu-system-x86_64",
        "echo 'no such device' >&2; exit 1",
    );
    let mut command = boot(&case, &["--until", "login"]);
    case.refused(
        &mut command,
        3,
        &["QEMU ended with", "no such device"],
        "-v",
    );
}

#[test]
fn nothing_of_it_stays_when_it_is_killed() {
    let case = Case::new();
    qemu(&case, "qemu-system-x86_64", "exec sleep 1000");
    bootable(&case);
    let mut child = boot(&case, &["--until", "login"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    wait_for("QEMU", Duration::from_secs(60), || {
        let children = fs::read_to_string(&children).unwrap_or_default();
        let is_it = |pid: &str| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(b"sleep")
        };
        children.split_whitespace().any(is_it).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    case.unchanged();
}

#[test]
fn what_cannot_be_booted() {
    let case = Case::new();
    image(&case, &[]);
    for name in ["qemu-system-x86_64", "qemu-system-aarch64"] {
        qemu(&case, name, "sleep 1000");
    }
    let refused = |files: &[(&str, &str)], arguments: &[&str], error: &[&str], hint: &str| {
        image(&case, files);
        let mut command = boot(&case, arguments);
        case.refused(&mut command, 4, error, hint);
    };
    refused(
        &[],
        &[],
        &["x.img: the image has no kernel, and no boot loader for UEFI"],
        "install one in it",
    );

    let (pc, arm) = (kernel_of_pc(), kernel_of_arm());
    let old = ("/boot/vmlinuz-6.1.0-amd64", &*pc);
    let nothing = (
        "/lib/modules/6.1.0-amd64/modules.builtin",
        "kernel/fs/ext4/ext4.ko\n",
    );
    refused(
        &[old, nothing],
        &[],
        &[
            "starts on no machine",
            "q35: the kernel has no driver for its disk",
        ],
        "virtual machines",
    );
    refused(
        &[("/boot/vmlinuz-6.1.0-amd64", "text"), VIRTUAL],
        &[],
        &["is no kernel that pichroot knows"],
        "--uefi",
    );
    refused(
        &[old, VIRTUAL],
        &["--uefi"],
        &["no boot loader for UEFI"],
        "without --uefi",
    );

    let pi = "kernel/drivers/mmc/core/mmc_block.ko\nkernel/drivers/mmc/host/bcm2835-sdhost.ko\n";
    let pi_5 = [
        ("/boot/kernel_2712.img", &*arm),
        ("/boot/bcm2712-rpi-5-b.dtb", "tree"),
        ("/lib/modules/6.6.31+rpt-rpi-2712/modules.builtin", pi),
    ];
    let why = [
        "is for the Raspberry Pi 5, which QEMU has no model of",
        "virt: the kernel has no driver for its disk",
        "raspi3b: the image has no bcm2710-rpi-3-b.dtb",
    ];
    refused(&pi_5, &[], &why, "boot it on its board");

    let netboot = ("/boot/cmdline.txt", "boot=rbd root=/dev/rbd0 ip=dhcp\n");
    refused(
        &[old, VIRTUAL, netboot],
        &[],
        &["boots from the network: /boot/cmdline.txt says boot=rbd"],
        "docs/boot.md",
    );
}

#[test]
fn a_board_gets_its_device_tree_and_a_card_of_a_power_of_two() {
    let case = Case::new();
    qemu(
        &case,
        "qemu-system-aarch64",
        "stat -L -c 'card %s' /proc/self/fd/*; sleep 1000",
    );
    let arm = kernel_of_arm();
    let pi = "kernel/drivers/mmc/core/mmc_block.ko\nkernel/drivers/mmc/host/bcm2835-sdhost.ko\n";
    let files = [
        ("/boot/kernel8.img", &*arm),
        ("/boot/bcm2710-rpi-3-b.dtb", "tree"),
        ("/boot/cmdline.txt", "console=tty1 root=/dev/mmcblk0p2\n"),
        ("/lib/modules/6.6.31+rpt-rpi-v8/modules.builtin", pi),
    ];
    image(&case, &files);
    // The image has 22 MiB.
    let ended = case.run(&mut boot(&case, &["-v", "--until", "card 33554432"]));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for part in [
        "-machine raspi3b",
        " -dtb /proc/self/fd/",
        "if=sd,",
        " root=/dev/mmcblk0p2 ",
        "it has no network",
    ] {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in: {}",
            ended.stderr
        );
    }
    let error = ["as a raspi3b the machine has no network"];
    case.refused(
        &mut boot(&case, &["--until", "ssh"]),
        4,
        &error,
        "--until login",
    );
}

#[test]
fn without_qemu_its_package_is_named() {
    let case = Case::new();
    bootable(&case);
    fs::create_dir(case.path("none")).unwrap();
    let mut command = boot(&case, &[]);
    command.env("PATH", case.path("none"));
    case.refused(
        &mut command,
        3,
        &["qemu-system-x86_64 is not installed"],
        "qemu-system-x86",
    );
}

#[test]
fn arguments_that_make_no_sense() {
    let case = Case::new();
    bootable(&case);
    case.file("play.yml", "[]");
    for (arguments, error, hint) in [
        (
            &["--until", "a(b"][..],
            "no regular expression",
            "backslash",
        ),
        (&["--until", ""], "--until is empty", "login"),
        (
            &["--until", "login", "--timeout", "soon"],
            "no span of time",
            "10m",
        ),
        (&["--timeout", "1m"], "nothing to wait for", "--until"),
        (&["--memory", "lots"], "--memory lots", "512M"),
        (&["--cpus", "0"], "--cpus is 0", "1 to 8"),
        (
            &["--user", "me"],
            "--user is for --playbook",
            "name the playbook",
        ),
        (&["--playbook", "none.yml"], "none.yml", ""),
        (
            &["--playbook", "play.yml", "--until", "login"],
            "waits for the SSH server",
            "--until",
        ),
        (
            &["--playbook", "play.yml", "--private-key", "none"],
            "cannot read the key",
            "",
        ),
    ] {
        let ended = case.run(&mut boot(&case, arguments));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:#?}");
        assert!(ended.stderr.contains(error), "{arguments:?}: {ended:#?}");
        let hinted = ended
            .stderr
            .lines()
            .any(|line| line.starts_with("hint: ") && line.contains(hint));
        assert!(hint.is_empty() || hinted, "{arguments:?}: {ended:#?}");
    }
    qemu(&case, "qemu-system-x86_64", "");
    let mut command = boot(&case, &["--machine", "pc98"]);
    case.refused(
        &mut command,
        2,
        &["does not know how to start a machine pc98"],
        "q35",
    );
}
