//! The image's file systems: attached, mounted, and taken apart again in reverse.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, mount::MsFlags, sys::statvfs::fstatvfs};
use sys_mount::MountFlags;

use super::{
    check, facts,
    fat::{self, FatMount},
};
use crate::{
    disk::{FsKind, Layout, Mount, Volume, layout},
    error::{Context, Error, Kind, Result},
    sys::{
        inroot::{Root, path_of},
        kernel,
        loopdev::{LoopDevice, Window},
        mount, trim,
    },
};

/// Room for Ansible's own temporary files and our sockets, not for data.
const TMPFS: &str = "mode=0711,size=512m";

/// Less free space than this, in bytes, is a full disk: writes come in pieces of up to this size.
const FULL: u64 = 2 << 20;

/// The mounted image. To be ended by [`Mounts::close`]; the kernel does it if we are killed.
#[derive(Debug)]
pub struct Mounts {
    /// The stage's directory, with a tmpfs on it.
    dir: PathBuf,
    /// Where the image's root is mounted.
    root: PathBuf,
    /// The image's file.
    image: File,
    mounted: Vec<Mounted>,
    /// What the user should know of the file systems.
    notes: Vec<String>,
}

/// One mounted partition.
#[derive(Debug)]
struct Mounted {
    number: u32,
    /// The mount point in the image.
    place: PathBuf,
    by: By,
}

/// Who serves it.
#[derive(Debug)]
enum By {
    Kernel {
        mount: mount::Mounted,
        device: LoopDevice,
        /// Its root directory, open since it was mounted: syncfs(2) tells each descriptor of the
        /// writes that failed since it was opened (Linux 5.8).
        watch: File,
    },
    Ourselves(FatMount),
}

