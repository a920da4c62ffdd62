use super::*;
use crate::disk::{partition::Partition, probe::FileSystem};

/// Number, MiB, gpt type (empty: dos 0x83), kind, label.
fn volume(number: u32, mib: u64, type_: &str, kind: Option<FsKind>, label: &str) -> Volume {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Volume {
        partition: Partition {
            number,
            start: u64::from(number) << 30,
            size: mib << 20,
            type_: match type_ {
                "" => PartitionType::Dos(0x83),
                guid => PartitionType::Gpt(guid.into()),
            },
            uuid: Some(format!("1234abcd-{number:02x}")),
            name: None,
        },
        fs: kind.map(|kind| FileSystem {
            kind,
            label: some(label),
            uuid: some(&format!("AB-{number}")),
        }),
    }
}

fn pi() -> Vec<Volume> {
    vec![
        volume(1, 256, "", Some(FsKind::Fat32), "system-boot"),
        volume(2, 3000, "", Some(FsKind::Ext4), "writable"),
    ]
}

fn places(layout: &Layout) -> Vec<(u32, &str)> {
    layout
        .mounts
        .iter()
        .map(|mount| (mount.partition, mount.at.to_str().unwrap()))
        .collect()
}

#[test]
fn ubuntu_on_a_pi() {
    let text =
        "LABEL=writable / ext4 defaults 0 1\nLABEL=system-boot /boot/firmware vfat defaults 0 1\n";
    let layout = from_fstab(&pi(), 2, text).unwrap();
    assert_eq!(places(&layout), [(2, "/"), (1, "/boot/firmware")]);
    assert!(layout.skipped.is_empty());
}

#[test]
fn every_way_to_name_a_partition() {
    for source in [
        "PARTUUID=1234ABCD-01",
        "UUID=ab-1",
        "/dev/mmcblk0p1",
        "/dev/sda1",
        "/dev/disk/by-label/system-boot",
        "/dev/disk/by-partuuid/1234abcd-01",
    ] {
        let text = format!("{source} /boot vfat defaults,nofail,x-systemd.automount 0 2\n");
        assert_eq!(
            places(&from_fstab(&pi(), 2, &text).unwrap()),
            [(2, "/"), (1, "/boot")]
        );
    }
}

#[test]
fn the_roots_own_entry_tells_the_disk() {
    let text =
        "/dev/sdb1 /boot vfat defaults\n/dev/sdb2 / ext4 defaults\n/dev/sda1 /srv ext4 defaults\n";
    let layout = from_fstab(&pi(), 2, text).unwrap();
    assert_eq!(places(&layout), [(2, "/"), (1, "/boot")]);
    assert_eq!(layout.skipped[0].reason, "/dev/sda1 is on another disk");
    assert!(layout.skipped[0].warn);
}

#[test]
fn what_is_no_partition_is_left_out() {
    let text = concat!(
        "proc /proc proc defaults\n",
        "tmpfs /tmp tmpfs size=1g\n",
        "nas:/x /x nfs defaults\n",
        "/swapfile none swap sw\n",
        "/boot/a /b none bind\n",
        "LABEL=system-boot /c vfat noauto\n",
        "LABEL=gone /d ext4 defaults\n",
        "LABEL=system-boot ../e vfat defaults\n",
        "LABEL=system-boot /f/../.. vfat defaults\n",
        "LABEL=system-boot / vfat defaults\n",
        "LABEL=writable /twice ext4 defaults\n",
    );
    let layout = from_fstab(&pi(), 2, text).unwrap();
    assert_eq!(places(&layout), [(2, "/")]);
    let warned: Vec<_> = layout
        .skipped
        .iter()
        .filter(|s| s.warn)
        .map(|s| s.line)
        .collect();
    assert_eq!(warned, [7, 8, 9, 10, 11]);
    assert_eq!(layout.skipped.len(), 11);
}

#[test]
fn parents_come_before_children() {
    let volumes = vec![
        volume(1, 16, "", Some(FsKind::Fat16), "efi"),
        volume(2, 512, "", Some(FsKind::Ext4), "boot"),
        volume(3, 3000, "", Some(FsKind::Btrfs), "rootfs"),
    ];
    let text = concat!(
        "LABEL=efi /boot/./efi/ vfat defaults\n",
        "LABEL=boot /boot ext4 ro,noatime\n",
        "LABEL=rootfs /home btrfs subvol=@home,compress=zstd,ssd\n",
        "LABEL=rootfs / btrfs subvol=@\n",
    );
    let layout = from_fstab(&volumes, 3, text).unwrap();
    assert_eq!(
        places(&layout),
        [(3, "/"), (2, "/boot"), (3, "/home"), (1, "/boot/efi")]
    );
    assert_eq!(layout.mounts[0].options, ["subvol=@"]);
    assert_eq!(layout.mounts[2].options, ["subvol=@home", "compress=zstd"]);
    assert!(layout.mounts[1].options.is_empty());
}

