//! One partition of the image: mounted, written out, unmounted.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{errno::Errno, unistd::syncfs};
use sys_mount::MountFlags;

use crate::{
    disk::{FsKind, Mount, Volume, partition::called},
    error::{Context, Error, Kind, Result},
    event::{Event, Left},
    fat::{self, FatMount},
    shape::check,
    sys::{
        command, kernel,
        loopdev::{LoopDevice, Window},
        mount, room, trim,
    },
};

/// Less free space than this, in bytes, is a full disk: writes come in pieces of up to this size.
const FULL: u64 = 2 << 20;

/// A mounted partition. To be ended by [`Mounted::unmount`]; the kernel does it if we are killed.
#[derive(Debug)]
pub struct Mounted {
    /// The number of the partition.
    pub number: u32,
    /// Its mount point in the image.
    pub place: PathBuf,
    by: By,
}

/// What may be done to what is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is read only, and stays as it is to the last byte.
    Read,
    /// It is changed, and repaired before that.
    Write,
}

/// Who serves it.
#[derive(Debug)]
enum By {
    Kernel {
        mount: mount::Mounted,
        /// One for all mounts of the partition: btrfs takes a second device for another file system's.
        device: Arc<LoopDevice>,
        /// Its root directory, open since it was mounted: syncfs(2) tells each descriptor of the
        /// writes that failed since it was opened (Linux 5.8).
        watch: File,
        /// How many errors the kernel knew in it then.
        errors: u64,
        access: Access,
    },
    Ourselves(FatMount),
}

impl Mounted {
    /// Mounts `volume` of `image`, as `entry` says, on the directory `at`, after a check as at a
    /// boot; says what that has repaired. Nodes of loop devices are made in `nodes`; programs of the image find that
    /// it is mounted from `name`, below /dev.
    ///
    /// # Errors
    /// [`Kind::Image`] when the file system is damaged or unknown to the kernel.
    pub fn mount(
        image: &File,
        volume: &Volume,
        (entry, access): (&Mount, Access),
        at: &Path,
        nodes: &Path,
        name: &str,
    ) -> Result<(Self, Option<Event>)> {
        let window = Window {
            start: volume.partition.start,
            size: volume.partition.size,
            read_only: access == Access::Read,
        };
        let device = LoopDevice::attach(image, window, nodes)?;
        let repaired = match access {
            Access::Write => check::at_boot(&device, entry.kind, entry.partition)?,
            Access::Read => None,
        };
        let by = if entry.kind.is_fat() && !kernel_has("vfat") {
            let file = image
                .try_clone()
                .context(Kind::Other, || "cannot share the image file".into())?;
            By::Ourselves(fat::mount(
                file,
                window.start,
                window.size,
                at,
                &Path::new("/dev").join(name),
                access == Access::Read,
            )?)
        } else {
            by_kernel(Arc::new(device), (entry, access), at, name)?
        };
        let mounted = Mounted {
            number: entry.partition,
            place: entry.at.clone(),
            by,
        };
        Ok((mounted, repaired))
    }

    /// The minor number of the loop device that the kernel serves it from.
    pub fn device(&self) -> Option<u32> {
        match &self.by {
            By::Kernel { device, .. } => Some(device.number()),
            By::Ourselves(_) => None,
        }
    }

    /// Mounts another part of the same file system, as `entry` says, on the directory `at`; `None` if we serve it
    /// ourselves.
    pub fn again(&self, entry: &Mount, at: &Path, name: &str) -> Result<Option<Self>> {
        let By::Kernel { device, access, .. } = &self.by else {
            return Ok(None);
        };
        Ok(Some(Mounted {
            number: entry.partition,
            place: entry.at.clone(),
            by: by_kernel(device.clone(), (entry, *access), at, name)?,
        }))
    }

    /// Writes everything out and zeroes what is free, so that nothing deleted stays in `image`.
    /// Returns warnings: when it cannot do the latter, and when there is no room left. Our own FAT does both when it is
    /// unmounted.
    ///
    /// # Errors
    /// [`Kind::Host`] when something that was written did not get into the image: the kernel takes
    /// data before it knows of room for them.
    pub fn write_out(&self, image: &File) -> Result<Vec<Event>> {
        let By::Kernel {
            watch,
            access: Access::Write,
            ..
        } = &self.by
        else {
            return Ok(Vec::new());
        };
        let partition = self.number;
        let synced = syncfs(watch).map_err(|errno| lost(partition, image, errno.into()));
        match (synced, self.damaged()) {
            // No room comes first: it may be what the kernel calls an error.
            (Err(lost), _) if is_full(image) => return Err(lost),
            (_, Some(damaged)) => return Err(damaged),
            (synced, None) => synced?,
        }
        let not_trimmed = trim::free_blocks(watch)
            .err()
            .map(|error| Event::NotTrimmed {
                partition,
                why: error.to_string(),
            });
        let full = room::left(watch).ok().filter(Left::is_nothing);
        let full = full.map(|left| Event::LittleRoom {
            partition,
            at: self.place.clone(),
            left,
        });
        Ok(not_trimmed.into_iter().chain(full).collect())
    }

