//! The firmware by which virtual machines start boot loaders for UEFI, where distributions have it.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use crate::{
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
};

/// The program of the firmware, and what its variables are at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// Read-only.
    pub code: PathBuf,
    /// To be copied.
    pub variables: PathBuf,
}

/// Of Debian and Ubuntu, Fedora, and Arch.
fn places(arch: Arch) -> (&'static [(&'static str, &'static str)], &'static str) {
    match arch {
        Arch::Aarch64 => (
            &[
                ("AAVMF/AAVMF_CODE.no-secboot.fd", "AAVMF/AAVMF_VARS.fd"),
                ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd"),
                (
                    "edk2/aarch64/QEMU_EFI-pflash.raw",
                    "edk2/aarch64/vars-template-pflash.raw",
                ),
                ("edk2/aarch64/QEMU_CODE.fd", "edk2/aarch64/QEMU_VARS.fd"),
            ],
            "qemu-efi-aarch64, or edk2-aarch64",
        ),
        Arch::Arm => (
            &[("AAVMF/AAVMF32_CODE.fd", "AAVMF/AAVMF32_VARS.fd")],
            "qemu-efi-arm",
        ),
        Arch::Riscv64 => (
            &[(
                "qemu-efi-riscv64/RISCV_VIRT_CODE.fd",
                "qemu-efi-riscv64/RISCV_VIRT_VARS.fd",
            )],
            "qemu-efi-riscv64",
        ),
        Arch::X86_64 | Arch::I386 => (
            &[
                ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),
                ("OVMF/OVMF_CODE.fd", "OVMF/OVMF_VARS.fd"),
                ("edk2/ovmf/OVMF_CODE.fd", "edk2/ovmf/OVMF_VARS.fd"),
                ("edk2/x64/OVMF_CODE.4m.fd", "edk2/x64/OVMF_VARS.4m.fd"),
            ],
            "ovmf, or edk2-ovmf",
        ),
    }
}

/// That of this machine, below `share`, which is /usr/share.
///
/// # Errors
/// [`Kind::Host`] where it is not installed, with the package.
pub fn find(arch: Arch, share: &Path) -> Result<Firmware> {
    let (places, package) = places(arch);
    let at = |(code, variables): &(&str, &str)| Firmware {
        code: share.join(code),
        variables: share.join(variables),
    };
    let is_there = |found: &Firmware| found.code.is_file() && found.variables.is_file();
    places.iter().map(at).find(is_there).ok_or_else(|| {
        Error::host(format!(
            "there is no firmware for UEFI on {arch} in {}",
            share.display()
        ))
        .hint(format!("install {package}"))
    })
}

impl Firmware {
    /// What its variables are at first.
    pub fn first_variables(&self) -> Result<File> {
        File::open(&self.variables).context(Kind::Host, || {
            format!("cannot open {}", self.variables.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn both_files_have_to_be_there() {
        let share = tempfile::tempdir().unwrap();
        let path = |name: &str| share.path().join(name);
        fs::create_dir_all(path("AAVMF")).unwrap();
        fs::write(path("AAVMF/AAVMF_CODE.fd"), "").unwrap();
        let error = find(Arch::Aarch64, share.path()).unwrap_err();
        assert!(error.hint_text().unwrap().contains("qemu-efi-aarch64"));
        fs::write(path("AAVMF/AAVMF_VARS.fd"), "").unwrap();
        let found = find(Arch::Aarch64, share.path()).unwrap();
        assert_eq!(found.code, path("AAVMF/AAVMF_CODE.fd"));
        assert!(find(Arch::X86_64, share.path()).is_err());
    }
}