#[test]
fn candidates_for_the_root() {
    assert_eq!(root_candidates(&pi()), [2]);
    // A Rock board: config, ESP, root, all behind gpt.
    let rock = vec![
        volume(
            1,
            16,
            "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
            Some(FsKind::Fat16),
            "config",
        ),
        volume(
            2,
            300,
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            Some(FsKind::Fat32),
            "efi",
        ),
        volume(
            3,
            9000,
            "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
            Some(FsKind::Ext4),
            "data",
        ),
        volume(4, 3000, ROOT_TYPES[0], Some(FsKind::Ext4), ""),
        volume(5, 4, "", None, ""),
        volume(6, 100, "", Some(FsKind::Swap), ""),
    ];
    assert_eq!(root_candidates(&rock), [4, 3]);
    let data = vec![
        volume(1, 900, "", Some(FsKind::Ext4), "data"),
        volume(2, 90, "", Some(FsKind::Ext4), "armbi_root"),
    ];
    assert_eq!(root_candidates(&data), [2, 1]);
}

#[test]
fn an_explicit_layout_is_checked() {
    let given = |pairs: &[(u32, &str)]| {
        let entry = |path: &str| GivenEntry::Path(path.to_owned());
        let pairs = pairs.iter().map(|&(n, path)| (n, entry(path)));
        explicit(&pi(), &Given::check(&pairs.collect())?)
    };
    assert_eq!(
        places(&given(&[(1, "/boot/"), (2, "/")]).unwrap()),
        [(2, "/"), (1, "/boot")]
    );
    for (wrong, word) in [
        (&[(2, "/boot")][..], "/"),
        (&[(1, "/"), (2, "/")], "twice"),
        (&[(0, "/")], "1 to 128"),
        (&[(129, "/")], "1 to 128"),
        (&[(3, "/")], "partition 3"),
        (&[(1, "boot"), (2, "/")], "boot"),
        (&[(1, "/a/../b"), (2, "/")], "absolute"),
    ] {
        let error = given(wrong).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert!(error.hint_text().is_some() && error.kind().exit_code() == 2);
    }
}

/// The root is on Ceph and the boot files are on a server: the image's own are found nevertheless.
#[test]
fn an_image_made_for_netboot() {
    let text = concat!(
        "/dev/rbd0 / ext4 defaults,_netdev 0 1\n",
        "\n# boot\n",
        "192.0.2.1:/srv/tftp/1234 /boot/firmware nfs defaults 0 0\n",
    );
    let layout = from_fstab(&pi(), 2, text).unwrap();
    assert_eq!(places(&layout), [(2, "/")]);
    assert!(layout.skipped.iter().all(|skipped| !skipped.warn));
    let boot = boot::without_place(&pi(), &layout);
    assert_eq!(boot.len(), 1);
    assert_eq!(boot[0].partition, 1);
    assert_eq!(boot[0].named, Some((4, "/boot/firmware".into())));
}

#[test]
fn boot_partitions_without_a_line() {
    let esp = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
    let data = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
    let volumes = vec![
        volume(1, 16, data, Some(FsKind::Ext4), "data"),
        volume(2, 300, esp, Some(FsKind::Fat32), ""),
        volume(3, 300, data, Some(FsKind::Fat32), "photos"),
        volume(4, 500, data, Some(FsKind::Ext4), "bootfs"),
        volume(5, 3000, ROOT_TYPES[0], Some(FsKind::Ext4), ""),
    ];
    let found = |text: &str| {
        let layout = from_fstab(&volumes, 5, text).unwrap();
        let boot = boot::without_place(&volumes, &layout).into_iter();
        boot.map(|boot| (boot.partition, boot.places[0].display().to_string()))
            .collect::<Vec<_>>()
    };
    let (efi, boot) = ((2, "/boot/efi".to_owned()), (4, "/boot".to_owned()));
    assert_eq!(found(""), [efi.clone(), boot]);
    // One that is left to its user is left alone.
    assert_eq!(found("LABEL=bootfs /boot ext4 noauto\n"), [efi]);
    assert_eq!(
        found("UUID=AB-2 /efi vfat x 0 1\nLABEL=bootfs /boot ext4\n"),
        []
    );
}

#[test]
fn what_a_system_boots_without_is_no_warning() {
    let text = "LABEL=gone /a ext4 nofail\nLABEL=gone /b ext4 defaults\nLABEL=system-boot /c vfat nofail\n";
    let layout = from_fstab(&pi(), 2, text).unwrap();
    let warned = layout.skipped.iter().map(|s| (s.line, s.warn));
    assert_eq!(warned.collect::<Vec<_>>(), [(1, false), (2, true)]);
    assert!(layout.mounts[1].may_fail);
    assert_eq!(layout.mounts[1].line, Some(3));
}

#[test]
fn a_subvolume_is_for_btrfs_alone() {
    let given = |text: &str| {
        let entries = serde_yaml::from_str(text).unwrap();
        explicit(
            &[volume(1, 900, "", Some(FsKind::Btrfs), ""), pi().remove(1)],
            &Given::check(&entries)?,
        )
    };
    let layout = given("{1: {path: /, subvolume: '@'}}").unwrap();
    assert_eq!(layout.mounts[0].options, ["subvol=@"]);
    for (wrong, word) in [
        ("{2: {path: /, subvolume: '@'}}", "no subvolumes"),
        ("{1: {path: /, subvolume: '@,subvolid=5'}}", "no name"),
    ] {
        let error = given(wrong).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
