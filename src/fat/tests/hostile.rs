//! Damaged file systems end in errors: no hang, no panic, no wild memory.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use proptest::prelude::*;

use super::{Disk, OFFSET};
use crate::fat::{device::Device, volume::Volume};

/// Writes into the file system of a disk.
fn patch(disk: &Disk, at: u64, bytes: &[u8]) {
    let image = File::options().write(true).open(disk.image()).unwrap();
    image.write_all_at(bytes, OFFSET + at).unwrap();
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

#[test]
fn loops_are_io_errors() {
    let disk = Disk::new(40, &["-F32", "-s1"]);
    let mounted = disk.mount();
    fs::create_dir(disk.root().join("D")).unwrap();
    fs::write(disk.root().join("F"), vec![1; 2000]).unwrap();
    mounted.close().unwrap();
    let bytes = disk.bytes();
    let fat = word(&bytes, 14) * 512;
    let root = fat + 2 * 512 * word(&bytes, 36);
    let entry = |name: &[u8]| {
        (0..16)
            .map(|i| root as usize + 32 * i)
            .find(|&at| bytes[at..].starts_with(name))
            .unwrap()
    };
    // The directory's cluster is the root's: going down would never end.
    patch(&disk, entry(b"D  ") as u64 + 26, &[2, 0]);
    // The file's last cluster leads back to its first.
    let first = word(&bytes, entry(b"F  ") + 26);
    patch(&disk, fat + 4 * (first + 3), &(first as u32).to_le_bytes());
    let mounted = disk.mount();
    assert!(
        fs::read_dir(disk.root().join("D")).is_err_and(|error| error.raw_os_error() == Some(5))
            || fs::read_dir(disk.root().join("D"))
                .unwrap()
                .any(|entry| entry.is_err())
    );
    assert_eq!(
        fs::read(disk.root().join("F")).unwrap_err().raw_os_error(),
        Some(5)
    );
    fs::write(disk.root().join("G"), "fine").unwrap();
    fs::remove_file(disk.root().join("F")).unwrap();
    mounted.close().unwrap();
}

/// Walks and changes everything, without the kernel: what may happen is an error.
fn exercise(volume: &mut Volume, dir: u64, depth: u32) {
    let Ok(files) = volume.directory(dir) else {
        return;
    };
    let slots: Vec<(u32, String)> = files
        .list(0)
        .take(40)
        .map(|(slot, name)| (slot, name.to_owned()))
        .collect();
    for (slot, name) in slots {
        let Ok(ino) = volume.node_at(dir, slot) else {
            continue;
        };
        let _ = volume.shown(ino);
        let _ = volume.read(ino, 0, 1 << 16);
        let _ = volume.write(ino, 3000, b"written");
        let _ = volume.truncate(ino, 100);
        if depth < 4 {
            exercise(volume, ino, depth + 1);
        }
        let _ = volume.mkdir(dir, Path::new("made").as_os_str());
        let _ = volume.rename((dir, name.as_ref()), (1, "moved".as_ref()), false);
        let _ = volume.unlink(1, "moved".as_ref());
        let _ = volume.rmdir(1, "moved".as_ref());
    }
}

/// A small FAT12 file system with two directories and some files, made by this code.
fn sample() -> Vec<u8> {
    let mut image = vec![0; 256 * 512];
    image[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
    image[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 2, 32, 0, 0, 1, 0xf8, 1, 0]);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&image, 0).unwrap();
    let device = Device::new(file.try_clone().unwrap(), 0, 256 * 512).unwrap();
    let mut volume = Volume::open(device).unwrap();
    let dir = volume.mkdir(1, "dir".as_ref()).unwrap();
    let sub = volume.mkdir(dir, "A sub directory".as_ref()).unwrap();
    for (parent, name) in [(1, "ROOT.TXT"), (dir, "some file"), (sub, "x.y.z")] {
        let ino = volume.create(parent, name.as_ref()).unwrap();
        volume.write(ino, 0, &[9; 3000]).unwrap();
    }
    volume.finish().unwrap();
    file.read_exact_at(&mut image, 0).unwrap();
    image
}

#[test]
fn fuzz_fat() {
    crate::fuzz::run("fat", &[sample()], &[], |bytes| {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        let device = Device::new(file, 0, bytes.len() as u64).unwrap();
        let mut volume = Volume::open(device).map_err(|errno| errno as i32)?;
        exercise(&mut volume, 1, 0);
        let nodes = volume.nodes.len();
        Ok::<_, i32>((nodes, volume.finish().is_ok()))
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn damage_anywhere_is_survived(changes in prop::collection::vec((0usize..256 * 32, any::<u8>()), 1..30)) {
        let mut image = sample();
        for (at, byte) in changes {
            // Half of the damage goes to the tables and the root directory.
            let at = if at % 2 == 0 { at % 2560 } else { at * 16 };
            image[at] = byte;
        }
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&image, 0).unwrap();
        let device = Device::new(file, 0, 256 * 512).unwrap();
        if let Ok(mut volume) = Volume::open(device) {
            exercise(&mut volume, 1, 0);
            let _ = volume.finish();
        }
    }
}
