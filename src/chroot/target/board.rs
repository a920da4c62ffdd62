//! Boards that an image may be for: what roles, packages and Ansible look at to know that they are on one.
//!
//! What a processor tells is from /proc/cpuinfo of real boards, as people sent it to the project arm-socs-table
//! (github.com/hrw/arm-socs-table, issues 29, 31 and 96), and of the same boards with newer kernels, which tell no
//! "Hardware" any more (github.com/fastfetch-cli/fastfetch, issue 1529). The codes of revisions are made as the
//! documentation of Raspberry Pi says (raspberrypi.com/documentation, "Raspberry Pi revision codes"). Names in the device tree are
//! those of the kernel's arch/arm64/boot/dts/broadcom.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    emulation::arch::Arch,
    error::{Error, Result},
    nearest::nearest,
};

/// The variable that names the board.
pub const VARIABLE: &str = "hn_board";

/// What all boards of a kind have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// As [`VARIABLE`] says it.
    pub name: &'static str,
    /// As the device tree says it.
    pub model: &'static str,
    /// What the device tree calls it, from the board to the chip.
    pub compatible: &'static [&'static str],
    /// The sizes of memory that it is sold with, in GB; the first is what all of them have.
    pub memory: &'static [u32],
    /// The code of its revision, but for the memory.
    revision: u32,
    /// Its processor.
    pub cpu: Cpu,
    /// Its network interfaces, apart from `lo`.
    pub interfaces: &'static [&'static str],
}

/// Four of the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Cpu {
    /// What qemu calls it.
    pub qemu: &'static str,
    /// "CPU part" and "CPU variant".
    pub part: u32,
    /// The same.
    pub variant: u32,
    /// "CPU revision".
    pub revision: u32,
    /// "BogoMIPS".
    pub speed: &'static str,
    /// "Features" of a 64-bit kernel.
    pub features: &'static str,
    /// Whether 32-bit kernels are made for it.
    pub has_32_bit: bool,
}

/// How many processors each has.
pub const PROCESSORS: usize = 4;

/// What every ARMv8 has, without the extensions for cryptography.
pub const PLAIN_FEATURES: &str = "fp asimd evtstrm crc32 cpuid";

/// All of them.
pub const KINDS: [Kind; 3] = [
    Kind {
        name: "pi3",
        model: "Raspberry Pi 3 Model B Plus Rev 1.3",
        compatible: &["raspberrypi,3-model-b-plus", "brcm,bcm2837"],
        memory: &[1],
        revision: 0x80_20d3,
        cpu: Cpu {
            qemu: "cortex-a53",
            part: 0xd03,
            variant: 0,
            revision: 4,
            speed: "38.40",
            features: PLAIN_FEATURES,
            has_32_bit: true,
        },
        interfaces: &["eth0", "wlan0"],
    },
    Kind {
        name: "pi4",
        model: "Raspberry Pi 4 Model B Rev 1.5",
        compatible: &["raspberrypi,4-model-b", "brcm,bcm2711"],
        memory: &[1, 2, 4, 8],
        revision: 0x80_3115,
        cpu: Cpu {
            qemu: "cortex-a72",
            part: 0xd08,
            variant: 0,
            revision: 3,
            speed: "108.00",
            features: PLAIN_FEATURES,
            has_32_bit: true,
        },
        interfaces: &["eth0", "wlan0"],
    },
    Kind {
        name: "pi5",
        model: "Raspberry Pi 5 Model B Rev 1.1",
        compatible: &["raspberrypi,5-model-b", "brcm,bcm2712"],
        memory: &[1, 2, 4, 8, 16],
        revision: 0x80_4171,
        cpu: Cpu {
            qemu: "cortex-a76",
            part: 0xd0b,
            variant: 4,
            revision: 1,
            speed: "108.00",
            features: "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
            has_32_bit: false,
        },
        interfaces: &["eth0", "wlan0"],
    },
];

/// A board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Board {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its memory in GB.
    pub memory: u32,
}

