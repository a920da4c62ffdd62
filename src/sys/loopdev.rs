//! Loop devices: one for each partition, by offset and size.
//!
//! LOOP_CONFIGURE (Linux 5.8) sets the file, the window and LO_FLAGS_AUTOCLEAR in one step, so that
//! there is no moment at which a kill leaves a device behind: the kernel frees it with its last
//! user. Partition scanning, udev and device nodes made by somebody else are not needed.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    os::fd::{AsFd, AsRawFd},
    path::{Path, PathBuf},
};

use linux_raw_sys::loop_device::{
    LO_FLAGS_AUTOCLEAR, LO_FLAGS_READ_ONLY, loop_config, loop_info64,
};
use nix::{
    errno::Errno,
    sys::stat::{Mode, SFlag, makedev, mknod},
};

use super::bounded::{self, Bounds, Ended, Lent, NOBODY};
use crate::error::{Context, Error, Kind, Result};

/// The major number of loop devices (Documentation/admin-guide/devices.txt).
pub const LOOP_MAJOR: u64 = 7;
/// How often another process may snatch the free device away before we give up.
const ATTEMPTS: usize = 64;

#[allow(unsafe_code)]
mod ioctl {
    use linux_raw_sys::loop_device::{LOOP_CONFIGURE, LOOP_CTL_GET_FREE, loop_config};
    nix::ioctl_none_bad!(get_free, LOOP_CTL_GET_FREE);
    nix::ioctl_write_ptr_bad!(configure, LOOP_CONFIGURE, loop_config);
}

/// The part of an image file that a loop device shows.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Where it starts, in bytes.
    pub start: u64,
    /// How long it is, in bytes.
    pub size: u64,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// An attached loop device; the kernel detaches it when this and all its mounts are gone.
#[derive(Debug)]
pub struct LoopDevice {
    number: u32,
    node: PathBuf,
    device: File,
}

impl LoopDevice {
    /// Shows `window` of `image` as a block device, whose node is made in `nodes`, a directory on a
    /// file system of ours: `/dev` may be a container's, without new devices.
    ///
    /// # Errors
    /// [`Kind::Host`], when the kernel has no loop devices or refuses one.
    pub fn attach(image: &File, window: Window, nodes: &Path) -> Result<Self> {
        let control = open("/dev/loop-control".as_ref(), true)
            .context(Kind::Host, || "cannot open /dev/loop-control".into())
            .map_err(|e| {
                e.hint("load the module with `modprobe loop`; in a container, pass the device")
            })?;
        for _ in 0..ATTEMPTS {
            #[allow(unsafe_code)]
            // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
            let number = unsafe { ioctl::get_free(control.as_raw_fd()) }
                .context(Kind::Host, || "no free loop device".into())?;
            let node = nodes.join(format!("loop{number}"));
            let device = node_for(&node, number as u64)?;
            match configure(&device, image, window) {
                Ok(()) => {
                    let number = number as u32;
                    return Ok(LoopDevice {
                        number,
                        node,
                        device,
                    });
                }
                // Somebody else took it between the two calls.
                Err(Errno::EBUSY) => continue,
                Err(errno) => {
                    return Err(errno).context(Kind::Host, || {
                        format!("cannot attach loop{number} at byte {}", window.start)
                    });
                }
            }
        }
        Err(Error::host(format!(
            "other programs took every free loop device, {ATTEMPTS} times"
        )))
    }

    /// The block device node, for mounting and for file system checks.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// Its minor number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Runs `program` on the device within `bounds` and without root's rights; `args` makes its arguments of the
    /// device's path.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be started.
    pub fn attended(
        &self,
        program: &Path,
        args: impl FnOnce(OsString) -> Vec<OsString>,
        bounds: Bounds,
    ) -> Result<Ended> {
        self.give_to(NOBODY)?;
        let of_path = |mut paths: Vec<OsString>| args(paths.remove(0));
        let lent = Lent {
            files: &[&self.device],
            stdin: None,
        };
        let ended = bounded::run(program, of_path, lent, bounds, &mut |_| {});
        self.give_to(0)?;
        ended
    }

    /// Lets the user `uid` open the device, who has no other way to its node than a descriptor of ours.
    fn give_to(&self, uid: u32) -> Result<()> {
        std::os::unix::fs::fchown(&self.device, Some(uid), None).context(Kind::Host, || {
            format!("cannot change the owner of {}", self.node.display())
        })
    }

    /// Writes out what the device still buffers: what a file system wrote of itself.
    ///
    /// # Errors
    /// Also for writes that failed since the device was attached, and that nobody was told of.
    pub fn sync(&self) -> std::io::Result<()> {
        self.device.sync_all()
    }
}

fn open(path: &Path, write: bool) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(write).open(path)
}

/// Makes the node of loop device `number` and opens it.
fn node_for(node: &Path, number: u64) -> Result<File> {
    match mknod(
        node,
        SFlag::S_IFBLK,
        Mode::from_bits_truncate(0o600),
        makedev(LOOP_MAJOR, number),
    ) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => {
            return Err(errno).context(Kind::Host, || format!("cannot make {}", node.display()));
        }
    }
    open(node, true)
        .context(Kind::Host, || format!("cannot open loop device {number}"))
        .map_err(|e| e.hint("in a container, allow block devices with major number 7"))
}

fn configure(device: &File, image: &File, window: Window) -> nix::Result<()> {
    let read_only = if window.read_only {
        LO_FLAGS_READ_ONLY as u32
    } else {
        0
    };
    #[allow(unsafe_code)]
    // SAFETY: both are plain structs of integers and arrays of them, for which zero is valid.
    let mut config: loop_config = unsafe { std::mem::zeroed() };
    config.fd = image.as_fd().as_raw_fd() as u32;
    config.info = loop_info64 {
        lo_offset: window.start,
        lo_sizelimit: window.size,
        lo_flags: LO_FLAGS_AUTOCLEAR as u32 | read_only,
        ..config.info
    };
    #[allow(unsafe_code)]
    // SAFETY: `config` lives across the call, which only reads it.
    unsafe { ioctl::configure(device.as_raw_fd(), &config) }.map(drop)
}
