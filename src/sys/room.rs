//! Room on file systems: how much there is, where, and what to tell when it is not enough.

use std::{
    fmt, fs,
    os::fd::{AsFd, AsRawFd},
};

use crate::event::Left;
use nix::sys::{
    stat::{fstat, major, minor},
    statvfs::fstatvfs,
};

/// What is left in the file system that `file` is on; without what may be kept for root: where that is being used up,
/// there is little room.
pub fn left(file: &impl AsFd) -> nix::Result<Left> {
    let state = fstatvfs(file.as_fd())?;
    Ok(Left {
        size: state.blocks() * state.fragment_size(),
        free: state.blocks_available() * state.fragment_size(),
        // File systems that make them as they go have 0 in all.
        inodes: (state.files() > 0).then(|| state.files_free()),
    })
}

/// `no inode left for another file`, `only 12 MiB of 2.0 GiB left`
pub fn words(left: &Left) -> String {
    match left.inodes {
        Some(0) => "no inode left for another file".into(),
        _ => format!("only {} of {} left", Size(left.free), Size(left.size)),
    }
}

/// What is known of the file system that a file is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// What it may still take, in bytes.
    pub free: u64,
    /// Its size, in bytes.
    pub size: u64,
    /// Where it is mounted and from what, where that is known.
    at: Option<String>,
}

impl Room {
    /// Of the file system that `file` is on.
    pub fn of(file: &impl AsFd) -> Option<Room> {
        let Left { size, free, .. } = left(file).ok()?;
        Some(Room {
            free,
            size,
            at: place(file),
        })
    }
}

impl fmt::Display for Room {
    /// `/var (ext4 on /dev/sda1), where 1.2 MiB of 20 GiB are free`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, size) = (Size(self.free), Size(self.size));
        let at = self.at.as_deref().unwrap_or("that file system");
        write!(f, "{at}, where {free} of {size} are free")
    }
}

/// How much is free on the file system that `file` is on, in bytes.
pub fn free(file: &impl AsFd) -> Option<u64> {
    Room::of(file).map(|room| room.free)
}

/// What to do when the file system of `file` is full: with `needed` bytes, where that is known, and another way
/// out.
pub fn hint(file: &impl AsFd, needed: Option<u64>, otherwise: &str) -> String {
    let needed = needed.map_or(String::new(), |needed| {
        format!(" and {} may be needed", Size(needed))
    });
    match Room::of(file) {
        Some(room) => format!("free some space on {room}{needed}, or {otherwise}"),
        None => format!("free some space on that file system, or {otherwise}"),
    }
}

/// Bytes as people read them.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        let (mut value, mut unit) = (self.0 as f64, "bytes");
        for next in units {
            if value < 1024.0 {
                break;
            }
            (value, unit) = (value / 1024.0, next);
        }
        match unit {
            "bytes" => write!(f, "{} bytes", self.0),
            _ if value < 10.0 => write!(f, "{value:.1} {unit}"),
            _ => write!(f, "{value:.0} {unit}"),
        }
    }
}

/// The bytes that `text` stands for, such as `4G`, `512MiB` or `1.5T`: in units of 1024, as tools of disks have them.
/// `None` for what is no size, or nothing, or more than any disk has.
pub fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit = unit.trim_start().to_ascii_uppercase();
    let unit = unit
        .strip_suffix("IB")
        .or(unit.strip_suffix('B'))
        .unwrap_or(&unit);
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * (1u64 << shift) as f64;
    (1.0..(1u64 << 52) as f64)
        .contains(&value)
        .then_some(value as u64)
}

/// Where the file system of `file` is mounted, of what kind it is and from what, as our mount namespace has it:
/// by the number of the mount or, where the file was opened in another namespace, by the device.
fn place(file: &impl AsFd) -> Option<String> {
    let info = format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd());
    let info = fs::read_to_string(info).ok()?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    let device = fstat(file.as_fd()).ok()?.st_dev;
    let device = format!("{}:{}", major(device), minor(device));
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let by = |column, value| mounts.lines().find_map(|line| mount(line, column, value));
    by(0, id.trim()).or_else(|| by(2, &device))
}

/// The words for a line of mountinfo (proc_pid_mountinfo(5)), if its `column` has this value.
fn mount(line: &str, column: usize, value: &str) -> Option<String> {
    let (mount, super_block) = line.split_once(" - ")?;
    let words: Vec<&str> = mount.split(' ').collect();
    if *words.get(column)? != value {
        return None;
    }
    let at = words.get(4)?.replace("\\040", " ");
    let mut words = super_block.split(' ');
    let (kind, source) = (words.next()?, words.next()?);
    Some(match source.starts_with('/') {
        true => format!("{at} ({kind} on {source})"),
        false => format!("{at} ({kind})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_people_would_use() {
        let shown = |bytes| Size(bytes).to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(1023), "1023 bytes");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(20 << 20), "20 MiB");
        assert_eq!(shown(3 << 40), "3.0 TiB");
        assert_eq!(shown(u64::MAX), "16777216 TiB");
    }

    #[test]
    fn a_mount_is_found_by_its_number() {
        let line =
            "36 35 98:0 /mnt1 /my\\040disk rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue";
        assert_eq!(
            mount(line, 0, "36").unwrap(),
            "/my disk (ext4 on /dev/sda1)"
        );
        assert_eq!(mount(line, 0, "3"), None);
        let line = "40 1 0:5 / /run rw - tmpfs tmpfs rw";
        assert_eq!(mount(line, 2, "0:5").unwrap(), "/run (tmpfs)");
        let shm = fs::File::open("/dev/shm").expect("a tmpfs at /dev/shm: mount one");
        let text = hint(&shm, Some(5 << 20), "use another");
        assert!(
            text.starts_with("free some space on /dev/shm (tmpfs), where "),
            "{text}"
        );
        assert!(
            text.ends_with(" are free and 5.0 MiB may be needed, or use another"),
            "{text}"
        );
    }
}