    /// The error for a file system in which the kernel has found one since it was mounted.
    fn damaged(&self) -> Option<Error> {
        let By::Kernel { device, errors, .. } = &self.by else {
            return None;
        };
        (kernel::file_system_errors(device.node()) > *errors).then(|| {
            Error::image(format!(
                "the file system of {} is damaged: the kernel found an error in it when it was used, \
                 and made it read-only",
                called(self.number)
            ))
            .hint("get the image again, or repair a copy of it with `e2fsck -f`; this machine's disk is not at fault")
        })
    }

    /// Unmounts it.
    ///
    /// # Errors
    /// [`Kind::Teardown`] when it is still in use; [`Kind::Host`] as in [`Mounted::write_out`].
    pub fn unmount(self, image: &File) -> Result<()> {
        let number = self.number;
        match self.by {
            By::Kernel {
                mount,
                device,
                watch,
                ..
            } => {
                // An open file would keep it from being unmounted.
                drop(watch);
                if let Some(at) = mount.place()? {
                    mount::unmount(&at)?;
                }
                device.sync().map_err(|error| lost(number, image, error))
            }
            By::Ourselves(fat) => fat.close(),
        }
    }
}

fn by_kernel(
    device: Arc<LoopDevice>,
    (entry, access): (&Mount, Access),
    at: &Path,
    name: &str,
) -> Result<By> {
    let mut flags = MountFlags::NODEV | MountFlags::NOATIME;
    if access == Access::Read {
        flags |= MountFlags::RDONLY;
    }
    let kind = entry.kind.mount_type().unwrap_or("auto");
    let source = mount::Named {
        node: device.node(),
        name,
    };
    mount::device(&source, kind, at, flags, &options(entry)).map_err(|error| match access {
        Access::Write => error.hint(mount_hint(kind)),
        Access::Read => error.hint(format!(
            "an image that was in use when this machine or a run was stopped has to be put in order first: \
             `pichroot exec --write IMAGE -- true`; if it is not that: {}",
            mount_hint(kind)
        )),
    })?;
    Ok(By::Kernel {
        mount: mount::Mounted::at(at)?,
        errors: kernel::file_system_errors(device.node()),
        device,
        access,
        watch: File::open(at).context(Kind::Image, || format!("cannot open {}", at.display()))?,
    })
}

/// The error for data that did not get into partition `number`. The loop device makes an
/// I/O error of most that can happen to the image's file, so that is looked into.
fn lost(number: u32, image: &File, error: std::io::Error) -> Error {
    let full = is_full(image);
    let error = match full {
        true => Errno::ENOSPC.into(),
        false => error,
    };
    let disk_fails = image.sync_all().is_err();
    let lost: Result<()> = Err(error).context(Kind::Host, || {
        let on = called(number);
        format!("what was written to {on} did not all get into the image")
    });
    let error = lost.unwrap_err();
    match (full, disk_fails) {
        (true, _) => error.better_hint(room::hint(
            image,
            Some(image_needs(image)),
            "name another --output",
        )),
        (_, true) => error.hint("see the kernel's log, `dmesg`, for what is wrong with the disk"),
        (_, false) => error.hint(
            "this machine's disk takes what is written, so the file system in the image may be damaged: see the \
             kernel's log, `dmesg`, and check a copy of the image",
        ),
    }
}

/// Whether there is no room for the image's file to grow.
fn is_full(image: &File) -> bool {
    room::free(image).is_some_and(|free| free < FULL)
}

/// How much the image's file may still grow, in bytes.
fn image_needs(image: &File) -> u64 {
    image
        .metadata()
        .map_or(0, |meta| meta.len().saturating_sub(meta.blocks() * 512))
}

/// Mount options: those of the fstab that decide what is seen, and what keeps a bad image from
/// doing harm: an ext4 may ask the kernel to panic when it finds an error.
fn options(entry: &Mount) -> String {
    let mut options = entry.options.clone();
    match entry.kind {
        FsKind::Ext2 | FsKind::Ext3 | FsKind::Ext4 => options.push("errors=remount-ro".into()),
        // A copy has the UUID of its original, which may be mounted on this host.
        FsKind::Xfs => options.push("nouuid".into()),
        _ => {}
    }
    options.join(",")
}

fn mount_hint(kind: &str) -> String {
    if kernel_has(kind) {
        format!("the {kind} may be damaged: run its fsck on a copy of the image")
    } else {
        format!("this kernel has no {kind}: load it with `modprobe {kind}`")
    }
}

/// Whether the kernel has this file system, or can load it.
fn kernel_has(kind: &str) -> bool {
    kernel::has_file_system(kind) || {
        // mount(2) would load it, but only for a mount that then may fail for other reasons.
        let _ = command::output("modprobe".as_ref(), &["--quiet".into(), kind.into()]);
        kernel::has_file_system(kind)
    }
}
