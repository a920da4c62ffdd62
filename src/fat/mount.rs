//! Mounts a volume, with a thread that serves it, and ends both.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount as mount_syscall, umount2},
};

use super::{device::Device, serve::Server, volume::Volume};
use crate::{
    error::{Context, Error, Kind, Result},
    sys::mount::Mounted,
};

/// A busy mount point is tried this often, this far apart.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// A mounted FAT file system. Call [`close`](Self::close): dropping it cannot report errors.
#[derive(Debug)]
#[must_use = "dropping it unmounts and cannot report errors"]
pub struct FatMount {
    at: PathBuf,
    mount: Option<Mounted>,
    volume: Arc<Mutex<Volume>>,
    session: Option<BackgroundSession>,
}

/// Mounts the FAT file system in `size` bytes of `device` from `offset` at the directory `at`, maybe to be read only. Who
/// looks at the mount is told that it is of `source`.
///
/// `device` is a regular file or a block device, open for reading and writing; nothing outside the
/// window is touched, and nobody else may write inside until [`FatMount::close`]. Needs /dev/fuse and
/// the right to mount; a thread of this process answers until then.
///
/// # Errors
///
/// [`Kind::Image`] where there is no sound FAT file system, [`Kind::Host`] where FUSE is missing or
/// mounting is not allowed.
pub fn mount(
    device: File,
    offset: u64,
    size: u64,
    at: &Path,
    source: &Path,
    read_only: bool,
) -> Result<FatMount> {
    let bad = |errno| {
        let what = match errno {
            Errno::EINVAL => "it is damaged, or larger than its partition".to_owned(),
            Errno::EFBIG => "its allocation table is too large".to_owned(),
            errno => errno.desc().to_owned(),
        };
        Error::image(format!(
            "the FAT file system for {} cannot be read: {what}",
            at.display()
        ))
        .hint("check the image's boot partition with `fsck.vfat -n`")
    };
    let device = Device::new(device, offset, size).ok_or_else(|| bad(Errno::EINVAL))?;
    let volume = Arc::new(Mutex::new(Volume::open(device).map_err(bad)?));

    let fuse = File::options().read(true).write(true).open("/dev/fuse");
    let fuse: OwnedFd = fuse
        .context(Kind::Host, || "open /dev/fuse".into())
        .map_err(hint)?
        .into();
    let options = format!(
        "fd={},rootmode=40755,user_id=0,group_id=0,default_permissions,allow_other",
        fuse.as_raw_fd()
    );
    let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    if read_only {
        flags |= MsFlags::MS_RDONLY;
    }
    mount_syscall(
        Some(source),
        at,
        Some("fuse.vfat"),
        flags,
        Some(options.as_str()),
    )
    .context(Kind::Host, || {
        format!("mount a FUSE file system on {}", at.display())
    })
    .map_err(hint)?;
    let mut mounted = FatMount {
        at: at.to_owned(),
        mount: None,
        volume,
        session: None,
    };
    let server = Server(Arc::clone(&mounted.volume));
    let session = Session::from_fd(server, fuse, SessionACL::All, Config::default())
        .and_then(Session::spawn)
        .context(Kind::Host, || {
            format!("serve the FUSE file system on {}", at.display())
        });
    if session.is_err() {
        // Nobody answers there; the first failure is the one that counts.
        let _ = umount2(at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    }
    mounted.session = Some(session?);
    // Asks the server, which runs by now.
    mounted.mount = Some(Mounted::at(at)?);
    Ok(mounted)
}

fn hint(error: Error) -> Error {
    error.hint("load the kernel's `vfat` or `fuse` module, or give the container /dev/fuse")
}

impl FatMount {
    /// Writes everything back, and makes all free clusters read as zeros in the image (as holes,
    /// where its file system can), so that nothing that was deleted is left there.
    /// [`close`](Self::close) does the same if anything was changed.
    ///
    /// # Errors
    ///
    /// Those of the device.
    #[cfg(test)]
    pub fn zero_free(&self) -> Result<()> {
        let mut volume = self.volume.lock().unwrap_or_else(PoisonError::into_inner);
        volume
            .flush()
            .and_then(|()| volume.zero_free())
            .context(Kind::Host, || self.writing())
    }

    /// Unmounts, waits for the server, writes everything back, zeroes free space, and syncs.
    ///
    /// # Errors
    ///
    /// [`Kind::Teardown`] where it is still in use after two seconds: then it is detached, its
    /// content is written back all the same, and whoever uses it gets I/O errors. [`Kind::Host`]
    /// where the device cannot be written.
    pub fn close(mut self) -> Result<()> {
        self.end()
    }

    fn writing(&self) -> String {
        format!("write back the FAT file system of {}", self.at.display())
    }

    fn end(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        let unmounted = self.unmount();
        let served = match unmounted {
            Ok(()) => session.join().context(Kind::Teardown, || {
                format!(
                    "the server of the FUSE file system on {} failed",
                    self.at.display()
                )
            }),
            // Its thread ends with the last user, or with this process.
            Err(_) => Ok(()),
        };
        let poisoned = self.volume.is_poisoned();
        let mut volume = self.volume.lock().unwrap_or_else(PoisonError::into_inner);
        let written = volume.finish().context(Kind::Host, || self.writing());
        drop(volume);
        unmounted.and(served).and(written)?;
        match poisoned {
            false => Ok(()),
            true => Err(Error::new(
                Kind::Teardown,
                format!("{}: a panic", self.writing()),
            )),
        }
    }

    fn unmount(&self) -> Result<()> {
        // Not where it was mounted: see Mounted.
        let place = match &self.mount {
            Some(mount) => mount.place()?,
            None => Some(self.at.clone()),
        };
        let Some(at) = place else {
            return Ok(());
        };
        let mut outcome = Err(Errno::EBUSY);
        for _ in 0..TRIES {
            outcome = umount2(&at, MntFlags::UMOUNT_NOFOLLOW);
            if outcome != Err(Errno::EBUSY) {
                break;
            }
            thread::sleep(PAUSE);
        }
        if outcome.is_err() {
            // Best effort; the failure that counts is the one above.
            let _ = umount2(&at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        }
        outcome
            .context(Kind::Teardown, || format!("unmount {}", at.display()))
            .map_err(|error| {
                error.hint("a process of the run still uses it; nothing is left once it ends")
            })
    }
}

impl Drop for FatMount {
    fn drop(&mut self) {
        let open = self.session.is_some();
        let outcome = self.end();
        if open && let Err(error) = outcome {
            // There is nobody left to return it to, and silence would hide a damaged image.
            let _ = writeln!(std::io::stderr(), "error: {error}");
        }
    }
}
