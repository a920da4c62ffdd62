//! Which partition an entry of the fstab means.

use crate::disk::{fstab::Spec, volume::Volume};

/// The disks a board or a machine boots from.
const BOOT_DISKS: [&str; 8] = [
    "mmcblk0", "mmcblk1", "mmcblk2", "sda", "vda", "nvme0n1", "xvda", "hda",
];

/// The partition of this image that `spec` means. `disk` is the one that the root's own entry names.
pub(super) fn find<'a>(
    spec: &Spec,
    volumes: &'a [Volume],
    disk: Option<&str>,
) -> Result<&'a Volume, String> {
    let by = |test: &dyn Fn(&Volume) -> bool, what: &str| {
        let missing = || format!("no partition of this image has {what}");
        volumes
            .iter()
            .find(|volume| test(volume))
            .ok_or_else(missing)
    };
    let same = |found: Option<&String>, wanted: &str| found.is_some_and(|f| f == wanted);
    // Hexadecimal digits are compared without regard to case, as blkid and udev do.
    let like = |found: Option<&String>, wanted: &str| {
        found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    };
    match spec {
        Spec::Label(label) => by(
            &|volume| same(volume.fs.as_ref().and_then(|fs| fs.label.as_ref()), label),
            &format!("the label {label}"),
        ),
        Spec::Uuid(uuid) => by(
            &|volume| like(volume.fs.as_ref().and_then(|fs| fs.uuid.as_ref()), uuid),
            &format!("the UUID {uuid}"),
        ),
        Spec::PartUuid(uuid) => by(
            &|volume| like(volume.partition.uuid.as_ref(), uuid),
            &format!("the PARTUUID {uuid}"),
        ),
        Spec::PartLabel(name) => by(
            &|volume| same(volume.partition.name.as_ref(), name),
            &format!("the PARTLABEL {name}"),
        ),
        Spec::Device(path) => {
            let (on, number) =
                split(path).ok_or_else(|| format!("{path} is no name of a partition"))?;
            let ours = disk.map_or(BOOT_DISKS.contains(&on), |disk| disk == on);
            if !ours {
                return Err(format!("{path} is on another disk"));
            }
            by(
                &|volume| volume.partition.number == number,
                &format!("the number {number}"),
            )
        }
        Spec::Other(source) => Err(format!("{source} is no partition")),
    }
}

/// Splits `/dev/sda1` into `sda` and 1, `/dev/mmcblk0p2` into `mmcblk0` and 2.
pub(super) fn split(path: &str) -> Option<(&str, u32)> {
    let name = path.strip_prefix("/dev/")?;
    let disk = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[disk.len()..]
        .parse()
        .ok()
        .filter(|&number| number > 0)?;
    // A disk whose name ends in a digit has a `p` between; others have not.
    let disk = match disk.strip_suffix('p') {
        Some(before) if before.ends_with(|c: char| c.is_ascii_digit()) => before,
        _ => disk,
    };
    let known = ["mmcblk", "nvme", "loop", "sd", "vd", "xvd", "hd"];
    let fits = known.iter().any(|prefix| disk.starts_with(prefix)) && !disk.contains('/');
    let complete = !disk.ends_with("mmcblk") && !disk.ends_with("nvme");
    (fits && complete).then_some((disk, number))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_of_partitions() {
        assert_eq!(split("/dev/sda1"), Some(("sda", 1)));
        assert_eq!(split("/dev/mmcblk0p12"), Some(("mmcblk0", 12)));
        assert_eq!(split("/dev/nvme0n1p2"), Some(("nvme0n1", 2)));
        for other in [
            "/dev/sda",
            "/dev/mmcblk0",
            "/dev/mapper/a1",
            "/dev/root",
            "/dev/sda0",
            "sda1",
        ] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
