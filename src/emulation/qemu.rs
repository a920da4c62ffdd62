//! Finding a qemu that runs in a chroot: static, under any of the names distributions use.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::arch::Arch;
use crate::{
    elf::read_elf,
    error::{Error, Result},
    sys::command,
};

/// The directories to look in: `$PATH`, then where distributions put it although it is not there.
pub fn search_path() -> Vec<PathBuf> {
    let path = command::search_path();
    let usual = [
        "/usr/bin",
        "/usr/local/bin",
        "/bin",
        "/usr/libexec/qemu-binfmt",
    ];
    std::env::split_paths(&path)
        .chain(usual.map(PathBuf::from))
        .collect()
}

/// File names of the emulator for `arch`, best first.
///
/// `qemu-X-static`: Debian, Ubuntu, Fedora and Arch. `qemu-X`: Gentoo with `static-user`, and newer
/// Debian and Ubuntu (`qemu-user`). `X-binfmt-P`: Debian's and Ubuntu's qemu-binfmt directory.
fn names(arch: Arch) -> Vec<String> {
    let other = match arch {
        Arch::Aarch64 => Some("arm64"),
        _ => None,
    };
    let mut names = Vec::new();
    for arch in std::iter::once(arch.name()).chain(other) {
        names.push(format!("qemu-{arch}-static"));
        names.push(format!("qemu-{arch}"));
        names.push(format!("{arch}-binfmt-P"));
    }
    names
}

/// The first static emulator for `arch` in `directories`.
///
/// # Errors
/// [`Kind::Host`](crate::error::Kind::Host) when there is none, or only ones that need libraries,
/// which would not be there inside the chroot; with the packages that have one.
pub fn find(arch: Arch, directories: &[PathBuf]) -> Result<PathBuf> {
    let mut dynamic = None;
    for name in names(arch) {
        for directory in directories {
            let candidate = directory.join(&name);
            match is_static(&candidate) {
                Some(true) => return Ok(candidate),
                Some(false) => dynamic = Some(candidate),
                None => {}
            }
        }
    }
    let error = match dynamic {
        Some(path) => Error::host(format!("{} is not a static program", path.display())),
        None => Error::host(format!("no qemu for {arch} on this host")),
    };
    Err(error.hint(
        "install it: qemu-user-static (Debian, Ubuntu to 25.04, Fedora, Arch), qemu-user-binfmt \
         (newer Ubuntu), qemu with the static-user flag (Gentoo)",
    ))
}

/// Whether the emulator knows a CPU of this name.
pub fn has_cpu(program: &Path, cpu: &str) -> bool {
    // It lists them; since 7.2 or so each line begins with the name, before that with spaces.
    let listed = command::output(program, &["-cpu".into(), "help".into()]);
    listed.is_ok_and(|output| {
        let listed = String::from_utf8_lossy(&output.stdout);
        listed.split_whitespace().any(|word| word == cpu)
    })
}

/// Whether the program at `path` is static; `None` if it is no program of this host.
fn is_static(path: &Path) -> Option<bool> {
    let elf = read_elf(&mut File::open(path).ok()?).ok()??;
    Some(!elf.dynamic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_that_needs_libraries_is_named_and_refused() {
        let dir = tempfile::tempdir().unwrap();
        // Any dynamic program will do; the test's own is one.
        let dynamic = dir.path().join("qemu-riscv64");
        std::os::unix::fs::symlink("/proc/self/exe", &dynamic).unwrap();
        let error = find(Arch::Riscv64, &[dir.path().to_owned()]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("qemu-riscv64 is not a static program"),
            "{error}"
        );
    }

    #[test]
    fn none_at_all_says_what_to_install() {
        let error = find(Arch::Aarch64, &["/nonexistent".into()]).unwrap_err();
        assert!(error.hint_text().unwrap().contains("qemu-user-static"));
    }
}
