//! Kernel, initramfs and modules: each is what it should be, and all are of one release.

use std::{collections::BTreeSet, io};

use super::{
    super::{Board, RootOn, cpio::Fault, finding::Notes, kernel::Form, load::Load, seen::Seen},
    modules,
};
use crate::emulation::arch::Arch;

/// `kernel`
pub fn kernel(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let (path, board) = (&load.kernel.path, load.board.name());
        let Some(kernel) = seen.kernel(load) else {
            let hint = "publish the kernel, under the name that config.txt has for it";
            let saw = format!("{board} wants it, and it is not there");
            notes.fail(saw, path, hint);
            continue;
        };
        if let Some((saw, hint)) = unfit(kernel.form, load, seen.wanted.architecture) {
            notes.fail(saw, path, hint);
            continue;
        }
        let bits = if kernel.form == Form::Arm64 { 64 } else { 32 };
        let release = kernel.release.as_deref().unwrap_or("of an unknown release");
        notes.fine(format!("{board}: {path} is {release}, for {bits}-bit ARM"));
    }
    Ok(())
}

/// Why a board does not start such a kernel, and what to do.
fn unfit(form: Form, load: &Load, programs: Arch) -> Option<(String, &'static str)> {
    let board = load.board.name();
    let unfit = |saw: &str, hint| Some((saw.to_owned(), hint));
    match form {
        Form::Efi => unfit(
            "an EFI program that unpacks itself, which the firmware does not start",
            "publish the kernel as Image or as Image.gz: the firmware unpacks nothing else",
        ),
        Form::X86 => unfit("it is no kernel for ARM", "take a kernel for this board"),
        Form::Unknown => unfit(
            "it is no kernel: neither an Image, as it is or in gzip, nor a zImage",
            "publish the kernel as its package has it; if it is one, it is damaged",
        ),
        Form::Arm if load.board == Board::Pi5 => unfit(
            "a kernel for 32-bit ARM, and a pi5 starts none",
            "take one for arm64",
        ),
        Form::Arm if load.is_64_bit => Some((
            format!("a kernel for 32-bit ARM, and config.txt has {board} start in 64-bit mode"),
            "set arm_64bit=0 in config.txt, or take a kernel for arm64",
        )),
        Form::Arm64 if !load.is_64_bit => Some((
            format!("a kernel for arm64, and {board} starts in 32-bit mode"),
            "set arm_64bit=1 in config.txt",
        )),
        Form::Arm if programs == Arch::Aarch64 => unfit(
            "a kernel for 32-bit ARM, and the root's programs are for arm64",
            "take a kernel for arm64",
        ),
        Form::Arm | Form::Arm64 => None,
    }
}

/// `initramfs`
pub fn initramfs(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let board = load.board.name();
        if load.initramfs.is_empty() {
            let hint =
                "name it in config.txt: initramfs initrd.img followkernel, or auto_initramfs=1";
            match seen.wanted.root {
                RootOn::Rbd { .. } => {
                    let saw = format!(
                        "config.txt has {board} load none, and no kernel mounts a root on Ceph by itself"
                    );
                    notes.fail(saw, "config.txt", hint);
                }
                _ => notes.fine(format!(
                    "{board} loads none: the kernel itself must mount the root"
                )),
            }
            continue;
        }
        for file in &load.initramfs {
            if file.size.is_none() {
                let hint = "publish it, or make it: update-initramfs -c -k all, or dracut --regenerate-all";
                notes.fail(
                    format!("{board} wants {}, which is not there", file.path),
                    &file.asked,
                    hint,
                );
            }
        }
        match seen.initramfs(load) {
            Some(Ok(archive)) => notes.fine(format!(
                "{}: {} files, {:.1} MB, packed with {}",
                load.initramfs[0].path,
                archive.paths.len(),
                archive.bytes as f64 / 1e6,
                archive.packed.join(" and "),
            )),
            Some(Err(Fault::Broken(what))) => {
                let hint =
                    "make it anew: update-initramfs -c -k all, or dracut --regenerate-all --force";
                let saw = format!("the kernel cannot unpack it: {what}");
                notes.fail(saw, &load.initramfs[0].path, hint);
            }
            Some(Err(Fault::Beyond(what))) => {
                notes.unknown(format!("{}: {what}", load.initramfs[0].path))
            }
            None => {}
        }
    }
    Ok(())
}

/// `release`
pub fn release(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let in_root = seen.releases();
    for load in &seen.loads {
        let board = load.board.name();
        let Some(kernel) = seen.kernel(load) else {
            notes.unknown(format!("{board} has no kernel"));
            continue;
        };
        let Some(release) = &kernel.release else {
            notes.unknown(format!("{} does not tell its release", load.kernel.path));
            continue;
        };
        let in_initramfs = seen
            .archive(load)
            .map(modules::releases)
            .unwrap_or_default();
        if !in_initramfs.is_empty() && !in_initramfs.contains(release) {
            let saw = format!(
                "the kernel is {release}, and the initramfs has modules of {}",
                list(&in_initramfs)
            );
            let hint = "publish kernel and initramfs of one package: make the initramfs anew, and copy both";
            notes.fail(saw, &load.kernel.path, hint);
        }
        match &in_root {
            Ok(found) if found.contains(release) => {
                notes.fine(format!("{board}: all are {release}"));
            }
            Ok(found) => {
                let has = match found.is_empty() {
                    true => "nothing".to_owned(),
                    false => list(&found.iter().cloned().collect()),
                };
                let saw =
                    format!("the kernel is {release}, and /lib/modules of the root has {has}");
                let hint = "install the kernel's package in the root, or publish the kernel that is installed there";
                notes.fail(saw, format!("/lib/modules/{release}"), hint);
            }
            Err(error) => notes.unknown(error.to_string()),
        }
    }
    Ok(())
}

fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}
