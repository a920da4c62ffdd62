//! Which partition an entry of the fstab means.

use crate::disk::{fstab::Spec, names::split, partition::WHOLE, volume::Volume};

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
            let missing = match number {
                WHOLE => format!("{path} is no name of a partition"),
                number => format!("no partition of this image has the number {number}"),
            };
            volumes
                .iter()
                .find(|volume| volume.partition.number == number)
                .ok_or(missing)
        }
        Spec::Other(source) => Err(format!("{source} is no partition")),
    }
}
