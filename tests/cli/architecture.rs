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
