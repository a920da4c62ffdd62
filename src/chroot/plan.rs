//! What the stage tells the executor, and what it hears back.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{
    covers::cover::Covering,
    disk::{self, Disk},
    living::{kernel::lacking::PREFIX, plan::LivingPlan},
    shortcuts::{Shortcuts, apt_hooks},
    target::plan::TargetPlan,
};
use crate::{emulation::Emulator, error::Failure, event::Event};

/// Everything the executor needs to know; it takes nothing from its environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChrootPlan {
    /// The stage's directory; the socket is made in it.
    pub dir: PathBuf,
    /// Where the image is mounted.
    pub root: PathBuf,
    /// The host name that programs in the chroot see.
    pub hostname: String,
    /// What runs the image's programs; `None` if this host does.
    pub emulator: Option<Emulator>,
    /// The release of the image's own kernel, if it has one.
    pub kernel: Option<String>,
    /// What else is known of the machine that it is for.
    pub target: TargetPlan,
    /// The folder that twins come to; `None` if there are to be none.
    pub twins: Option<PathBuf>,
    /// Which network they see.
    pub network: Network,
    /// The `TERM` of the user's terminal.
    pub term: String,
    /// The image's disk, to be read.
    pub disk: Disk,
    /// What is left out or put off, as far as it can be in this image.
    pub shortcuts: Shortcuts,
    /// Files of the image that ours are in place of.
    pub covering: Covering,
    /// Whether programs that act on a running machine are answered; `None` leaves them to themselves.
    pub living: Option<LivingPlan>,
    /// Configuration for apt, as long as the image is in use.
    pub apt: Option<String>,
}

/// The network of the chroot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// This machine's.
    #[default]
    Host,
    /// None but the loopback interface.
    None,
}

/// What the executor tells the stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It has left for its own user namespace and needs the id maps written.
    NeedsMaps,
    /// Something happened that the user is to know.
    Told(Event),
    /// The socket is served.
    Ready,
    /// The first command is run.
    Used,
    /// A command has ended and left these processes running, by name.
    Left(Vec<String>),
    /// It cannot.
    Failed(Failure),
}

/// What the stage tells the executor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Prepare this chroot.
    Prepare(Box<ChrootPlan>),
    /// The id maps are written.
    Mapped,
}

impl ChrootPlan {
    /// The executor's socket, for a stage directory.
    pub fn socket(dir: &std::path::Path) -> PathBuf {
        dir.join("executor.sock")
    }
}

/// Where commands in the chroot are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The home directory that commands in the chroot have.
pub const HOME: &str = "/root";

/// The environment of every command in the chroot: nothing of the caller's but `TERM`.
pub fn environment(plan: &ChrootPlan) -> Vec<(String, String)> {
    let mut environment = vec![
        ("PATH", PATH),
        ("HOME", HOME),
        ("LANG", "C.UTF-8"),
        ("TERM", &plan.term),
        ("DEBIAN_FRONTEND", "noninteractive"),
        // systemctl then only makes links, and Ansible's systemd module knows.
        ("SYSTEMD_OFFLINE", "1"),
        // Ansible takes this, and no comparison of /proc/1/root, as the sign of a chroot.
        ("debian_chroot", "pichroot"),
    ];
    environment.push(disk::ENVIRONMENT);
    if plan.shortcuts.apt_hooks {
        environment.push(apt_hooks::ENVIRONMENT);
    }
    if let Some(cpu) = plan.emulator.as_ref().and_then(|e| e.cpu.as_deref()) {
        environment.push(("QEMU_CPU", cpu));
    }
    if plan.emulator.is_some() {
        environment.push(("QEMU_LD_PREFIX", PREFIX));
    }
    // What `uname -r` says under qemu: roles and packages ask it for the kernel to prepare.
    if let (Some(_), Some(kernel)) = (&plan.emulator, &plan.kernel) {
        environment.push(("QEMU_UNAME", kernel));
    }
    environment
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
