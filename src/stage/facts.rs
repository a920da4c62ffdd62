//! Looking at a mounted image: is it a Linux root, for which architecture, with which Python.

use std::path::{Path, PathBuf};

use nix::{fcntl::OFlag, sys::stat::Mode};
use serde::{Deserialize, Serialize};

use crate::{
    elf::read_elf,
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
    event::Opened,
    sys::inroot::{Root, path_of},
};

/// What the supervisor needs to know of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Where it is mounted in the stage.
    pub root: PathBuf,
    /// What its programs are for.
    pub arch: Arch,
    /// The static qemu that runs them, unless this host does itself.
    pub emulator: Option<PathBuf>,
    /// `PRETTY_NAME` of its os-release.
    pub os: Option<String>,
    /// Its Python 3, if it has one.
    pub python: Option<PathBuf>,
    /// Where the partitions are mounted, by number.
    pub mounts: Vec<(u32, PathBuf)>,
}

impl Facts {
    /// As the user is told.
    pub fn opened(&self) -> Opened {
        Opened {
            os: self.os.clone(),
            architecture: self.arch.to_string(),
            emulator: self.emulator.clone(),
            partitions: self.mounts.clone(),
        }
    }
}

/// The longest os-release or fstab that is read, in bytes; they are some hundreds.
pub const MAX_TEXT: u64 = 1 << 20;
/// The most entries of /lib/modules that are looked at.
const MAX_KERNELS: usize = 1000;

/// Whether this looks like the root of a Linux system: directories and a shell that any has.
pub fn is_linux_root(root: &Root) -> bool {
    let has_system = root.is_dir("etc".as_ref()) && root.is_dir("usr".as_ref());
    let has_shell =
        root.locate("bin/sh".as_ref()).is_ok() || root.is_file("etc/os-release".as_ref());
    has_system && has_shell
}

/// The architecture of the image, from programs that every Linux has.
///
/// # Errors
/// [`Kind::Image`] when none of them is a program, or for an architecture nobody here knows.
pub fn arch(root: &Root) -> Result<Arch> {
    const PROGRAMS: [&str; 4] = ["bin/sh", "usr/bin/env", "bin/busybox", "sbin/init"];
    let mut reasons = Vec::new();
    for program in PROGRAMS {
        match root
            .file(program.as_ref())
            .and_then(|mut file| read_elf(&mut file))
        {
            Ok(Some(elf)) => {
                return Arch::of(&elf).ok_or_else(|| {
                    Error::image(format!(
                        "/{program} of the image is for an unknown architecture, {:?}",
                        elf.machine
                    ))
                    .hint("pichroot knows aarch64, arm, riscv64, x86_64 and i386")
                });
            }
            Ok(None) => reasons.push(format!("/{program}: not an ELF program")),
            Err(error) => reasons.push(format!("/{program}: {error}")),
        }
    }
    Err(Error::image(format!(
        "cannot tell the image's architecture: {}",
        reasons.join("; ")
    ))
    .hint("is the partition with the root file system the right one? see image.layout in pichroot.yml"))
}

/// The text of the image's fstab; empty without one.
pub fn fstab(root: &Root) -> Result<String> {
    match root.read("etc/fstab".as_ref(), MAX_TEXT) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text
            .context(Kind::Image, || "cannot read /etc/fstab of the image".into())
            .map_err(|e| e.hint("make it a file, or take it away: pichroot.yml can say `layout`")),
    }
}

/// The name the system gives itself.
pub fn os(root: &Root) -> Option<String> {
    let text = root.read("etc/os-release".as_ref(), MAX_TEXT).ok()?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    // It goes to the user's terminal.
    Some(
        name.trim_matches('"')
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect(),
    )
}

/// The release of the newest kernel that the image has modules for.
pub fn kernel(root: &Root) -> Option<String> {
    kernels(root).into_iter().next()
}

/// The releases of the kernels that the image has modules for, the newest first.
pub fn kernels(root: &Root) -> Vec<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
    let modules = root.open_at("lib/modules".as_ref(), flags, Mode::empty());
    let entries = modules
        .map_err(Into::into)
        .and_then(|dir| std::fs::read_dir(path_of(&dir)));
    let entries = entries.into_iter().flatten().flatten().take(MAX_KERNELS);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut releases: Vec<_> = names.filter(|name| is_release(name)).collect();
    releases.sort_by_cached_key(|name| std::cmp::Reverse(numbers(name)));
    releases
}

/// Whether `name` is a kernel's release, 4.0 or later: programs refuse to run on one that is too old for them.
fn is_release(name: &str) -> bool {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"._+~-".contains(&b);
    // The kernel's own limit, __NEW_UTS_LEN.
    name.len() <= 64 && name.bytes().all(usual) && numbers(name).first().is_some_and(|n| *n >= 4)
}

/// The numbers in a release, in order: `6.8.0-1010-raspi` is after `6.8.0-101-raspi`.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .map_while(|digits| digits.parse().ok())
        .collect()
}

/// The image's Python 3, as a path in the image.
pub fn python(root: &Root) -> Option<PathBuf> {
    let usual = Path::new("usr/bin/python3");
    root.is_file(usual).then(|| Path::new("/").join(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_by_number_and_nonsense_is_none() {
        let top = tempfile::tempdir().unwrap();
        let root = Root::open(top.path()).unwrap();
        assert_eq!(kernel(&root), None);
        let add = |name: &str| {
            std::fs::create_dir_all(top.path().join("lib/modules").join(name)).unwrap();
        };
        for name in ["latest", "2.6.32", "9 9", "99.\u{e9}"] {
            add(name);
            assert_eq!(kernel(&root), None, "{name}");
        }
        add("6.8.0-101-raspi");
        add("6.8.0-1010-raspi");
        add("6.8.0-99-raspi");
        assert_eq!(kernel(&root).as_deref(), Some("6.8.0-1010-raspi"));
        assert_eq!(kernels(&root).last().unwrap(), "6.8.0-99-raspi");
    }
}