impl Mounts {
    /// Mounts a tmpfs on `dir` and the partitions of `image` below it: the root where its content
    /// is one, the others where `layout` or the image's own fstab says. Returns what the fstab asks
    /// for and was left out, as warnings.
    ///
    /// # Errors
    /// [`Kind::Image`] when no partition holds a Linux root, or one cannot be mounted.
    pub fn open(
        dir: &Path,
        image: &File,
        volumes: &[Volume],
        layout: Option<&BTreeMap<u32, PathBuf>>,
    ) -> Result<(Self, Vec<String>)> {
        mount::virtual_fs("tmpfs", dir, MsFlags::MS_NOSUID, TMPFS)?;
        let root = dir.join("root");
        for directory in [&root, &nodes(dir)] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(directory)
                .context(Kind::Host, || {
                    format!("cannot make {}", directory.display())
                })?;
        }
        let mut mounts = Mounts {
            dir: dir.to_owned(),
            root,
            image: image
                .try_clone()
                .context(Kind::Other, || "cannot share the image file".into())?,
            mounted: Vec::new(),
            notes: Vec::new(),
        };
        let layout = match layout {
            Some(given) => {
                let layout = layout::explicit(volumes, given)?;
                mounts.mount_root(image, volumes, layout.mounts[0].partition)?;
                layout
            }
            None => mounts.find_root(image, volumes)?,
        };
        for entry in &layout.mounts[1..] {
            mounts.mount(image, volumes, entry)?;
        }
        let skipped = layout.skipped.iter().filter(|s| s.warn);
        let skipped = skipped.map(|s| {
            format!(
                "the image's fstab line {}, {} on {}, is not mounted: {}",
                s.line, s.source, s.at, s.reason
            )
        });
        mounts.notes.extend(skipped);
        let warnings = std::mem::take(&mut mounts.notes);
        Ok((mounts, warnings))
    }

    /// Mounts the candidates one by one until one has the content of a root.
    fn find_root(&mut self, image: &File, volumes: &[Volume]) -> Result<Layout> {
        let mut refused = Vec::new();
        for number in layout::root_candidates(volumes) {
            match self.mount_root(image, volumes, number) {
                Ok(()) => {}
                Err(error) if error.kind() == Kind::Image => {
                    refused.push(format!("partition {number}: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            }
            let root = Root::open(&self.root)?;
            if facts::is_linux_root(&root) {
                return layout::from_fstab(volumes, number, &facts::fstab(&root)?);
            }
            refused.push(format!("partition {number}: no /etc, /usr and /bin/sh"));
            drop(root);
            self.unmount_last()?;
        }
        if refused.is_empty() {
            refused.push("no partition has a Linux file system".into());
        }
        Err(Error::image(format!(
            "no Linux root in the image: {}",
            refused.join("; ")
        ))
        .hint("if one of its partitions is the root, name it in pichroot.yml, as in `image: {layout: {2: /}}`"))
    }

    fn mount_root(&mut self, image: &File, volumes: &[Volume], number: u32) -> Result<()> {
        let kind = find(volumes, number)?.fs.as_ref().map(|fs| fs.kind);
        let kind = kind
            .ok_or_else(|| Error::image(format!("partition {number} has no known file system")))?;
        let entry = Mount {
            partition: number,
            at: "/".into(),
            kind,
            options: Vec::new(),
        };
        self.mount(image, volumes, &entry)
    }

    fn mount(&mut self, image: &File, volumes: &[Volume], entry: &Mount) -> Result<()> {
        let volume = find(volumes, entry.partition)?;
        let window = Window {
            start: volume.partition.start,
            size: volume.partition.size,
            read_only: false,
        };
        // The handle of a mount point in the image: its path may lead through links.
        let (at, _handle) = if entry.at == Path::new("/") {
            (self.root.clone(), None)
        } else {
            let handle = Root::open(&self.root)?
                .open_at(
                    &entry.at,
                    nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY,
                    nix::sys::stat::Mode::empty(),
                )
                .context(Kind::Image, || {
                    format!(
                        "the image has no directory {} to mount partition {} on",
                        entry.at.display(),
                        entry.partition
                    )
                })
                .map_err(|error| {
                    error.hint("where pichroot.yml or the image's fstab names it, correct that")
                })?;
            let real = std::fs::read_link(path_of(&handle)).context(Kind::Image, || {
                format!("cannot reach {} in the image", entry.at.display())
            })?;
            (real, Some(handle))
        };
        let device = LoopDevice::attach(image, window, &nodes(&self.dir))?;
        self.notes
            .extend(check::at_boot(device.node(), entry.kind, entry.partition)?);
        let by = if entry.kind.is_fat() && !kernel_has("vfat") {
            let file = image
                .try_clone()
                .context(Kind::Other, || "cannot share the image file".into())?;
            By::Ourselves(fat::mount(file, window.start, window.size, &at)?)
        } else {
            let flags = MountFlags::NODEV | MountFlags::NOATIME;
            let kind = entry.kind.mount_type().unwrap_or("auto");
            mount::device(device.node(), kind, &at, flags, &options(entry))
                .map_err(|error| error.hint(mount_hint(kind)))?;
            By::Kernel {
                mount: mount::Mounted::at(&at)?,
                device,
                watch: File::open(&at)
                    .context(Kind::Image, || format!("cannot open {}", at.display()))?,
            }
        };
        self.mounted.push(Mounted {
            number: entry.partition,
            place: entry.at.clone(),
            by,
        });
        Ok(())
    }

    fn unmount_last(&mut self) -> Result<()> {
        let Some(last) = self.mounted.pop() else {
            return Ok(());
        };
        match last.by {
            By::Kernel {
                mount,
                device,
                watch,
            } => {
                // An open file would keep it from being unmounted.
                drop(watch);
                if let Some(at) = mount.place()? {
                    mount::unmount(&at)?;
                }
                device.sync().map_err(|error| self.lost(last.number, error))
            }
            By::Ourselves(fat) => fat.close(),
        }
    }

    /// The error for data that did not get into partition `number`. The loop device makes an
    /// I/O error of most that can happen to the image's file, so that is looked into.
    fn lost(&self, number: u32, error: std::io::Error) -> Error {
        let full = fstatvfs(&self.image)
            .is_ok_and(|state| state.blocks_available() * state.fragment_size() < FULL);
        let error = match full {
            true => Errno::ENOSPC.into(),
            false => error,
        };
        let lost: Result<()> = Err(error).context(Kind::Host, || {
            format!("what was written to partition {number} did not all get into the image")
        });
        let error = lost.unwrap_err();
        match full {
            true => error.hint("free some space where the output goes, or name another --output"),
            false => error.hint("see the kernel's log, `dmesg`, for what is wrong with the disk"),
        }
    }

    /// The image's root in the stage.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where each partition is mounted, by number.
    pub fn places(&self) -> Vec<(u32, PathBuf)> {
        self.mounted
            .iter()
            .map(|m| (m.number, m.place.clone()))
            .collect()
    }

    /// Writes everything out, zeroes what is free, so that nothing deleted stays in the image, and
    /// unmounts everything. Returns warnings.
    ///
    /// # Errors
    /// [`Kind::Host`] when something that was written did not get into the image: the kernel takes
    /// data before it knows of room for them. [`Kind::Teardown`] when something cannot be unmounted;
    /// what could be is.
    pub fn close(mut self) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut first_error = None;
        while let Some(last) = self.mounted.last() {
            if let By::Kernel { watch, .. } = &last.by {
                if let Err(errno) = nix::unistd::syncfs(watch) {
                    let lost = self.lost(last.number, errno.into());
                    first_error.get_or_insert(lost);
                } else if let Err(error) = trim::free_blocks(watch) {
                    warnings.push(format!(
                        "the free blocks of partition {} may still hold deleted data: {error}",
                        last.number
                    ));
                }
            }
            if let Err(error) = self.unmount_last() {
                first_error.get_or_insert(error);
            }
        }
        match first_error {
            Some(error) => Err(error),
            None => Ok(warnings),
        }
    }
}

/// Where the nodes of the loop devices are made.
pub fn nodes(dir: &Path) -> PathBuf {
    dir.join("dev")
}

fn find(volumes: &[Volume], number: u32) -> Result<&Volume> {
    volumes
        .iter()
        .find(|volume| volume.partition.number == number)
        .ok_or_else(|| Error::image(format!("the image has no partition {number}")))
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
        let _ = crate::sys::command::output("modprobe".as_ref(), &["--quiet".into(), kind.into()]);
        kernel::has_file_system(kind)
    }
}
