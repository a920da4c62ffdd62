//! The image's own disk, as its programs find it: devices to read it by, under the names that a machine with this
//! image has, and what the kernel tells of them.
//!
//! Tools ask a device for the type and the UUID of its file system, and write its name down: so there are devices, of
//! this image and no other. None can be written. They are loop devices of their own beside those that are mounted,
//! attached for reading alone, to a file that is open for reading alone, so the mode of a node decides nothing.
//! A number of a loop device that is free may be anybody's next: so the stage and the executor have each of them
//! open for as long as a program of the image runs, and the seccomp filter refuses the calls that change one.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::AtFlags,
    mount::MsFlags,
    sys::stat::{Mode, SFlag, makedev, mknodat},
    unistd::{Gid, fchownat},
};
use serde::{Deserialize, Serialize};

use super::filesystems::{mkdir, show_text};
use crate::{
    error::{Context, Kind, Result},
    sys::{
        inroot::{Root, path_of},
        loopdev::LOOP_MAJOR,
        mount,
    },
};

/// A disk with its partitions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disk {
    /// All of it.
    pub whole: Device,
    /// Those partitions that are shown.
    pub partitions: Vec<Partition>,
}

/// A device that can only be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Device {
    /// Its name below /dev.
    pub name: String,
    /// Its minor number; it is a loop device.
    pub number: u32,
    /// Its node on the host's side.
    pub node: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its further names, below /dev/disk.
    pub links: Vec<String>,
    /// What udev notes of it: names, and values without odd characters.
    pub properties: Vec<(String, String)>,
    /// The minor number of the loop device that it is mounted from, which the chroot has not.
    pub mounted: Option<u32>,
}

/// One partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Partition {
    /// Its device.
    pub device: Device,
    /// Its number.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start: u64,
}

/// For udevadm, which grub-probe asks where a partition begins: what we show in /sys is no sysfs
/// (systemd's docs/ENVIRONMENT.md).
pub const ENVIRONMENT: (&str, &str) = ("SYSTEMD_DEVICE_VERIFY_SYSFS", "0");
/// Where udev notes what it knows of devices.
const NOTED: &str = "run/udev/data";
/// Debian's group `disk`.
const GROUP: Gid = Gid::from_raw(6);
/// What the kernel counts in, whatever the device.
const SECTOR: u64 = 512;

impl Disk {
    fn devices(&self) -> impl Iterator<Item = &Device> {
        let partitions = self.partitions.iter().map(|partition| &partition.device);
        [&self.whole].into_iter().chain(partitions)
    }

