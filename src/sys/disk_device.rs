//! Disks of this machine, to be written as a whole.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise},
    sys::stat::{major, minor},
};

use crate::error::{Context, Error, Kind, Result};

#[allow(unsafe_code)]
mod ioctl {
    use linux_raw_sys::ioctl::{BLKFLSBUF, BLKRRPART};
    nix::ioctl_none_bad!(drop_buffers, BLKFLSBUF);
    nix::ioctl_none_bad!(read_table, BLKRRPART);
}

/// What is known of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its node, with all links followed.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub size: u64,
    /// What its maker calls it.
    pub model: Option<String>,
    /// Whether one can take it out: a card, a stick, or a loop device, which is a file.
    pub removable: bool,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// The disk that it is a part of, if it is a partition.
    pub part_of: Option<PathBuf>,
    /// Where it, or a partition of it, is mounted or used as swap.
    pub mounted: Vec<PathBuf>,
}

impl Disk {
    /// The disk that `path` leads to.
    ///
    /// # Errors
    /// [`Kind::Usage`] where that is no disk.
    pub fn at(path: &Path) -> Result<Self> {
        let shown = path.display();
        let real = path
            .canonicalize()
            .context(Kind::Usage, || format!("cannot find the device {shown}"))
            .map_err(|error| error.hint("`lsblk -p` lists the disks of this machine"))?;
        let meta =
            fs::metadata(&real).context(Kind::Usage, || format!("cannot look at {shown}"))?;
        if !meta.file_type().is_block_device() {
            return Err(Error::usage(format!("{shown} is not a disk device")).hint(
                "`lsblk -p` lists the disks of this machine; to make a file of an image, copy it",
            ));
        }
        let number = format!("{}:{}", major(meta.rdev()), minor(meta.rdev()));
        let sys = Path::new("/sys/dev/block").join(&number);
        let sys = sys.canonicalize().context(Kind::Host, || {
            format!("cannot find {shown} in /sys/dev/block")
        })?;
        let text = |file: &str| {
            let text = fs::read_to_string(sys.join(file)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let is_partition = sys.join("partition").exists();
        let sectors = text("size")
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0);
        Ok(Disk {
            size: sectors * 512,
            model: model(&text),
            removable: removable(&sys, &text),
            read_only: text("ro").as_deref() == Some("1"),
            part_of: is_partition.then(|| disk_of(&sys)),
            mounted: mounted(&sys, &number),
            path: real,
        })
    }

    /// Opens it for writing, and for nobody else, unless that does not matter (`shared`).
    ///
    /// # Errors
    /// [`Kind::Host`] when it is in use, or may not be written.
    pub fn open(&self, shared: bool) -> Result<File> {
        let alone = if shared {
            OFlag::empty()
        } else {
            OFlag::O_EXCL
        };
        let opened = File::options()
            .read(true)
            .write(true)
            .custom_flags(alone.bits())
            .open(&self.path);
        let shown = self.path.display();
        match opened {
            Err(error) if error.raw_os_error() == Some(nix::libc::EBUSY) => {
                Err(Error::host(format!("{shown} is in use"))
                    .hint("`lsblk` tells by what: end that, or write all the same with --force"))
            }
            other => other
                .context(Kind::Host, || format!("cannot open {shown} for writing"))
                .map_err(|error| {
                    error.hint("run it with sudo; is the card's switch on its side set?")
                }),
        }
    }
}

/// The size of an open disk, in bytes.
pub fn size(disk: &File) -> io::Result<u64> {
    let mut disk = disk;
    disk.seek(SeekFrom::End(0))
}

/// Forgets what is known of the disk's content, so that it is read from there.
///
/// # Errors
/// When something of it cannot be written first.
pub fn forget(disk: &File) -> io::Result<()> {
    disk.sync_all()?;
    #[allow(unsafe_code)]
    // SAFETY: BLKFLSBUF takes no argument.
    let dropped = unsafe { ioctl::drop_buffers(disk.as_raw_fd()) };
    // Without the right for that there is another way, which is a hint only.
    if dropped.is_err() {
        let _ = posix_fadvise(disk, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }
    Ok(())
}

/// Has the kernel read the disk's partition table anew. Best effort: who takes a card out does the same.
pub fn read_table(disk: &File) {
    #[allow(unsafe_code)]
    // SAFETY: BLKRRPART takes no argument.
    let _ = unsafe { ioctl::read_table(disk.as_raw_fd()) };
}

fn model(text: &impl Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(file) = text("loop/backing_file") {
        return Some(format!("a loop device of {file}"));
    }
    // Cards have a name, other disks a vendor and a model.
    let parts = ["device/vendor", "device/model", "device/name"];
    let parts: Vec<_> = parts.iter().filter_map(|file| text(file)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn removable(sys: &Path, text: &impl Fn(&str) -> Option<String>) -> bool {
    let usb = sys
        .components()
        .any(|part| part.as_os_str().to_string_lossy().starts_with("usb"));
    // The kernel says of a reader that is built in that it cannot be removed.
    let card = text("device/type").as_deref() == Some("SD");
    let file = sys.join("loop").exists();
    usb || card || file || text("removable").as_deref() == Some("1")
}

/// The disk of a partition, which is below it in /sys.
fn disk_of(sys: &Path) -> PathBuf {
    let name = sys.parent().and_then(Path::file_name).unwrap_or_default();
    Path::new("/dev").join(name)
}

/// Where the disk `sys` with this `number`, or a partition of it, is mounted or used as swap.
fn mounted(sys: &Path, number: &str) -> Vec<PathBuf> {
    let mut numbers = vec![number.to_owned()];
    for entry in fs::read_dir(sys).into_iter().flatten().flatten() {
        if entry.path().join("partition").exists()
            && let Ok(number) = fs::read_to_string(entry.path().join("dev"))
        {
            numbers.push(number.trim().to_owned());
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut places: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(2);
            let (device, at) = (words.next()?, words.nth(1)?);
            let ours = numbers.iter().any(|number| number == device);
            ours.then(|| at.replace("\\040", " ").into())
        })
        .collect();
    let swaps = fs::read_to_string("/proc/swaps").unwrap_or_default();
    for swap in swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
    {
        let device = fs::metadata(swap).map_or(0, |meta| meta.rdev());
        if numbers.contains(&format!("{}:{}", major(device), minor(device))) {
            places.push(format!("{swap} (swap)").into());
        }
    }
    places.dedup();
    places
}
