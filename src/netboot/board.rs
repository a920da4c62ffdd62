//! The boards, as the firmware and the kernel tell them apart.

use serde::{Deserialize, Serialize};

/// A kind of board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Board {
    /// Raspberry Pi 3 B and 3 B+.
    Pi3,
    /// Raspberry Pi 4 B.
    Pi4,
    /// Raspberry Pi 5.
    Pi5,
}

impl Board {
    /// All of them.
    pub const ALL: [Board; 3] = [Board::Pi3, Board::Pi4, Board::Pi5];

    /// Its name in `hn_board`, without the memory.
    pub fn name(self) -> &'static str {
        match self {
            Board::Pi3 => "pi3",
            Board::Pi4 => "pi4",
            Board::Pi5 => "pi5",
        }
    }

    /// The board of that name; one with its memory is the same board.
    pub fn named(name: &str) -> Option<Self> {
        let kind = name.split('-').next()?;
        Board::ALL.into_iter().find(|board| board.name() == kind)
    }

    /// The drivers of its network.
    pub fn drivers(self) -> &'static [&'static str] {
        match self {
            // The 3 B has the one, the 3 B+ the other.
            Board::Pi3 => &["smsc95xx", "lan78xx"],
            // CONFIG_BCMGENET, and the device tree calls it so, but its file is genet.ko.
            Board::Pi4 => &["genet"],
            Board::Pi5 => &["macb"],
        }
    }

    /// What its device trees may be called: the names of Raspberry Pi's kernel first.
    pub fn device_trees(self) -> &'static [&'static str] {
        match self {
            Board::Pi3 => &[
                "bcm2710-rpi-3-b-plus.dtb",
                "bcm2710-rpi-3-b.dtb",
                "bcm2837-rpi-3-b-plus.dtb",
                "bcm2837-rpi-3-b.dtb",
            ],
            Board::Pi4 => &["bcm2711-rpi-4-b.dtb"],
            Board::Pi5 => &["bcm2712-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb"],
        }
    }

    /// How fast its network is, in bits a second.
    pub fn speed(self) -> u64 {
        match self {
            Board::Pi3 => 100_000_000,
            Board::Pi4 | Board::Pi5 => 1_000_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_known_by_its_name() {
        assert_eq!(Board::named("pi4"), Some(Board::Pi4));
        assert_eq!(Board::named("pi5-16g"), Some(Board::Pi5));
        assert_eq!(Board::named("pine64"), None);
    }
}
