//! Making an image's programs run: which architecture they are for, and what runs them here.

pub mod arch;
pub mod binfmt;
pub mod drivers;
pub mod qemu;

use std::path::PathBuf;

use arch::Arch;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How programs of the image are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Natively where the processor can, else under qemu, with twins as they come.
    #[default]
    Auto,
    /// Under qemu, every program of it.
    Qemu,
    /// Under qemu, with twins for all programs that have one; waits until they are at hand.
    Twin,
    /// Never under qemu: fail where the processor cannot run them.
    Native,
}

/// The emulator for one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    /// What it emulates.
    pub arch: Arch,
    /// The static qemu program on this host.
    pub program: PathBuf,
    /// The CPU that it is to be; `None` is its default.
    pub cpu: Option<String>,
}

/// Which CPU qemu is to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu<'a> {
    /// The one that the user asks for.
    pub wanted: Option<&'a str>,
    /// The one that would be right, where this qemu has it.
    pub better: Option<&'a str>,
}

/// Decides how programs for `image` run on a `host`; `None` is natively.
///
/// # Errors
/// [`Kind::Host`](crate::error::Kind::Host) when there is no emulator, with what to install.
pub fn choose(mode: Mode, image: Arch, host: Arch, cpu: Cpu<'_>) -> Result<Option<Emulator>> {
    match mode {
        Mode::Native if !host.runs(image) => Err(Error::host(format!(
            "the image is for {image}, and this {host} host cannot run it natively"
        ))
        .hint("leave out --emulation native")),
        Mode::Native => Ok(None),
        Mode::Twin if host.runs(image) => Err(Error::host(format!(
            "the image is for {image}, which this {host} host runs natively: there are no twins"
        ))
        .hint("leave out --emulation twin")),
        Mode::Auto if host.runs(image) => Ok(None),
        Mode::Auto | Mode::Qemu | Mode::Twin => {
            let program = qemu::find(image, &qemu::search_path())?;
            let better = cpu.better.filter(|cpu| qemu::has_cpu(&program, cpu));
            let chosen = cpu.wanted.or(better).or(image.qemu_cpu());
            Ok(Some(Emulator {
                arch: image,
                cpu: chosen.map(str::to_owned),
                program,
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_the_hosts_own_kind_needs_no_emulator() {
        for arch in [Arch::Aarch64, Arch::X86_64] {
            assert_eq!(
                choose(Mode::Auto, arch, arch, Cpu::default()).unwrap(),
                None
            );
        }
        assert!(choose(Mode::Native, Arch::Aarch64, Arch::X86_64, Cpu::default()).is_err());
    }
}
