//! What programs rely on.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink},
    time::{Duration, Instant, UNIX_EPOCH},
};

use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    sys::{stat::Mode, statvfs::statvfs},
    unistd::mkfifoat,
};

use super::{Disk, tree};

#[test]
fn a_boot_partition_is_provisioned() {
    let disk = Disk::new(64, &["-F32", "-n", "SYSTEM-BOOT"]);
    let mounted = disk.mount();
    let root = disk.root();
    fs::write(root.join("config.txt"), "arm_64bit=1\n").unwrap();
    fs::create_dir_all(root.join("overlays/More Overlays")).unwrap();
    fs::write(root.join("overlays/More Overlays/Ärger 😀.dtbo"), "x").unwrap();
    assert_eq!(
        fs::read_to_string(root.join("CONFIG.TXT")).unwrap(),
        "arm_64bit=1\n"
    );
    assert!(root.join("OVERLAYS/more overlays/ÄRGER 😀.DTBO").exists());
    assert_eq!(
        fs::read_dir(root.join("overlays/MOREOV~1"))
            .unwrap()
            .count(),
        1
    );
    // What a package manager does: write beside, sync, rename over.
    let mut new = File::create(root.join("config.txt.dpkg-new")).unwrap();
    new.write_all(b"kernel=vmlinuz\n").unwrap();
    new.sync_all().unwrap();
    fs::rename(root.join("config.txt.dpkg-new"), root.join("config.txt")).unwrap();
    let mut log = OpenOptions::new()
        .append(true)
        .open(root.join("config.txt"))
        .unwrap();
    log.write_all(b"more\n").unwrap();
    assert_eq!(
        fs::read_to_string(root.join("config.txt")).unwrap(),
        "kernel=vmlinuz\nmore\n"
    );
    let before = tree(&root);
    drop((new, log));
    mounted.close().unwrap();
    disk.check();
    let mounted = disk.mount();
    assert_eq!(tree(&root), before);
    mounted.close().unwrap();
}

#[test]
fn a_mount_without_a_change_changes_nothing() {
    for args in [["-F12", "-s1"], ["-F16", "-s2"], ["-F32", "-s1"]] {
        let mib = if args[0] == "-F12" { 2 } else { 40 };
        let disk = Disk::new(mib, &args);
        let before = disk.bytes();
        let mounted = disk.mount();
        assert!(tree(&disk.root()).is_empty());
        let stat = statvfs(&disk.root()).unwrap();
        assert!(stat.blocks_free() > 0 && stat.blocks_free() <= stat.blocks());
        mounted.close().unwrap();
        assert!(disk.bytes() == before, "{args:?}");
    }
}

#[test]
fn an_open_file_outlives_its_name() {
    let disk = Disk::new(8, &["-F12"]);
    let mounted = disk.mount();
    let path = disk.root().join("module.py");
    let free = || statvfs(&disk.root()).unwrap().blocks_free();
    let empty = free();
    fs::write(&path, vec![7; 100_000]).unwrap();
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "other").unwrap();
    file.write_all_at(b"still", 100_000).unwrap();
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(99_999)).unwrap();
    file.read_to_end(&mut content).unwrap();
    assert_eq!(content, b"\x07still");
    assert_eq!(file.metadata().unwrap().len(), 100_005);
    let replaced = File::open(&path).unwrap();
    fs::write(disk.root().join("new"), "newer").unwrap();
    fs::rename(disk.root().join("new"), &path).unwrap();
    let mut old = String::new();
    (&replaced).read_to_string(&mut old).unwrap();
    assert_eq!(
        (old.as_str(), fs::read_to_string(&path).unwrap().as_str()),
        ("other", "newer")
    );
    drop((file, replaced));
    fs::remove_file(&path).unwrap();
    // The kernel tells of a close some time after it.
    let end = Instant::now() + Duration::from_secs(60);
    while free() != empty && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(free(), empty);
    mounted.close().unwrap();
    disk.check();
}