    /// Every device, open, which keeps its number from being another's.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn hold(&self) -> Result<Vec<File>> {
        let open = |device: &Device| {
            let node = &device.node;
            File::open(node).context(Kind::Host, || format!("cannot open {}", node.display()))
        };
        self.devices().map(open).collect()
    }

    /// Puts it into the chroot, whose /dev, /proc and /sys are mounted.
    ///
    /// # Errors
    /// When something of that cannot be made.
    pub fn show(&self, root: &Root) -> Result<()> {
        let failed = || "cannot show the image its disk".to_owned();
        let dev = root.locate("dev".as_ref()).context(Kind::Host, failed)?;
        for device in self.devices() {
            let name = device.name.as_str();
            let mode = Mode::from_bits_truncate(0o440);
            let number = makedev(LOOP_MAJOR, device.number.into());
            mknodat(&dev, name, SFlag::S_IFBLK, mode, number).context(Kind::Host, failed)?;
            let here = AtFlags::AT_SYMLINK_NOFOLLOW;
            fchownat(&dev, name, None, Some(GROUP), here).context(Kind::Host, failed)?;
        }
        mkdir(root, "dev/disk", 0o755)?;
        let links = root
            .locate("dev/disk".as_ref())
            .context(Kind::Host, failed)?;
        self.link(&path_of(&links)).context(Kind::Host, failed)?;
        mkdir(root, "run/udev", 0o755)?;
        mkdir(root, "run/udev/data", 0o755)?;
        let data = root.locate(NOTED.as_ref()).context(Kind::Host, failed)?;
        self.note(&path_of(&data)).context(Kind::Host, failed)?;
        show_text(root, "proc/partitions", &self.listed())?;
        for (place, write) in [
            (
                "sys/block",
                Self::describe as fn(&Self, &Path) -> io::Result<()>,
            ),
            ("sys/class/block", Self::name),
            ("sys/dev/block", Self::number),
        ] {
            cover(root, place, |top| write(self, top))?;
        }
        Ok(())
    }

    /// /dev/disk. Of devices that share a name the first one has it.
    fn link(&self, top: &Path) -> io::Result<()> {
        for device in self.devices() {
            for link in &device.links {
                let at = top.join(link);
                fs::create_dir_all(at.parent().unwrap_or(top))?;
                match symlink(format!("../../{}", device.name), at) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What udev would note, which lsblk reads.
    fn note(&self, top: &Path) -> io::Result<()> {
        for device in self.devices() {
            let number = device.number;
            let lines = device.properties.iter();
            let lines = lines.map(|(key, value)| format!("E:{key}={value}\n"));
            let text = lines.collect::<String>();
            fs::write(top.join(format!("b{LOOP_MAJOR}:{number}")), text)?;
        }
        Ok(())
    }

    /// /proc/partitions, where blkid looks for devices.
    fn listed(&self) -> String {
        let mut text = "major minor  #blocks  name\n\n".to_owned();
        for Device {
            name, number, size, ..
        } in self.devices()
        {
            text += &format!("{LOOP_MAJOR:4} {number:8} {:10} {name}\n", size / 1024);
        }
        text
    }

    /// /sys/block: the disk, and its partitions in it.
    fn describe(&self, top: &Path) -> io::Result<()> {
        let whole = top.join(&self.whole.name);
        attributes(&whole, &self.whole, "DEVTYPE=disk\n", &[("removable", 0)])?;
        for partition in &self.partitions {
            let at = whole.join(&partition.device.name);
            let number = u64::from(partition.number);
            let more = format!("DEVTYPE=partition\nPARTN={number}\n");
            let values = [("partition", number), ("start", partition.start / SECTOR)];
            attributes(&at, &partition.device, &more, &values)?;
        }
        Ok(())
    }

    /// Where each device is in /sys/block, from a folder two below /sys.
    fn places(&self) -> impl Iterator<Item = (&Device, String)> {
        let whole = &self.whole.name;
        let partitions = self.partitions.iter().map(move |partition| {
            let place = format!("../../block/{whole}/{}", partition.device.name);
            (&partition.device, place)
        });
        let whole = (&self.whole, format!("../../block/{whole}"));
        [whole].into_iter().chain(partitions)
    }

    /// /sys/class/block.
    fn name(&self, top: &Path) -> io::Result<()> {
        self.places()
            .try_for_each(|(device, place)| symlink(place, top.join(&device.name)))
    }

    /// /sys/dev/block, where what is mounted has another number.
    fn number(&self, top: &Path) -> io::Result<()> {
        self.places().try_for_each(|(device, place)| {
            [Some(device.number), device.mounted]
                .into_iter()
                .flatten()
                .try_for_each(|number| symlink(&place, top.join(format!("{LOOP_MAJOR}:{number}"))))
        })
    }
}

/// The folder of a device in /sys/block.
fn attributes(at: &Path, device: &Device, more: &str, values: &[(&str, u64)]) -> io::Result<()> {
    let Device {
        name, number, size, ..
    } = device;
    fs::create_dir(at)?;
    for folder in ["holders", "slaves"] {
        fs::create_dir(at.join(folder))?;
    }
    // Only its last part is looked at.
    symlink("/sys/class/block", at.join("subsystem"))?;
    let write = |file: &str, text: String| fs::write(at.join(file), text);
    write("dev", format!("{LOOP_MAJOR}:{number}\n"))?;
    write(
        "uevent",
        format!("MAJOR={LOOP_MAJOR}\nMINOR={number}\nDEVNAME={name}\n{more}"),
    )?;
    let all = [("size", size / SECTOR), ("ro", 1)];
    all.iter()
        .chain(values)
        .try_for_each(|(file, value)| write(file, format!("{value}\n")))
}

/// Mounts a file system on `place` of the chroot, has it filled, and makes it read-only. Some kernels have no such
/// place.
fn cover(root: &Root, place: &str, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let failed = || format!("cannot show the image its disk in /{place}");
    let Ok(at) = root.locate(place.as_ref()) else {
        return Ok(());
    };
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount::virtual_fs("tmpfs", &path_of(&at), harmless, "mode=0755")?;
    // The handle from before shows what is below the new mount.
    let covered = root.locate(place.as_ref()).context(Kind::Host, failed)?;
    let top = path_of(&covered);
    fill(&top).context(Kind::Host, failed)?;
    mount::make_read_only(&top)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Disk {
        let device = |name: &str, number, size| Device {
            name: name.into(),
            number,
            node: "/nowhere".into(),
            size,
            links: Vec::new(),
            properties: Vec::new(),
            mounted: None,
        };
        let partition = |number: u32, start, links: &[&str]| Partition {
            device: Device {
                links: links.iter().map(|&link| link.to_owned()).collect(),
                properties: vec![("ID_FS_TYPE".into(), "ext4".into())],
                mounted: Some(20 + number),
                ..device(&format!("mmcblk0p{number}"), 10 + number, 4096)
            },
            number,
            start,
        };
        Disk {
            whole: device("mmcblk0", 9, 1 << 20),
            partitions: vec![
                partition(1, 512, &["by-label/x"]),
                partition(2, 8192, &["by-label/x", "by-uuid/1"]),
            ],
        }
    }

    #[test]
    fn what_the_kernel_tells_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let at = dir.path().join(name);
            fs::create_dir_all(&at).unwrap();
            at
        };
        disk().describe(&at("block")).unwrap();
        disk().name(&at("class/block")).unwrap();
        disk().number(&at("dev/block")).unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
        disk().note(&at("data")).unwrap();
        assert_eq!(read("data/b7:12"), "E:ID_FS_TYPE=ext4\n");
        assert_eq!(read("class/block/mmcblk0p2/start"), "16\n");
        assert_eq!(read("dev/block/7:12/partition"), "2\n");
        assert_eq!(read("dev/block/7:22/size"), "8\n");
        assert_eq!(read("dev/block/7:9/dev"), "7:9\n");
        let uevent = "MAJOR=7\nMINOR=11\nDEVNAME=mmcblk0p1\nDEVTYPE=partition\nPARTN=1\n";
        assert_eq!(read("block/mmcblk0/mmcblk0p1/uevent"), uevent);
        let listed = disk().listed();
        assert!(
            listed.ends_with("   7       12          4 mmcblk0p2\n"),
            "{listed}"
        );
    }

    #[test]
    fn a_name_that_two_partitions_have_is_the_firsts() {
        let dir = tempfile::tempdir().unwrap();
        disk().link(dir.path()).unwrap();
        let target = |link: &str| fs::read_link(dir.path().join(link)).unwrap();
        assert_eq!(target("by-label/x"), Path::new("../../mmcblk0p1"));
        assert_eq!(target("by-uuid/1"), Path::new("../../mmcblk0p2"));
    }
}
