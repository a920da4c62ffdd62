//! Puts the image's kernel in the place of this host's, in the chroot's /proc and /sys.
//!
//! From within: what lies below is the host's own, which only the host could take away, and which is read-only. So whoever
//! takes ours away in the chroot is where he was without it.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::{
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags, umount2},
    sys::stat::Mode,
};

use super::{
    Shared, lacking,
    serve::{Server, TaskOf},
    sysctl,
    view::LACKING,
};
use crate::{
    error::{Context, Kind, Result},
    sys::{inroot::path_of, mount},
};

/// Where it is for the moment until each part is in its place, in the chroot's own memory.
const FIRST: &str = "/run/pichroot/kernel";
/// What takes the place of what.
const PARTS: [(&str, &str); 6] = [
    (LACKING, lacking::PREFIX),
    ("sys", "/proc/sys"),
    ("modules", "/proc/modules"),
    ("swaps", "/proc/swaps"),
    ("filesystems", "/proc/filesystems"),
    ("module", "/sys/module"),
];
const PLACE: &str = "/proc/sys";
/// What is of the chroot there already, and stays in sight: where the image's programs are registered, and the boot's number.
const OWN: [&str; 2] = [sysctl::EMPTY, "kernel/random/boot_id"];

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
pub fn show(kernel: &Shared, device: File, task_of: TaskOf) -> Result<BackgroundSession> {
    let failed = || "cannot show programs their own kernel".to_owned();
    let own = OWN.map(|path| {
        let path = Path::new(PLACE).join(path);
        open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map(|open| (open, path))
    });
    for folder in [FIRST, lacking::PREFIX] {
        fs::create_dir_all(folder).context(Kind::Host, failed)?;
    }
    let session = serve(kernel, device, task_of);
    let shown = session.and_then(|session| {
        let placed = place(own.into_iter().flatten());
        let _ = umount2(FIRST, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        placed.map(|()| session)
    });
    let _ = fs::remove_dir(FIRST);
    shown
}

fn serve(kernel: &Shared, device: File, task_of: TaskOf) -> Result<BackgroundSession> {
    let failed = || "cannot serve programs their own kernel".to_owned();
    let device = OwnedFd::from(device);
    let options = format!(
        "fd={},rootmode=40555,user_id=0,group_id=0,allow_other",
        device.as_raw_fd()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    nix::mount::mount(
        Some("kernel"),
        FIRST,
        Some("fuse.kernel"),
        flags,
        Some(options.as_str()),
    )
    .context(Kind::Host, failed)?;
    let server = Server::new(kernel.clone(), task_of);
    let session = Session::from_fd(server, device, SessionACL::All, Config::default());
    let session = session.and_then(Session::spawn).context(Kind::Host, failed);
    if session.is_err() {
        // Nobody answers there.
        let _ = umount2(FIRST, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    }
    session
}

fn place(own: impl Iterator<Item = (OwnedFd, PathBuf)>) -> Result<()> {
    for (part, at) in PARTS {
        // A kernel without modules or swap space has no such file.
        if Path::new(at).exists() {
            mount::bind(&Path::new(FIRST).join(part), at.as_ref(), false)?;
        }
    }
    for (open, path) in own {
        mount::bind(&path_of(&open), &path, false)?;
    }
    Ok(())
}
