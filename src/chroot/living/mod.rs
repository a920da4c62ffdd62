//! What only a running machine can have: tasks ask for it all the same, and roles are to stay as they are.
//!
//! Some programs act on the running machine: reboot, modprobe, systemctl, iptables. In the chroot, the executor answers
//! in their place ([`tools`]), as that [`machine::Machine`] would that the image becomes. Each such [`call::Call`] is one of three: it
//! is *done*, when its effect is in the image; it is *put off*, when it has none there or a unit brings it about at the
//! first boot ([`record`]); it is *refused*, when it would be wrong to go on. Or the program itself runs, where it does the same in
//! a chroot.

mod accounts;
pub mod after_boot;
pub mod boot;
pub mod call;
pub mod changes;
pub mod clock;
pub mod env_file;
pub mod firewall;
pub mod first_boot;
pub mod kernel;
pub mod machine;
pub mod mounted;
pub mod network;
pub mod networkmanager;
mod openrc;
pub mod outstanding;
pub mod plan;
pub mod real;
pub mod record;
mod request;
pub mod server;
mod stamp;
mod tasks;
pub mod tool;
pub mod tools;
pub mod units;
pub mod way;