#[test]
fn what_fat_cannot_hold_is_refused_as_by_the_kernel() {
    let disk = Disk::new(8, &["-F12"]);
    let mounted = disk.mount();
    let root = disk.root();
    let file = root.join("a");
    fs::write(&file, "a").unwrap();
    let denied = |result: std::io::Result<()>| {
        assert_eq!(
            result.unwrap_err().raw_os_error(),
            Some(Errno::EPERM as i32)
        );
    };
    denied(symlink("a", root.join("b")));
    denied(fs::hard_link(&file, root.join("b")));
    let fifo = mkfifoat(AT_FDCWD, &root.join("b"), Mode::S_IRWXU);
    assert_eq!(fifo, Err(Errno::EPERM));
    denied(chown(&file, Some(1000), None));
    denied(chown(&file, None, Some(33)));
    chown(&file, Some(0), Some(0)).unwrap();
    let chmod = |mode| fs::set_permissions(&file, Permissions::from_mode(mode));
    let mode = || fs::metadata(&file).unwrap().mode() & 0o7777;
    denied(chmod(0o4755));
    for (set, shown) in [
        (0o644, 0o755),
        (0o600, 0o755),
        (0o777, 0o755),
        (0o555, 0o555),
        (0o755, 0o755),
    ] {
        chmod(set).unwrap();
        assert_eq!(mode(), shown, "{set:o}");
    }
    for (name, kind) in [
        ("a:b", ErrorKind::InvalidInput),
        ("a\\b", ErrorKind::InvalidInput),
    ] {
        assert_eq!(fs::write(root.join(name), "").unwrap_err().kind(), kind);
    }
    let long = fs::write(root.join("n".repeat(256)), "").unwrap_err();
    assert_eq!(long.raw_os_error(), Some(Errno::ENAMETOOLONG as i32));
    fs::write(root.join("n".repeat(255)), "").unwrap();
    assert_eq!(
        fs::remove_dir(&file).unwrap_err().kind(),
        ErrorKind::NotADirectory
    );
    fs::create_dir(root.join("d")).unwrap();
    assert_eq!(
        fs::create_dir(root.join("D")).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    fs::write(root.join("d/x"), "").unwrap();
    assert_eq!(
        fs::remove_dir(root.join("d")).unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    let noreplace = |from: &str, to: &str| {
        renameat2(
            AT_FDCWD,
            &root.join(from),
            AT_FDCWD,
            &root.join(to),
            RenameFlags::RENAME_NOREPLACE,
        )
    };
    assert_eq!(noreplace("a", "d/X"), Err(Errno::EEXIST));
    assert_eq!(noreplace("a", "d/y"), Ok(()));
    mounted.close().unwrap();
    disk.check();
}

#[test]
fn times_are_kept_to_two_seconds() {
    let disk = Disk::new(8, &["-F12"]);
    let mounted = disk.mount();
    let path = disk.root().join("a");
    let file = File::create(&path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_001))
        .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mtime(), 1_700_000_000);
    drop(file);
    mounted.close().unwrap();
    let mounted = disk.mount();
    assert_eq!(fs::metadata(&path).unwrap().mtime(), 1_700_000_000);
    mounted.close().unwrap();
}

#[test]
fn a_full_disk_is_reported_and_survived() {
    let disk = Disk::new(2, &["-F12"]);
    let mounted = disk.mount();
    let root = disk.root();
    fs::write(root.join("kept"), vec![1; 500_000]).unwrap();
    let error = fs::write(root.join("big"), vec![2; 4_000_000]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    let sparse = OpenOptions::new()
        .write(true)
        .open(root.join("kept"))
        .unwrap();
    assert_eq!(
        sparse.set_len(5_000_000).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(
        sparse.set_len(1 << 33).unwrap_err().raw_os_error(),
        Some(Errno::EFBIG as i32)
    );
    assert_eq!(fs::read(root.join("kept")).unwrap(), vec![1; 500_000]);
    fs::remove_file(root.join("big")).unwrap();
    // The root directory of FAT12 cannot grow: 512 entries, two for each of these.
    let made =
        (0..600).take_while(|i| fs::write(root.join(format!("file number {i}")), "").is_ok());
    assert!((150..512).contains(&made.count()));
    drop(sparse);
    mounted.close().unwrap();
    disk.check();
}

#[test]
fn what_was_deleted_is_gone_from_the_image() {
    let disk = Disk::new(40, &["-F32", "-s4"]);
    let mounted = disk.mount();
    let root = disk.root();
    let secret = b"AQBSdFhcAAAAABAAciRkcetTheSecret".repeat(3000);
    fs::write(root.join("ceph.key"), &secret).unwrap();
    fs::write(root.join("short"), &secret).unwrap();
    fs::write(root.join("kept"), "kept").unwrap();
    File::open(root.join("kept")).unwrap().sync_all().unwrap();
    fs::remove_file(root.join("ceph.key")).unwrap();
    OpenOptions::new()
        .write(true)
        .open(root.join("short"))
        .unwrap()
        .set_len(5)
        .unwrap();
    // Parts of new clusters behind the end of a file must not show old content either.
    fs::write(root.join("other"), "x").unwrap();
    mounted.zero_free().unwrap();
    mounted.close().unwrap();
    disk.check();
    let bytes = disk.bytes();
    assert!(!bytes.windows(16).any(|window| window == &secret[8..24]));
    assert!(bytes.windows(4).any(|window| window == b"kept"));
}

#[test]
fn closing_while_in_use_is_an_error_with_a_sound_image() {
    let disk = Disk::new(8, &["-F12"]);
    let mounted = disk.mount();
    let mut file = File::create(disk.root().join("a")).unwrap();
    file.write_all(b"text").unwrap();
    let error = mounted.close().unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Teardown);
    assert!(file.write_all(b"more").is_err());
    disk.check();
}

#[test]
fn an_initrd_and_hundreds_of_small_files() {
    let disk = Disk::new(256, &["-F32"]);
    let mounted = disk.mount();
    let path = disk.root().join("initrd.img");
    let block: Vec<u8> = (0..128 << 10).map(|i| (i % 251) as u8).collect();
    let mut file = File::create(&path).unwrap();
    for _ in 0..240 {
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
    assert_eq!(fs::read(&path).unwrap(), block.repeat(240));
    let overlays = disk.root().join("overlays");
    fs::create_dir(&overlays).unwrap();
    let name = |i| overlays.join(format!("overlay-{i}.dtbo"));
    for i in 0..500 {
        fs::write(name(i), &block[i..2000]).unwrap();
    }
    for i in 0..500 {
        assert!(fs::read(name(i)).unwrap() == block[i..2000], "overlay {i}");
    }
    drop(file);
    mounted.close().unwrap();
    disk.check();
}
