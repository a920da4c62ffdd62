//! The names of the checks: `--no-check NAME` leaves one out, and docs/netboot-checks.md has a row for each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    nearest::nearest,
};

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// The folder is called what the firmware asks for.
    #[serde(rename = "directory-name")]
    Directory,
    /// Everybody can read what is in it.
    Readable,
    /// No link leads out of it.
    Links,
    /// How much is fetched, and how long that takes.
    Transfer,
    /// config.txt and what it includes can be read.
    Config,
    /// `os_prefix` is not dropped.
    OsPrefix,
    /// The firmware itself is there.
    Firmware,
    /// The board's device tree is there.
    DeviceTree,
    /// The overlays are there.
    Overlays,
    /// Nothing counts on trying one boot out.
    Tryboot,
    /// The kernel is there, and one that the firmware starts.
    Kernel,
    /// The initramfs is there and unpacks.
    Initramfs,
    /// Kernel, initramfs and modules are of one release.
    Release,
    /// The driver of the board's network is in the initramfs.
    NetworkDriver,
    /// What mounts the root is in the initramfs.
    RootDriver,
    /// Our scripts and their configuration are in the initramfs.
    BootScripts,
    /// The kernel's command line is one line.
    Cmdline,
    /// It names the root that was asked for.
    CmdlineRoot,
    /// It sets up the network.
    CmdlineIp,
    /// It names nothing of a card.
    CmdlineCard,
    /// It starts nothing of a first boot.
    CmdlineFirstBoot,
    /// What the server gives to everybody holds no secret.
    Secrets,
    /// fstab agrees with what is published.
    Fstab,
    /// No swap file over NFS.
    Swap,
    /// Nothing repartitions or grows at the first boot.
    Resize,
    /// No identity is shared.
    Identity,
    /// NetworkManager leaves the network alone.
    NetworkManager,
    /// systemd-networkd does.
    SystemdNetworkd,
    /// netplan does.
    Netplan,
    /// dhcpcd does.
    Dhcpcd,
    /// ifupdown does.
    Ifupdown,
    /// cloud-init does.
    CloudInit,
}

impl Name {
    /// All of them, in the order in which they are made and told.
    pub const ALL: [Name; 32] = [
        Name::Directory,
        Name::Readable,
        Name::Links,
        Name::Transfer,
        Name::Config,
        Name::OsPrefix,
        Name::Firmware,
        Name::DeviceTree,
        Name::Overlays,
        Name::Tryboot,
        Name::Kernel,
        Name::Initramfs,
        Name::Release,
        Name::NetworkDriver,
        Name::RootDriver,
        Name::BootScripts,
        Name::Cmdline,
        Name::CmdlineRoot,
        Name::CmdlineIp,
        Name::CmdlineCard,
        Name::CmdlineFirstBoot,
        Name::Secrets,
        Name::Fstab,
        Name::Swap,
        Name::Resize,
        Name::Identity,
        Name::NetworkManager,
        Name::SystemdNetworkd,
        Name::Netplan,
        Name::Dhcpcd,
        Name::Ifupdown,
        Name::CloudInit,
    ];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Directory => "directory-name",
            Name::Readable => "readable",
            Name::Links => "links",
            Name::Transfer => "transfer",
            Name::Config => "config",
            Name::OsPrefix => "os-prefix",
            Name::Firmware => "firmware",
            Name::DeviceTree => "device-tree",
            Name::Overlays => "overlays",
            Name::Tryboot => "tryboot",
            Name::Kernel => "kernel",
            Name::Initramfs => "initramfs",
            Name::Release => "release",
            Name::NetworkDriver => "network-driver",
            Name::RootDriver => "root-driver",
            Name::BootScripts => "boot-scripts",
            Name::Cmdline => "cmdline",
            Name::CmdlineRoot => "cmdline-root",
            Name::CmdlineIp => "cmdline-ip",
            Name::CmdlineCard => "cmdline-card",
            Name::CmdlineFirstBoot => "cmdline-first-boot",
            Name::Secrets => "secrets",
            Name::Fstab => "fstab",
            Name::Swap => "swap",
            Name::Resize => "resize",
            Name::Identity => "identity",
            Name::NetworkManager => "network-manager",
            Name::SystemdNetworkd => "systemd-networkd",
            Name::Netplan => "netplan",
            Name::Dhcpcd => "dhcpcd",
            Name::Ifupdown => "ifupdown",
            Name::CloudInit => "cloud-init",
        }
    }

    /// The check that is called so.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] with the nearest known one.
    pub fn named(word: &str) -> Result<Self> {
        let known = |name: &Name| name.as_str() == word;
        Name::ALL.into_iter().find(known).ok_or_else(|| {
            let names = Name::ALL.map(Name::as_str);
            let hint = match nearest(&word.to_lowercase(), &names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the checks are {}", names.join(", ")),
            };
            Error::usage(format!("there is no netboot check called {word}")).hint(hint)
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_found_by_its_name_and_others_by_what_is_near() {
        for name in Name::ALL {
            assert_eq!(Name::named(name.as_str()).unwrap(), name);
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{name}\""));
        }
        let hint = |word| {
            Name::named(word)
                .unwrap_err()
                .hint_text()
                .unwrap()
                .to_owned()
        };
        assert_eq!(hint("initrmfs"), "did you mean initramfs?");
        assert!(hint("xyzzyxyzzy").starts_with("the checks are directory-name, "));
    }

    #[test]
    fn the_page_of_the_docs_has_a_row_for_each_check_and_no_other() {
        let page = include_str!("../../docs/netboot-checks.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(rows, Name::ALL.map(Name::as_str));
    }
}
