//! Giving up the host: a user namespace of the image's own, and its root as the root.

use nix::{
    errno::Errno,
    sched::CloneFlags,
    sys::resource::{Resource, setrlimit},
};

use super::plan::{ChrootPlan, Network};
use crate::{
    error::{Context, Kind, Result},
    event::{Event, Opening},
    sys::{
        landlock, mount, network, process,
        seccomp::{self, Syncs},
    },
};

/// How readily the kernel ends programs of the image when memory is short: before the host's. They
/// cannot lower it.
const OOM_SCORE: i32 = 500;

/// Enters a new user namespace with copies of the mounts, all of them locked. Its id maps are then
/// to be written from outside. Returns a warning of what this host does not allow.
pub fn leave_host(network: Network) -> Result<Option<Event>> {
    process::leave_keyring();
    go_first_without_memory()?;
    let warning = forbid_core_dumps()?;
    let mut namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    if network == Network::None {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    process::leave(namespaces)?;
    // After every change of credentials, as that may undo it.
    process::hide()?;
    Ok(warning)
}

/// Makes the mounted image the root and drops what is left of the host. Returns warnings of what
/// this kernel cannot close off.
pub fn enter_image(plan: &ChrootPlan) -> Result<Vec<Event>> {
    let (hostname, network) = (&plan.hostname, plan.network);
    deny_cgroups()?;
    mount::pivot_into(&plan.root)?;
    nix::unistd::sethostname(hostname).context(Kind::Host, || {
        format!("cannot set the host name {hostname:?} in the chroot")
    })?;
    if network == Network::None {
        network::set_loopback_up()?;
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    let mut warnings = Vec::new();
    if !landlock::deny_abstract_sockets() && network != Network::None {
        warnings.push(Event::Open(Opening::AbstractSockets));
    }
    let syncs = match plan.shortcuts.sync {
        true => Syncs::Skipped,
        false => Syncs::Done,
    };
    if !seccomp::deny_what_namespaces_do_not(syncs) {
        warnings.push(Event::Open(Opening::SystemCalls));
    }
    Ok(warnings)
}

/// A limit of 1 and not 0: the kernel then does not start the host's core_pattern program either. The seccomp
/// filter keeps it at that.
///
/// sudo, systemd units and containers come with a hard limit of 0, which only a privileged process of the host's
/// own user namespace raises: so this is done before that is left. Where it is refused all the same, 0 remains.
fn forbid_core_dumps() -> Result<Option<Event>> {
    let failed = || "cannot forbid core dumps".to_owned();
    match setrlimit(Resource::RLIMIT_CORE, 1, 1) {
        Err(Errno::EPERM) => setrlimit(Resource::RLIMIT_CORE, 0, 0).context(Kind::Host, failed)?,
        other => return other.map(|()| None).context(Kind::Host, failed),
    }
    // What begins otherwise is the name of a file, which a limit of 0 prevents.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    Ok(pattern
        .starts_with(['|', '@'])
        .then_some(Event::Open(Opening::CoreDumps)))
}

fn go_first_without_memory() -> Result<()> {
    let file = "/proc/self/oom_score_adj";
    let failed = || format!("cannot set {file}");
    let now = std::fs::read_to_string(file).context(Kind::Host, failed)?;
    // We may be in a container that goes before others.
    if now.trim().parse().is_ok_and(|now: i32| now >= OOM_SCORE) {
        return Ok(());
    }
    std::fs::write(file, OOM_SCORE.to_string()).context(Kind::Host, failed)
}

/// Whoever owns a cgroup namespace can mount the host's cgroups, and their files belong to user 0,
/// which root in the chroot is: it could freeze, kill or starve what runs beside us. The one we are in
/// is not owned by our user namespace, and from here on nobody in that makes another.
fn deny_cgroups() -> Result<()> {
    let limit = "/proc/sys/user/max_cgroup_namespaces";
    std::fs::write(limit, "0").context(Kind::Host, || format!("cannot write {limit}"))
}
