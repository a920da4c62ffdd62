//! Who else uses an image file: the host, through a loop device, or a program that holds a lock, as virtual machines do.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use linux_raw_sys::loop_device::loop_info64;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
    sys::stat::{major, minor},
};

#[allow(unsafe_code)]
mod ioctl {
    use linux_raw_sys::loop_device::{LOOP_GET_STATUS64, loop_info64};
    nix::ioctl_read_bad!(status, LOOP_GET_STATUS64, loop_info64);
}

/// The loop devices that show `file` or a part of it, such as `/dev/loop0`, whoever attached it by whatever path.
pub fn loop_devices(file: &File) -> io::Result<Vec<PathBuf>> {
    let image = file.metadata()?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with("loop") {
            continue;
        }
        // Without a file there is no such folder.
        let Ok(backing) = fs::read_to_string(entry.path().join("loop/backing_file")) else {
            continue;
        };
        let device = Path::new("/dev").join(name);
        let same = match backing_of(&device) {
            Some(shown) => shown == (kernel_number(image.dev()), image.ino()),
            // In a container there may be no node; the path is that of whoever attached it.
            None => fs::metadata(backing.trim_end_matches('\n'))
                .is_ok_and(|shown| (shown.dev(), shown.ino()) == (image.dev(), image.ino())),
        };
        if same {
            found.push(device);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether writes to this loop device are refused.
pub fn is_read_only(device: &Path) -> bool {
    let name = device.file_name().unwrap_or_default();
    let flag = Path::new("/sys/block").join(name).join("ro");
    fs::read_to_string(flag).is_ok_and(|flag| flag.trim() == "1")
}

/// The device and inode of the file behind a loop device.
fn backing_of(device: &Path) -> Option<(u64, u64)> {
    let device = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(device)
        .ok()?;
    #[allow(unsafe_code)]
    // SAFETY: a plain struct of integers and arrays of them, for which zero is valid.
    let mut info: loop_info64 = unsafe { std::mem::zeroed() };
    #[allow(unsafe_code)]
    // SAFETY: `info` lives across the call, which fills it.
    unsafe { ioctl::status(device.as_raw_fd(), &mut info) }.ok()?;
    Some((info.lo_device, info.lo_inode))
}

/// A device number as the kernel packs it (include/linux/kdev_t.h, `huge_encode_dev`).
fn kernel_number(device: u64) -> u64 {
    let (major, minor) = (major(device), minor(device));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Whether another process has a lock (fcntl(2)) on a part of `file`. qemu has, and libvirt.
pub fn is_locked(file: &File) -> bool {
    #[allow(unsafe_code)]
    // SAFETY: a plain struct of integers, for which zero is valid: all of the file, from its start.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    // Where there are no locks, there are no others' either.
    let asked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock));
    asked.is_ok() && lock.l_type != libc::F_UNLCK as libc::c_short
}

/// A process that has `file` open, by name and number; this one and what it started aside.
pub fn holder(file: &File) -> Option<String> {
    let image = file.metadata().ok()?;
    let own = std::process::id();
    let is_image = |fd: fs::DirEntry| {
        fs::metadata(fd.path())
            .is_ok_and(|open| (open.dev(), open.ino()) == (image.dev(), image.ino()))
    };
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut fds = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        if pid == own || !fds.any(is_image) {
            return None;
        }
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        Some(format!("{} (process {pid})", name.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::makedev;

    use super::*;

    #[test]
    fn device_numbers_are_packed_as_the_kernel_does() {
        assert_eq!(kernel_number(makedev(8, 1)), 0x801);
        assert_eq!(kernel_number(makedev(259, 0x12345)), 0x1231_0345);
    }
}
