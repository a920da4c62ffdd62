//! Programs of the image that this host cannot run.

use crate::{
    case::{Case, in_private_mounts},
    images::{self, Root},
};

/// ELF machine numbers (elf(5)).
const RISCV: u16 = 243;
const SPARC: u16 = 2;

/// Where a qemu for riscv64 could be.
const QEMU: &str = "/usr/bin/qemu-riscv64-static /usr/bin/qemu-riscv64 /usr/local/bin/qemu-riscv64* \
                    /bin/qemu-riscv64* /usr/libexec/qemu-binfmt/riscv64-binfmt-P";

fn image_for(case: &Case, machine: u16) {
    let shell = Some(images::program_for(machine));
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            shell,
            ..Root::default()
        },
    );
}

#[test]
fn an_unknown_architecture() {
    let case = Case::new();
    image_for(&case, SPARC);
    let mut run = case.exec(&["--checksum", "none", "x.img"]);
    case.refused(&mut run, 4, &["/bin/sh", "unknown architecture"], "aarch64");
}

#[test]
fn a_shell_that_is_no_program() {
    let case = Case::new();
    let shell = Some(b"garbage".to_vec());
    images::tiny_with(
        &case.path("x.img"),
        &Root {
            shell,
            ..Root::default()
        },
    );
    let mut run = case.exec(&["--checksum", "none", "x.img"]);
    case.refused(
        &mut run,
        4,
        &["architecture", "/bin/sh: not an ELF program"],
        "partition",
    );
}

#[test]
fn no_qemu_and_one_that_needs_libraries() {
    let case = Case::new();
    image_for(&case, RISCV);
    for (instead, error) in [
        ("/dev/null", "no qemu for riscv64"),
        ("/usr/bin/env", "is not a static program"),
    ] {
        // At least one must be there to be hidden, or a mount point made for it.
        let hide =
            format!("for f in {QEMU}; do [ ! -e \"$f\" ] || mount --bind {instead} \"$f\"; done");
        let run = case.exec(&["--checksum", "none", "x.img"]);
        let mut hidden = in_private_mounts(&hide, &run);
        if instead != "/dev/null" {
            // First on PATH, so that one is found wherever this host has its own.
            let fake = case.path("bin/qemu-riscv64-static");
            std::fs::create_dir_all(fake.parent().unwrap()).unwrap();
            if !fake.exists() {
                std::os::unix::fs::symlink(instead, &fake).unwrap();
            }
            let path = std::env::var("PATH").unwrap();
            hidden.env(
                "PATH",
                format!("{}:{path}", fake.parent().unwrap().display()),
            );
        }
        case.refused(&mut hidden, 3, &[error], "qemu-user-static");
    }
}

#[test]
fn natively_is_not_for_foreign_images() {
    let case = Case::new();
    image_for(&case, RISCV);
    let mut run = case.exec(&["--checksum", "none", "--emulation", "native", "x.img"]);
    case.refused(&mut run, 3, &["riscv64", "natively"], "--emulation native");
}

/// A program for 32-bit ARM that prints "32 bit". Its ELF header, one program header (elf(5)), its code.
fn arm_program() -> Vec<u8> {
    const BASE: u32 = 0x10000;
    const CODE: [u32; 8] = [
        0xe3a0_0001, // mov r0, #1
        0xe28f_1014, // add r1, pc, #20
        0xe3a0_2007, // mov r2, #7
        0xe3a0_7004, // mov r7, #4: write
        0xef00_0000, // svc 0
        0xe3a0_0000, // mov r0, #0
        0xe3a0_7001, // mov r7, #1: exit
        0xef00_0000, // svc 0
    ];
    let size = 52 + 32 + 4 * CODE.len() as u32 + 7;
    let header = [BASE + 84, 52, 0, 0x0500_0200];
    let load = [1, 0, BASE, BASE, size, size, 5, 4096];
    let mut program = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0".to_vec();
    program.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    program.extend(b"\x34\0\x20\0\x01\0\0\0\0\0\0\0");
    program.extend(load.iter().chain(&CODE).flat_map(|word| word.to_le_bytes()));
    program.extend(b"32 bit\n");
    program
}

#[test]
fn programs_for_32_bit_are_emulated_and_one_line_says_so() {
    let case = Case::new();
    let with = Root {
        shell: Some(arm_program()),
        ..Root::default()
    };
    images::tiny_with(&case.path("x.img"), &with);
    let ended =
        case.run(&mut case.pichroot(["exec", "--checksum", "none", "x.img", "--", "/bin/sh"]));
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "32 bit\n"),
        "{ended:?}"
    );
    let why = "no twins, so every program of the image is emulated: they are for 64-bit images";
    assert_eq!(ended.stderr.matches(why).count(), 1, "{ended:?}");
    case.unchanged();
}
