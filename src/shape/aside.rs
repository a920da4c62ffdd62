//! A file system mounted for a moment, for what can be changed only while it is mounted.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use sys_mount::MountFlags;

use crate::{
    disk::FsKind,
    error::{Context, Error, Kind, Result},
    sys::{command, loopdev::LoopDevice, mount, programs, trim},
};

/// How long a program may take that has the kernel move what is stored.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// It, on a directory of ours. To be ended by [`Aside::unmount`]; the kernel does it if we are killed.
pub struct Aside<'a> {
    at: PathBuf,
    device: &'a LoopDevice,
}

impl<'a> Aside<'a> {
    /// Mounts what is on `device` in `scratch`.
    ///
    /// # Errors
    /// [`Kind::Image`] when it is damaged, or the kernel does not have this file system.
    pub fn mount(device: &'a LoopDevice, kind: FsKind, scratch: &Path) -> Result<Self> {
        let at = scratch.join("aside");
        std::fs::create_dir_all(&at)
            .context(Kind::Host, || format!("cannot make {}", at.display()))?;
        let name = kind.mount_type().unwrap_or("auto");
        // A copy has the UUID of its original, which may be mounted on this host.
        let options = if kind == FsKind::Xfs { "nouuid" } else { "" };
        let flags =
            MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NOATIME;
        // By its node: xfs_growfs looks for that.
        mount::node(device.node(), name, &at, flags, options).map_err(|error| {
            error.hint(format!(
                "this kernel has no {name}, or the file system is damaged: try `modprobe {name}`, and run its fsck on a \
                 copy of the image"
            ))
        })?;
        Ok(Aside { at, device })
    }

    /// Runs a program of this host with `args` and the mount point behind them; what it printed.
    ///
    /// # Errors
    /// [`Kind::Host`] when it is missing or takes too long, [`Kind::Image`] when it fails.
    pub fn run(&self, name: &str, args: &[&str]) -> Result<String> {
        let program = programs::find(name)?;
        let args: Vec<OsString> = args
            .iter()
            .map(Into::into)
            .chain([self.at.clone().into()])
            .collect();
        let output = command::output_within(LIMIT, &program, &args)?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(command::failure(Kind::Image, &program, &args, &output)
                .hint("the file system may be damaged: see the kernel's log, `dmesg`")),
        }
    }

    /// Has the blocks that are free take no room in the image, and tell nothing.
    ///
    /// # Errors
    /// [`Kind::Host`] when that cannot be.
    pub fn discard(&self) -> Result<()> {
        File::open(&self.at)
            .and_then(|root| trim::free_blocks(&root))
            .map(drop)
            .context(Kind::Host, || {
                "cannot discard free blocks of the image".into()
            })
    }

    /// Unmounts it, with everything written out.
    ///
    /// # Errors
    /// [`Kind::Teardown`] when it is in use; [`Kind::Host`] when not all was written.
    pub fn unmount(self) -> Result<()> {
        mount::unmount(&self.at)?;
        self.device.sync().map_err(|error| {
            Error::host(format!(
                "what was changed did not all get into the image: {error}"
            ))
            .hint("is the disk full? see the kernel's log, `dmesg`")
        })
    }
}
