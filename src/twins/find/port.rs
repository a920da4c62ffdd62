//! How Debian and its kin name an architecture: packages, library folders, loader.

use crate::emulation::arch::Arch;

/// An architecture as a Debian port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Its name, as in a package's `Architecture`.
    pub name: &'static str,
    /// The folder of its libraries below /lib and /usr/lib.
    pub triplet: &'static str,
    /// The file name of the dynamic loader.
    pub loader: &'static str,
}

const fn port(name: &'static str, triplet: &'static str, loader: &'static str) -> Port {
    Port {
        name,
        triplet,
        loader,
    }
}

/// The ports for `arch`; 32-bit ARM has two, with and without hardware floating point.
pub fn ports(arch: Arch) -> &'static [Port] {
    const AARCH64: &[Port] = &[port("arm64", "aarch64-linux-gnu", "ld-linux-aarch64.so.1")];
    const ARM: &[Port] = &[
        port("armhf", "arm-linux-gnueabihf", "ld-linux-armhf.so.3"),
        port("armel", "arm-linux-gnueabi", "ld-linux.so.3"),
    ];
    const RISCV64: &[Port] = &[port(
        "riscv64",
        "riscv64-linux-gnu",
        "ld-linux-riscv64-lp64d.so.1",
    )];
    const X86_64: &[Port] = &[port("amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2")];
    const I386: &[Port] = &[port("i386", "i386-linux-gnu", "ld-linux.so.2")];
    match arch {
        Arch::Aarch64 => AARCH64,
        Arch::Arm => ARM,
        Arch::Riscv64 => RISCV64,
        Arch::X86_64 => X86_64,
        Arch::I386 => I386,
    }
}

/// Whether two versions are of the same source: equal but for the suffix of a binNMU.
///
/// `+b13` numbers the rebuilds of an unchanged source, on each architecture by itself: bash
/// 5.2.15-2+b13 on arm64 may be 5.2.15-2+b8 on amd64.
pub fn same_version(one: &str, other: &str) -> bool {
    one == other || without_rebuild(one) == without_rebuild(other)
}

fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((source, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            source
        }
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilds_are_of_one_version_and_everything_else_is_not() {
        assert!(same_version("5.2.15-2+b13", "5.2.15-2+b8"));
        assert!(same_version("1.0-1+b1", "1.0-1"));
        assert!(!same_version("1.0-1+b1", "1.0-2+b1"));
        assert!(!same_version("1.0-1+deb12u1", "1.0-1"));
        assert!(!same_version("1.0-1+b", "1.0-1"));
    }
}
