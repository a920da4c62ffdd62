//! The programs that are answered, a file for each kind.

mod bus;
mod containers;
mod daemons;
mod firewalls;
mod hostnamectl;
mod ip;
mod ipset;
mod iptables;
mod kmod;
mod localectl;
mod loginctl;
mod managers;
mod mount;
mod network;
mod nft;
mod nmcli;
mod openrc;
mod options;
pub mod power;
pub mod security;
mod swap;
mod systemctl;
mod systemd_run;
mod sysvinit;
#[cfg(test)]
mod testing;
mod timedatectl;
mod udevadm;
mod uname;

use super::tool::{self, Tool, Tools};

/// All of them, a list for each file.
const ALL: &[Tools] = &[
    bus::TOOLS,
    containers::TOOLS,
    daemons::TOOLS,
    firewalls::TOOLS,
    hostnamectl::TOOLS,
    ip::TOOLS,
    ipset::TOOLS,
    iptables::TOOLS,
    kmod::TOOLS,
    localectl::TOOLS,
    loginctl::TOOLS,
    managers::TOOLS,
    mount::TOOLS,
    network::TOOLS,
    nft::TOOLS,
    nmcli::TOOLS,
    openrc::TOOLS,
    power::TOOLS,
    security::TOOLS,
    swap::TOOLS,
    systemctl::TOOLS,
    systemd_run::TOOLS,
    sysvinit::TOOLS,
    timedatectl::TOOLS,
    udevadm::TOOLS,
    uname::TOOLS,
];

/// The names, one a line, sorted: those who [ask](crate::bare) know them, too.
pub const NAMES: &str = include_str!("names.txt");

/// What answers the program of this name.
pub fn find(name: &str) -> Option<Tool> {
    ALL.iter().find_map(|tools| tool::find(tools, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_names_is_true() {
        let all = ALL.iter().flat_map(|tools| tools.iter());
        let mut names: Vec<&str> = all.map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(NAMES.lines().collect::<Vec<_>>(), names);
    }
}
