//! `pichroot publish`: trees for TFTP and NFS, seen from outside.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    case::{Case, in_private_mounts, play, quoted},
    images::{self, MIB, Part, Root},
    support::{self, run},
};

/// A Pi that boots from the network, with its root on NFS.
const MACHINE: &str =
    "hn_hostname=mypi hn_host_id=10000000abcdef12 hn_root=nfs hn_nfs_server=192.0.2.5";

/// A FAT with these files.
fn boot(files: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = images::fat(2, "system-boot");
    {
        let disk = std::io::Cursor::new(&mut bytes[..]);
        let fs = fatfs::FileSystem::new(disk, fatfs::FsOptions::new()).unwrap();
        for (path, text) in files {
            if let Some((folder, _)) = path.rsplit_once('/') {
                fs.root_dir().create_dir(folder).unwrap();
            }
            let mut file = fs.root_dir().create_file(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }
    bytes
}

/// An image of a Pi; `text` is in a file of its root and one of its boot files.
fn image(path: &Path, text: &str) {
    image_with(path, text, text);
}

/// An image of a Pi, with a text in its root and another one in its boot files.
fn image_with(path: &Path, text: &str, of_kernel: &str) {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().join("root");
    let files = [
        (
            "/etc/fstab",
            "LABEL=system-boot /boot/firmware vfat umask=0077 0 0\n",
        ),
        ("/text", text),
        ("/mask", "x"),
    ];
    let with = Root {
        files: &files,
        ..Root::default()
    };
    images::tree(&top, &with);
    fs::create_dir(top.join("boot/firmware")).unwrap();
    fs::hard_link(top.join("text"), top.join("etc/same")).unwrap();
    fs::set_permissions(top.join("mask"), fs::Permissions::from_mode(0o4750)).unwrap();
    std::os::unix::fs::chown(top.join("text"), Some(1234), Some(5678)).unwrap();
    let set = "import os, sys; os.setxattr(sys.argv[1], 'user.kept', b'yes')";
    run(Command::new("python3")
        .args(["-c", set])
        .arg(top.join("text")));
    fs::File::create(top.join("sparse"))
        .unwrap()
        .set_len(MIB)
        .unwrap();
    let kernel = format!("kernel {of_kernel}");
    let boot = boot(&[
        (
            "config.txt",
            "kernel=vmlinuz\n[pi3]\nkernel=other\n[all]\ninitramfs initrd.img followkernel\n",
        ),
        (
            "cmdline.txt",
            "console=serial0,115200 root=/dev/nfs ip=dhcp\n",
        ),
        ("initrd.img", "initramfs"),
        ("vmlinuz", &kernel),
        ("overlays/one.dtbo", "one"),
    ]);
    let root = images::ext4(&top, 24, &with, dir.path());
    images::disk(
        path,
        "dos",
        &[Part::new("c", 2, boot), Part::new("83", 24, root)],
    );
}

/// A folder with an image and the folders of two servers.
fn case() -> Case {
    let case = Case::new();
    for folder in ["tftp", "nfs"] {
        fs::create_dir(case.path(folder)).unwrap();
    }
    image(&case.path("x.img"), "one");
    case
}

/// `pichroot publish x.img` to both, without the checks, which are others' business.
fn publish(case: &Case, more: &[&str]) -> Command {
    let mut command = case.pichroot(["publish", "x.img", "-e", MACHINE, "--checksum", "none"]);
    command
        .args(["--tftp", "tftp", "--nfs-root", "nfs", "--no-check", "all"])
        .args(more);
    command
}

fn text(case: &Case, path: &str) -> String {
    fs::read_to_string(case.path(path)).unwrap()
}

/// Both generations that are served, by the text in them; a tree has all of its files.
fn served(case: &Case) -> [String; 2] {
    let kernel = text(case, "tftp/abcdef12/vmlinuz");
    assert_eq!(text(case, "tftp/abcdef12/overlays/one.dtbo"), "one");
    assert!(case.path("nfs/mypi/bin/busybox").metadata().unwrap().len() > 0);
    [
        kernel.trim_start_matches("kernel ").to_owned(),
        text(case, "nfs/mypi/text"),
    ]
}

/// What is beside the trees, but for locks.
fn beside(case: &Case) -> Vec<String> {
    let mut names = Vec::new();
    for state in ["tftp/.pichroot/abcdef12", "nfs/.pichroot/mypi"] {
        for entry in fs::read_dir(case.path(state)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name != "lock" {
                names.push(format!("{}/{name}", &state[..4]));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn the_files_of_both_file_systems_as_they_are() {
    let case = case();
    let before = fs::read(case.path("x.img")).unwrap();
    let said = case.works(&mut publish(&case, &["--write-configuration", "conf"]));
    assert!(
        said.contains("tftp/abcdef12 mypi(rw,sync,no_subtree_check,no_root_squash)"),
        "{said}"
    );
    assert!(text(&case, "conf/exports").contains("nfs/mypi mypi("));
    assert!(
        before == fs::read(case.path("x.img")).unwrap(),
        "the image has changed"
    );

    // The TFTP server is nobody's, whatever the image's fstab hides.
    for (name, mode) in [
        ("", 0o755),
        ("/vmlinuz", 0o444),
        ("/overlays", 0o755),
        ("/overlays/one.dtbo", 0o444),
    ] {
        let meta = case
            .path(&format!("tftp/abcdef12{name}"))
            .metadata()
            .unwrap();
        assert_eq!(meta.mode() & mode, mode, "{name}");
    }
    let root = case.path("nfs/mypi");
    let [of_text, of_mask, sparse] =
        ["text", "mask", "sparse"].map(|name| root.join(name).metadata().unwrap());
    assert_eq!(
        (of_text.uid(), of_text.gid(), of_text.nlink()),
        (1234, 5678, 2)
    );
    assert_eq!(
        of_text.ino(),
        root.join("etc/same").metadata().unwrap().ino()
    );
    assert_eq!(of_mask.mode() & 0o7777, 0o4750);
    assert_eq!((sparse.len(), sparse.blocks()), (MIB, 0));
    let get = "import os, sys; sys.stdout.write(os.getxattr(sys.argv[1], 'user.kept').decode())";
    let kept = run(Command::new("python3")
        .args(["-c", get])
        .arg(root.join("text")));
    assert_eq!(kept, "yes");
    assert_eq!(fs::read_dir(root.join("boot/firmware")).unwrap().count(), 0);
    case.unchanged();
}

/// By the reader that `make netboot-test` has U-Boot's orders from.
#[test]
fn the_tree_is_one_that_can_be_booted_from() {
    let case = case();
    case.works(&mut publish(&case, &[]));
    let read = "import firmware, pathlib; print(firmware.script(pathlib.Path('tftp'), 'abcdef12'))";
    let script = run(Command::new("python3")
        .current_dir(case.folder())
        .env("PYTHONPATH", support::checkout().join("tests/netboot"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["-c", read]));
    for line in [
        "tftpboot ${kernel_addr_r} abcdef12/vmlinuz",
        "tftpboot ${ramdisk_addr_r} abcdef12/initrd.img",
        "setenv bootargs 'console=ttyAMA0,115200 root=/dev/nfs ip=dhcp'",
    ] {
        assert!(
            script.lines().any(|other| other == line),
            "{line}: {script}"
        );
    }
}

#[test]
fn generations_are_kept_and_come_back() {
    let case = case();
    case.works(&mut publish(&case, &[]));
    let inode = |path: &str| case.path(path).metadata().unwrap().ino();
    let first = inode("tftp/abcdef12");
    // Nothing is written where nothing has changed.
    let same = case.run(&mut publish(&case, &[]));
    assert!(
        same.stderr.matches("is as it was, generation 1").count() == 2,
        "{same:?}"
    );
    assert_eq!(inode("tftp/abcdef12"), first);
    assert_eq!(beside(&case), ["nfs//1.json", "tftp/1.json"]);

    image(&case.path("x.img"), "two");
    case.works(&mut publish(&case, &[]));
    assert_eq!(served(&case), ["two", "two"]);
    let mut back = case.pichroot(["publish", "--rollback", "-e", MACHINE]);
    back.args(["--tftp", "tftp", "--nfs-root", "nfs"]);
    case.works(&mut back);
    assert_eq!(served(&case), ["one", "one"]);
    image(&case.path("x.img"), "three");
    case.works(&mut publish(&case, &["--keep", "0"]));
    assert_eq!(beside(&case), ["nfs//3.json", "tftp/3.json"]);
    case.refused(&mut back, 2, &["no generation of", "is kept"], "keep");
}

/// So a rollback never leaves a kernel of one generation with the modules of another.
#[test]
fn parts_of_an_image_are_of_one_generation() {
    let case = case();
    case.works(&mut publish(&case, &[]));
    image(&case.path("x.img"), "two");
    case.works(&mut publish(&case, &[]));
    image_with(&case.path("x.img"), "three", "two");
    case.works(&mut publish(&case, &[]));
    assert_eq!(served(&case), ["two", "three"]);
    let mut back = case.pichroot(["publish", "--rollback", "-e", MACHINE]);
    back.args(["--tftp", "tftp", "--nfs-root", "nfs"]);
    case.works(&mut back);
    assert_eq!(served(&case), ["two", "two"]);
    // All of it comes back, or nothing.
    fs::remove_dir_all(case.path("tftp/.pichroot/abcdef12/3")).unwrap();
    let ended = case.run(&mut back);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for part in ["no generation of", "tftp/abcdef12"] {
        assert!(ended.stderr.contains(part), "{ended:?}");
    }
    assert_eq!(served(&case), ["two", "two"]);
}

#[test]
fn nothing_of_others_is_replaced() {
    let case = case();
    fs::create_dir(case.path("tftp/abcdef12")).unwrap();
    case.file("tftp/abcdef12/theirs", "theirs");
    case.refused(
        &mut publish(&case, &[]),
        2,
        &["tftp/abcdef12", "pichroot has not made it"],
        "--force",
    );
    case.works(&mut publish(&case, &["--force"]));
    assert_eq!(served(&case), ["one", "one"]);
    assert_eq!(text(&case, "tftp/.pichroot/abcdef12/1/theirs"), "theirs");

    // A new kernel that the Pi has put there over NFS.
    case.file("tftp/abcdef12/vmlinuz", "newer");
    image(&case.path("x.img"), "two");
    let refused = case.run(&mut publish(&case, &[]));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("was changed since it was published: vmlinuz"),
        "{refused:?}"
    );
    assert_eq!(text(&case, "tftp/abcdef12/vmlinuz"), "newer");
    assert_eq!(text(&case, "nfs/mypi/text"), "one");
    case.works(&mut publish(&case, &["--force"]));
    assert_eq!(served(&case), ["two", "two"]);
}

#[test]
fn what_is_wrong_is_told_before_anything_is_done() {
    let case = case();
    let publish = |more: &[&str]| {
        let mut command = case.pichroot(["publish", "x.img", "--checksum", "none"]);
        command.args(more);
        command
    };
    let to = ["--tftp", "tftp"];
    let with = |variables: &'static str| publish(&[&to[..], &["-e", variables]].concat());
    for (mut command, error, hint) in [
        (publish(&to), "which machine", "hn_hostname=NAME"),
        (publish(&["-e", MACHINE]), "nothing says where", "--tftp"),
        (
            with("hn_hostname=mypi"),
            "serial number of mypi is not known",
            "hn_host_id",
        ),
        (
            with("hn_hostname=mypi hn_host_id=../../etc"),
            "no serial number",
            "eight digits",
        ),
        (
            with("hn_hostname=mypi hn_host_id=ABCDEF12"),
            "no serial number",
            "a to f",
        ),
        (
            with("hn_hostname=mypi hn_netboot=false"),
            "does not boot from the network",
            "pichroot flash",
        ),
        (
            with("hn_hostname=mypi hn_host_id=abcdef12 hn_root=iscsi"),
            "hn_root is iscsi",
            "rbd or nfs",
        ),
        (
            publish(&["-e", MACHINE, "--tftp", "none"]),
            "there is no folder",
            "make it",
        ),
        (
            publish(&["-e", MACHINE, "--rbd", "mypi"]),
            "does not name an image",
            "POOL/IMAGE",
        ),
        (
            publish(&["-e", MACHINE, "--tftp", "tftp", "--no-check", "kernle"]),
            "kernle",
            "kernel",
        ),
    ] {
        case.refused(&mut command, 2, &[error], hint);
    }
    let mut command = publish(&["-e", "hn_hostname=mypi", "--rbd", "pool/mypi"]);
    command.env("PATH", "/usr/sbin:/sbin");
    if !Path::new("/usr/sbin/rbd").exists() {
        case.refused(&mut command, 3, &["rbd is not installed"], "ceph-common");
    }
    // Without the files that the Pi's firmware boots from.
    images::tiny(&case.path("x.img"));
    let ended = case.run(&mut publish(&[
        "-e",
        MACHINE,
        "--tftp",
        "tftp",
        "--no-check",
        "all",
    ]));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("no files that a Raspberry Pi boots from"),
        "{ended:?}"
    );
}

#[test]
fn an_image_that_would_not_boot_is_not_published() {
    let case = case();
    let mut command = case.pichroot(["publish", "x.img", "-e", MACHINE, "--checksum", "none"]);
    command.args(["--tftp", "tftp"]);
    let ended = case.run(&mut command);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    for part in [
        "warning: netboot check firmware: ",
        "would not boot from this",
        "--no-check NAME",
    ] {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in {}",
            ended.stderr
        );
    }
    assert!(!case.path("tftp/abcdef12").exists());
    let ended = case.run(command.arg("--check"));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.stderr.contains("==> netboot check directory-name: "),
        "{ended:?}"
    );
    case.unchanged();
}

#[test]
fn the_variables_come_from_the_inventory() {
    let case = case();
    case.file(
        "hosts.yml",
        "all:\n  hosts:\n    mypi:\n      hn_host_id: abcdef12\n    other:\n  vars:\n    hn_root: nfs\n    hn_nfs_server: 192.0.2.5\n",
    );
    case.file(
        "pichroot.yml",
        "publish: {tftp: tftp, nfs_root: nfs}\nimage: {output: x.img}\n",
    );
    let mut command = case.pichroot(["publish", "-i", "hosts.yml", "--no-check", "all"]);
    command.env("PATH", support_path());
    case.refused(&mut command, 2, &["2 machines"], "-l NAME");
    case.works(command.args(["-l", "mypi"]));
    assert_eq!(served(&case), ["one", "one"]);
}

/// PATH, with the Ansible that tests are run with.
fn support_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap()
}

#[test]
fn a_full_or_read_only_disk_leaves_what_is_served() {
    let case = case();
    let mount = |options: &str| {
        let at = case.path("tftp");
        format!("mount -t tmpfs -o {options} tmpfs {}", quoted(&at))
    };
    let mut command = publish(&case, &["--force"]);
    for (setup, error, hint) in [
        (mount("size=16k"), "No space left", "free some space"),
        (
            format!(
                "{}; mount -o remount,ro {}",
                mount("size=1m"),
                quoted(&case.path("tftp"))
            ),
            "Read-only",
            "read-only here",
        ),
    ] {
        let ended = case.run(&mut in_private_mounts(&setup, &command));
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(
            ended.stderr.contains(error) && ended.stderr.contains(hint),
            "{ended:?}"
        );
    }
    // The other tree is not served either.
    assert!(!case.path("nfs/mypi").exists());
    case.works(&mut command);
    assert_eq!(served(&case), ["one", "one"]);
}

/// How often a publish is killed: more by `make kills`.
fn kills() -> u32 {
    std::env::var_os("PICHROOT_TEST_KILLS").map_or(10, |_| 50)
}

/// Killed at any moment, either generation is served whole, and the next publish leaves nothing of the killed one.
#[test]
fn a_publish_that_is_killed_leaves_one_generation_served() {
    let case = case();
    case.works(&mut publish(&case, &[]));
    let images: Vec<PathBuf> = ["two", "three"]
        .map(|name| case.path(&format!("{name}.img")))
        .into();
    image(&images[0], "two");
    image(&images[1], "three");
    let started = Instant::now();
    fs::copy(&images[0], case.path("x.img")).unwrap();
    case.works(&mut publish(&case, &[]));
    let whole = started.elapsed();
    let turns = kills();
    for turn in 0..turns {
        fs::copy(&images[(turn as usize + 1) % 2], case.path("x.img")).unwrap();
        let mut child = publish(&case, &[]).spawn().unwrap();
        // The later part, where trees are made and exchanged, is of more interest.
        sleep(whole.mul_f64(0.3 + 0.8 * f64::from(turn) / f64::from(turns)));
        child.kill().unwrap();
        child.wait().unwrap();
        let texts = served(&case);
        assert!(
            texts.iter().all(|text| ["two", "three"].contains(&&**text)),
            "{texts:?}"
        );
    }
    sleep(Duration::from_millis(500));
    fs::copy(&images[0], case.path("x.img")).unwrap();
    case.works(&mut publish(&case, &[]));
    image(&case.path("x.img"), "last");
    case.works(&mut publish(&case, &[]));
    assert_eq!(served(&case), ["last", "last"]);
    let beside = beside(&case);
    let trees = beside.iter().filter(|name| !name.ends_with(".json"));
    assert_eq!((beside.len(), trees.count()), (6, 2), "{beside:?}");
    case.unchanged();
}

/// The playbook for servers that are elsewhere makes the same, by the same generations.
#[test]
fn over_ssh_by_plain_ansible() {
    let case = case();
    case.file(
        "hosts.ini",
        "mypi hn_host_id=10000000abcdef12\nboot_server ansible_connection=local\n",
    );
    let playbook = support::checkout().join("playbooks/publish-netboot.yml");
    let archive = || {
        let _ = fs::remove_file(case.path("mypi.tar.gz"));
        let made = [
            "--image",
            "x.img",
            "--checksum",
            "none",
            "-e",
            "hn_hostname=mypi",
            "-o",
            "mypi.tar.gz",
        ];
        case.works(&mut case.ansible(&made));
    };
    let over = |more: &[&str]| {
        let mut command = Command::new("ansible-playbook");
        let folders = format!(
            "publish_tftp={} publish_nfs_root={}",
            quoted(&case.path("tftp")),
            quoted(&case.path("nfs"))
        );
        command
            .current_dir(case.folder())
            .args([
                "-i",
                "hosts.ini",
                "-e",
                "publish_machine=mypi",
                "-e",
                &folders,
            ])
            .args([
                "-e",
                "ansible_become=false ansible_python_interpreter=/usr/bin/python3",
            ])
            .arg(&playbook)
            .args(more);
        case.run(&mut command)
    };
    archive();
    let first = over(&[]);
    assert!(
        first.code == Some(0) && first.stdout.contains("changed=2"),
        "{first:?}"
    );
    assert_eq!(served(&case), ["one", "one"]);
    let again = over(&[]);
    assert!(
        again.code == Some(0) && again.stdout.contains("changed=0"),
        "{again:?}"
    );
    for (path, mode) in [("tftp/abcdef12/vmlinuz", 0o444), ("nfs/mypi/mask", 0o4750)] {
        assert_eq!(
            case.path(path).metadata().unwrap().mode() & mode,
            mode,
            "{path}"
        );
    }
    assert_eq!(
        fs::read_dir(case.path("nfs/mypi/boot/firmware"))
            .unwrap()
            .count(),
        0
    );
    image(&case.path("x.img"), "two");
    archive();
    assert_eq!(over(&[]).code, Some(0));
    assert_eq!(served(&case), ["two", "two"]);

    // pichroot itself knows these generations, and the playbook those of pichroot.
    let mut back = case.pichroot(["publish", "--rollback", "-e", MACHINE]);
    case.works(back.args(["--tftp", "tftp", "--nfs-root", "nfs"]));
    assert_eq!(served(&case), ["one", "one"]);
    image(&case.path("x.img"), "three");
    case.works(&mut publish(&case, &[]));
    assert_eq!(served(&case), ["three", "three"]);
    archive();
    assert_eq!(over(&[]).code, Some(0));
    assert_eq!(beside(&case).len(), 6);

    fs::remove_dir_all(case.path("tftp/.pichroot")).unwrap();
    let foreign = over(&[]);
    assert!(
        foreign.code == Some(2) && foreign.stdout.contains("pichroot has not made it"),
        "{foreign:?}"
    );
    let forced = over(&["-e", "publish_force=true"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
}

#[test]
fn a_run_publishes_what_it_has_made() {
    let case = case();
    case.file(
        "pichroot.yml",
        "image: {output: mypi.img}\npublish: {tftp: tftp, nfs_root: nfs}\n",
    );
    case.file("play.yml", play("echo made > /text"));
    let run = |more: &[&str]| {
        let mut command = case.ansible(&["--image", "x.img", "--checksum", "none", "-e", MACHINE]);
        command.args(["--publish", "--force"]).args(more);
        command
    };
    // The checks find that it would not boot; the image is there all the same.
    let ended = case.run(&mut run(&[]));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(
        ended.stderr.contains("would not boot from this"),
        "{ended:?}"
    );
    assert!(case.path("mypi.img").exists() && !case.path("nfs/mypi").exists());
    let sums = fs::read(case.path("mypi.img")).unwrap();
    case.works(&mut publish_made(&case));
    assert_eq!(text(&case, "nfs/mypi/text"), "made\n");
    assert!(
        sums == fs::read(case.path("mypi.img")).unwrap(),
        "publishing has changed the image"
    );
    // What must not be replaced is known before the playbook runs.
    fs::remove_dir_all(case.path("nfs/.pichroot")).unwrap();
    let ended = case.run(&mut run(&[]));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(!ended.stdout.contains("PLAY"), "{ended:?}");
}

/// `pichroot publish`, of the image that pichroot.yml names.
fn publish_made(case: &Case) -> Command {
    let mut command = case.pichroot(["publish", "-e", MACHINE, "--checksum", "none"]);
    command.args(["--no-check", "all"]);
    command
}
