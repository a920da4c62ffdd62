//! Puts the image's kernel in the place of this host's, in the chroot's /proc and /sys.
//!
//! From within: what lies below is the host's own, which only the host could take away, and which is read-only. So whoever
//! takes ours away in the chroot is where he was without it.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::{
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::stat::Mode,
};

use super::{Shared, serve::Server, sysctl};
use crate::{
    error::{Context, Kind, Result},
    sys::{inroot::path_of, mount as mounts},
};

/// Where it is for the moment until each part is in its place, in the chroot's own memory.
const FIRST: &str = "/run/pichroot/kernel";
/// What takes the place of what.
const PARTS: [(&str, &str); 5] = [
    ("sys", "/proc/sys"),
    ("modules", "/proc/modules"),
    ("swaps", "/proc/swaps"),
    ("filesystems", "/proc/filesystems"),
    ("module", "/sys/module"),
];
/// What is shown of this host all the same, as it is the chroot's own.
const OWN: &str = "/proc/sys";

/// The host's device, which must be opened in the namespace that mounts: after the host was left, and before the image's
/// root is the only one in sight.
///
/// # Errors
/// When there is none.
pub fn device() -> Result<File> {
    let device = File::options().read(true).write(true).open("/dev/fuse");
    device.context(Kind::Host, || "cannot open /dev/fuse".into())
}

/// Shows `kernel` in the chroot that this process is in, for as long as it runs.
///
/// # Errors
/// When the host does not allow that; then nothing of it is left.
pub fn show(kernel: &Shared, device: File) -> Result<BackgroundSession> {
    let failed = || "cannot show programs their own kernel".to_owned();
    // Mounted there by whatever runs the image's programs.
    let own = Path::new(OWN).join(sysctl::EMPTY);
    let binfmt = open(&own, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok();
    fs::create_dir_all(FIRST).context(Kind::Host, failed)?;
    let session = serve(kernel, device);
    let shown = session.and_then(|session| {
        let placed = place(binfmt.as_ref());
        let _ = umount2(FIRST, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        placed.map(|()| session)
    });
    let _ = fs::remove_dir(FIRST);
    shown
}

fn serve(kernel: &Shared, device: File) -> Result<BackgroundSession> {
    let failed = || "cannot serve programs their own kernel".to_owned();
    let device = OwnedFd::from(device);
    let options = format!(
        "fd={},rootmode=40555,user_id=0,group_id=0,default_permissions,allow_other",
        device.as_raw_fd()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("kernel"), FIRST, Some("fuse.kernel"), flags, Some(options.as_str()))
        .context(Kind::Host, failed)?;
    let server = Server::new(kernel.clone());
    let session = Session::from_fd(server, device, SessionACL::All, Config::default());
    let session = session.and_then(Session::spawn).context(Kind::Host, failed);
    if session.is_err() {
        // Nobody answers there.
        let _ = umount2(FIRST, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    }
    session
}

fn place(binfmt: Option<&OwnedFd>) -> Result<()> {
    for (part, at) in PARTS {
        // A kernel without modules or swap space has no such file.
        if Path::new(at).exists() {
            mounts::bind(&Path::new(FIRST).join(part), at.as_ref(), false)?;
        }
    }
    match binfmt {
        Some(table) => mounts::bind(&path_of(table), &Path::new(OWN).join(sysctl::EMPTY), false),
        None => Ok(()),
    }
}