impl Board {
    /// The board that [`VARIABLE`] names: `pi4`, or with its memory `pi4-8g`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] with the known ones.
    pub fn named(name: &str) -> Result<Self> {
        let names = KINDS.iter().flat_map(Kind::names);
        let (names, boards): (Vec<_>, Vec<_>) = names.unzip();
        if let Some(at) = names.iter().position(|known| known == name) {
            return Ok(boards[at]);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kinds = KINDS.each_ref().map(|kind| kind.name).join(", ");
        let known = format!("the boards are {kinds}, or with their memory such as pi4-4g");
        let hint = match nearest(&name.to_lowercase(), &names) {
            Some(word) => format!("did you mean {word}? {known}"),
            None => known,
        };
        Err(Error::usage(format!(
            "{VARIABLE} is {name}, which is no board that pichroot knows"
        ))
        .hint(hint))
    }

    /// Whether an image of this architecture can be for it.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] where not.
    pub fn check(self, arch: Arch) -> Result<()> {
        if matches!(arch, Arch::Aarch64 | Arch::Arm) {
            return Ok(());
        }
        Err(
            Error::usage(format!("{VARIABLE} is {self}, but the image is for {arch}"))
                .hint(format!("leave out {VARIABLE}, or take an image for ARM")),
        )
    }

    /// The code of its revision.
    pub fn revision(self) -> u32 {
        // 256 MB is 0, and each size after it is twice that.
        let memory = (self.memory * 4).ilog2();
        self.kind.revision | memory << 20
    }

    /// What Linux has of its memory at least, in MB. The firmware and the kernel keep some for themselves: between a 60th
    /// and an 8th, by size and configuration.
    pub fn usable_memory(self) -> u64 {
        u64::from(self.memory) * 1024 / 8 * 7
    }
}

impl Kind {
    /// The names of its boards.
    fn names(&'static self) -> impl Iterator<Item = (String, Board)> {
        let board = move |memory| Board { kind: self, memory };
        let plain = (self.name.to_owned(), board(self.memory[0]));
        let sized = self.memory.iter().map(move |&memory| {
            let board = board(memory);
            (board.to_string(), board)
        });
        [plain].into_iter().chain(sized)
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}g", self.kind.name, self.memory)
    }
}

impl From<Board> for String {
    fn from(board: Board) -> Self {
        board.to_string()
    }
}

impl TryFrom<String> for Board {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Board::named(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_known_by_its_kind_and_memory() {
        let board = |name| Board::named(name).unwrap();
        assert_eq!(board("pi3").to_string(), "pi3-1g");
        assert_eq!(board("pi4-8g").memory, 8);
        assert_eq!(board("pi5").kind.model, "Raspberry Pi 5 Model B Rev 1.1");
        for (name, hint) in [
            ("pi6", "did you mean pi3?"),
            ("Pi4", "did you mean pi4?"),
            ("pi4-3g", "did you mean pi4-1g?"),
            ("pi3-2g", "did you mean pi3-1g?"),
        ] {
            let error = Board::named(name).unwrap_err();
            assert!(error.hint_text().unwrap().starts_with(hint), "{error}");
        }
        let error = Board::named("raspberry").unwrap_err();
        let hint = "the boards are pi3, pi4, pi5, or with their memory such as pi4-4g";
        assert_eq!(error.hint_text(), Some(hint));
    }

    /// Of boards that people have.
    #[test]
    fn the_code_of_a_revision_tells_the_memory() {
        let code = |name| format!("{:x}", Board::named(name).unwrap().revision());
        assert_eq!(code("pi3"), "a020d3");
        assert_eq!(code("pi4-2g"), "b03115");
        assert_eq!(code("pi4-8g"), "d03115");
        assert_eq!(code("pi5-16g"), "e04171");
    }

    #[test]
    fn no_board_has_less_memory_than_is_said() {
        let memory = |name| Board::named(name).unwrap().usable_memory();
        // What Raspberry Pi OS shows on such boards.
        assert!((850..=906).contains(&memory("pi3")));
        assert!((7000..=7819).contains(&memory("pi4-8g")));
        assert!((7000..=8062).contains(&memory("pi5-8g")));
    }
}
