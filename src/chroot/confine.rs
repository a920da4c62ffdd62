//! Giving up the host: a user namespace of the image's own, and its root as the root.

use std::path::Path;

use nix::{
    sched::CloneFlags,
    sys::resource::{Resource, setrlimit},
};

use super::plan::Network;
use crate::{
    error::{Context, Kind, Result},
    sys::{landlock, mount, network, process},
};

/// Enters a new user namespace with copies of the mounts, all of them locked. Its id maps are then
/// to be written from outside.
pub fn leave_host(network: Network) -> Result<()> {
    process::leave_keyring();
    let mut namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    if network == Network::None {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    process::leave(namespaces)?;
    // After every change of credentials, as that may undo it.
    process::hide()
}

/// Makes the mounted image the root and drops what is left of the host. Returns a warning for what
/// this kernel cannot close off.
pub fn enter_image(root: &Path, hostname: &str, network: Network) -> Result<Option<String>> {
    mount::pivot_into(root)?;
    nix::unistd::sethostname(hostname).context(Kind::Host, || {
        format!("cannot set the host name {hostname:?} in the chroot")
    })?;
    if network == Network::None {
        network::set_loopback_up()?;
    }
    // 1 and not 0: the kernel then does not start the host's core_pattern program either.
    setrlimit(Resource::RLIMIT_CORE, 1, 1)
        .context(Kind::Host, || "cannot forbid core dumps".into())?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let closed = landlock::deny_abstract_sockets() || network == Network::None;
    Ok((!closed).then(|| {
        "this kernel has no Landlock scopes (Linux 6.12): programs of the image can reach the \
         host's abstract sockets; --network none closes them"
            .to_owned()
    }))
}
