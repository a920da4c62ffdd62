//! Processor architectures, as ELF headers and Linux name them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::elf::{Elf, Machine};

/// An architecture that images are made for. All of them little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM.
    Arm,
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit x86.
    I386,
}

impl Arch {
    /// The architecture of programs with this ELF header, if it is one we know.
    pub fn of(elf: &Elf) -> Option<Self> {
        Some(match elf.machine {
            Machine::Aarch64 => Arch::Aarch64,
            Machine::Arm => Arch::Arm,
            Machine::Riscv64 => Arch::Riscv64,
            Machine::X86_64 => Arch::X86_64,
            Machine::I386 => Arch::I386,
            Machine::Other(_) => return None,
        })
        .filter(|_| elf.little_endian)
    }

    /// `e_machine` (ELF specification) and whether it is a 64-bit architecture.
    pub fn elf(self) -> (u16, bool) {
        match self {
            Arch::Aarch64 => (183, true),
            Arch::Arm => (40, false),
            Arch::Riscv64 => (243, true),
            Arch::X86_64 => (62, true),
            Arch::I386 => (3, false),
        }
    }

    /// What this program was built for, which the host runs.
    pub fn host() -> Option<Self> {
        Some(match std::env::consts::ARCH {
            "aarch64" => Arch::Aarch64,
            "arm" => Arch::Arm,
            "riscv64" => Arch::Riscv64,
            "x86_64" => Arch::X86_64,
            "x86" => Arch::I386,
            _ => return None,
        })
    }

    /// Whether a host of this architecture runs programs for `other` without an emulator.
    ///
    /// 32-bit ARM on a 64-bit ARM host is left to qemu: newer cores, the Pi 5's server cousins
    /// among them, no longer run it.
    pub fn runs(self, other: Arch) -> bool {
        self == other || (self, other) == (Arch::X86_64, Arch::I386)
    }

    /// The name that qemu and `uname -m` use.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Aarch64 => "aarch64",
            Arch::Arm => "arm",
            Arch::Riscv64 => "riscv64",
            Arch::X86_64 => "x86_64",
            Arch::I386 => "i386",
        }
    }

    /// The CPU that qemu is to be, where its default is a bad choice.
    ///
    /// qemu's default aarch64 CPU computes pointer authentication in software, which makes newer
    /// user lands several times slower; the Cortex-A53 of the Pi 3 has none, and every later Pi
    /// runs what it runs.
    pub fn qemu_cpu(self) -> Option<&'static str> {
        (self == Arch::Aarch64).then_some("cortex-a53")
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
