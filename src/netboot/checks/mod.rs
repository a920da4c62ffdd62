//! The checks: each looks at one thing and takes notes.

mod cmdline;
mod drivers;
mod firmware;
mod folder;
mod kernel;
mod modules;
mod network;
mod root;
mod secrets;

use std::io;

use super::{Name, finding::Notes, seen::Seen};

/// Makes one check.
///
/// # Errors
/// Those of reading: then it cannot be known.
pub fn make(name: Name, seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    let check = match name {
        Name::Directory => folder::name,
        Name::Readable => folder::readable,
        Name::Links => folder::links,
        Name::Transfer => folder::transfer,
        Name::Config => firmware::config,
        Name::OsPrefix => firmware::os_prefix,
        Name::Firmware => firmware::firmware,
        Name::DeviceTree => firmware::device_tree,
        Name::Overlays => firmware::overlays,
        Name::Tryboot => firmware::tryboot,
        Name::Kernel => kernel::kernel,
        Name::Initramfs => kernel::initramfs,
        Name::Release => kernel::release,
        Name::NetworkDriver => drivers::network,
        Name::RootDriver => drivers::root,
        Name::BootScripts => drivers::scripts,
        Name::Cmdline => cmdline::line,
        Name::CmdlineRoot => cmdline::root,
        Name::CmdlineIp => cmdline::ip,
        Name::CmdlineCard => cmdline::card,
        Name::CmdlineFirstBoot => cmdline::first_boot,
        Name::Secrets => secrets::secrets,
        Name::Fstab => root::fstab,
        Name::Swap => root::swap,
        Name::Resize => root::resize,
        Name::Identity => root::identity,
        Name::NetworkManager => network::manager::check,
        Name::SystemdNetworkd => network::networkd::check,
        Name::Netplan => network::netplan::check,
        Name::Dhcpcd => network::dhcpcd::check,
        Name::Ifupdown => network::ifupdown::check,
        Name::CloudInit => network::cloud_init::check,
    };
    check(seen, notes)
}
