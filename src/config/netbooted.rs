//! What the variables say of a machine that boots from the network.

use super::known::Known;
use crate::{
    error::{Error, Result},
    netboot::{Board, RootOn},
};

/// What is known of a machine that boots from the network.
#[derive(Debug)]
pub struct Netbooted {
    /// Its name.
    pub name: String,
    /// What its firmware asks the TFTP server for.
    pub directory: Option<String>,
    /// Whether that is its MAC address.
    pub by_mac: bool,
    /// Its board.
    pub board: Option<Board>,
    /// Where its root file system is.
    pub root: RootOn,
    /// The user of Ceph's that it is.
    pub ceph_user: Option<String>,
}

impl Netbooted {
    pub(super) fn new(known: &Known, name: &str) -> Result<Self> {
        if known.get("hn_netboot").is_some_and(|value| !is_true(value)) {
            return Err(Error::usage(format!("{name} does not boot from the network: hn_netboot is false"))
                .hint("write its image to a card by `pichroot flash`, or set hn_netboot=true and build it anew"));
        }
        let id = known.get("hn_host_id").map(directory).transpose()?;
        let board = known.get("hn_board").and_then(Board::named);
        let (directory, by_mac) = id.map_or((None, false), |(name, by_mac)| (Some(name), by_mac));
        let text = |name: &str| known.get(name).map(str::to_owned);
        let root = match known.get("hn_root") {
            Some("nfs") => RootOn::Nfs {
                server: text("hn_nfs_server").unwrap_or_default(),
                path: text("hn_nfs_root").unwrap_or_else(|| format!("/srv/nfs/{name}")),
            },
            None | Some("rbd") => RootOn::Rbd {
                partition: partition(known)?,
            },
            Some(other) => {
                return Err(Error::usage(format!("hn_root is {other}")).hint("it is rbd or nfs"));
            }
        };
        Ok(Netbooted {
            name: name.to_owned(),
            directory,
            by_mac,
            board,
            root,
            ceph_user: text("hn_ceph_user"),
        })
    }

    pub(super) fn directory(&self) -> Result<String> {
        self.directory.clone().ok_or_else(|| {
            Error::usage(format!("the serial number of {} is not known", self.name)).hint(
                "set hn_host_id to the last eight digits of what its /proc/cpuinfo calls Serial, or to its MAC address",
            )
        })
    }

    pub(super) fn may_be_on_nfs(&self) -> bool {
        matches!(self.root, RootOn::Nfs { .. })
    }

    pub(super) fn may_be_on_rbd(&self) -> bool {
        matches!(self.root, RootOn::Rbd { .. })
    }
}

/// The folder that the firmware asks for, and whether that is a MAC address: `TFTP_PREFIX` of its EEPROM.
fn directory(id: &str) -> Result<(String, bool)> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    // Of a serial number of sixteen digits it takes the last eight.
    let serial = match id.len() {
        16 => id.get(8..).unwrap_or(id),
        _ => id,
    };
    if serial.len() == 8 && is_hex(id) {
        return Ok((serial.to_owned(), false));
    }
    let mac = id.replace(':', "-").to_ascii_lowercase();
    if mac.len() == 17
        && mac.split('-').count() == 6
        && mac.split('-').all(|two| two.len() == 2 && is_hex(two))
    {
        return Ok((mac, true));
    }
    Err(Error::usage(format!("hn_host_id is {id}, which is no serial number of a Pi")).hint(
        "a serial number has eight digits, 0 to 9 and a to f, as /proc/cpuinfo of the Pi shows it; a MAC address is taken, too",
    ))
}

/// `hn_ceph_partition`, which is empty where there is no table.
fn partition(known: &Known) -> Result<Option<u32>> {
    match known.get("hn_ceph_partition").filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            Error::usage(format!("hn_ceph_partition is {text}"))
                .hint("it is the number of the partition with the root, or empty if there is no partition table")
        }),
    }
}

/// As Ansible's filter `bool`.
fn is_true(text: &str) -> bool {
    ["true", "yes", "on", "1"].contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_asks_for_eight_digits_or_for_a_mac_address() {
        let name = |id| directory(id).ok();
        assert_eq!(name("abcdef12"), Some(("abcdef12".into(), false)));
        assert_eq!(name("10000000abcdef12"), Some(("abcdef12".into(), false)));
        for mac in ["DC:A6:32:01:36:C2", "dc-a6-32-01-36-c2"] {
            assert_eq!(name(mac), Some(("dc-a6-32-01-36-c2".into(), true)));
        }
        for wrong in [
            "",
            "ABCDEF12",
            "abcdef1",
            "../../xx",
            "dc:a6:32:01:36",
            "abcdefgh",
        ] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
