//! Images, hosts and stores made up, with twins found among them.

use std::{fs, path::PathBuf};

use sha2::{Digest, Sha256};

use super::{
    sources::Sources,
    testing::{Tree, elf},
    *,
};
use crate::emulation::arch::Arch;

const ARM: u16 = 183;
const PC: u16 = 62;

/// A root with dash, which needs libc alone, and coreutils, whose ls needs libselinux too.
fn tree(arch: &'static str, dash: &str) -> Tree {
    let (machine, triplet, loader) = match arch {
        "arm64" => (ARM, "aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
        _ => (PC, "x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    };
    let tree = Tree::new(arch);
    let package = |name: &str, version: &str| {
        let shared = name.starts_with("lib");
        tree.package(
            name,
            version,
            if shared { "Multi-Arch: same\n" } else { "" },
        );
    };
    let file = |package: &str, path: &str, needed: &[&str]| {
        let shared = package.starts_with("lib");
        let package = if shared {
            format!("{package}:{arch}")
        } else {
            package.to_owned()
        };
        tree.file(&package, path, &elf(machine, needed));
    };
    for (name, version) in [
        ("dash", dash),
        ("coreutils", "9.1-1"),
        ("libc6", "2.36-9"),
        ("libselinux1", "3.4-1"),
    ] {
        package(name, version);
    }
    file("dash", "usr/bin/dash", &["libc.so.6"]);
    file("coreutils", "usr/bin/ls", &["libselinux.so.1", "libc.so.6"]);
    file("coreutils", "usr/bin/uname", &["libc.so.6"]);
    for (package, name, needed) in [
        ("libc6", "libc.so.6", &[loader][..]),
        ("libc6", loader, &[]),
        ("libselinux1", "libselinux.so.1", &["libc.so.6"]),
    ] {
        file(package, &format!("usr/lib/{triplet}/{name}"), needed);
    }
    tree
}

struct Case {
    image: Tree,
    host: Tree,
    cache: tempfile::TempDir,
}

impl Case {
    fn new(host: Tree) -> Self {
        Case {
            image: tree("arm64", "0.5.12-2+b3"),
            host,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn find(&self) -> Found {
        let search = Search {
            root: &self.image.root(),
            image: Arch::Aarch64,
            host: Arch::X86_64,
            kernel: None,
            cache: self.cache.path(),
            scratch: self.cache.path(),
            fetch: false,
            report: &|_| {},
        };
        find_with(&search, &self.host.root()).unwrap()
    }
}

fn paths(found: &Found) -> Vec<&str> {
    let programs = found.programs.iter();
    programs.map(|p| p.path.to_str().unwrap()).collect()
}

#[test]
fn the_hosts_packages_of_the_same_version_are_twins() {
    let case = Case::new(tree("amd64", "0.5.12-2+b8"));
    let found = case.find();
    assert_eq!(found.missing, []);
    assert_eq!(paths(&found), ["usr/bin/dash", "usr/bin/ls"]);
    let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
    let names: Vec<_> = found.libraries.iter().map(name).collect();
    assert_eq!(
        names,
        ["ld-linux-x86-64.so.2", "libc.so.6", "libselinux.so.1"]
    );
    let folder = case.host.path("usr/lib/x86_64-linux-gnu");
    assert_eq!(found.loader, folder.join("ld-linux-x86-64.so.2"));
    assert_eq!((found.missing, found.nss_missing), (vec![], false));
}

#[test]
fn what_was_changed_in_the_image_has_no_twin() {
    let case = Case::new(tree("amd64", "0.5.12-2"));
    fs::write(case.image.path("usr/bin/ls"), elf(ARM, &[])).unwrap();
    assert_eq!(paths(&case.find()), ["usr/bin/dash"]);
    let local = case.image.path("usr/local/lib");
    fs::create_dir_all(&local).unwrap();
    fs::write(local.join("libc.so.6"), "").unwrap();
    let found = case.find();
    assert!(found.programs.is_empty());
    assert_eq!(
        found.missing[0].why,
        "the image's libc.so.6 is not that of libc6"
    );
}

#[test]
fn without_its_library_a_program_has_no_twin() {
    let case = Case::new(tree("amd64", "0.5.12-1"));
    fs::remove_file(case.host.path("usr/lib/x86_64-linux-gnu/libselinux.so.1")).unwrap();
    let found = case.find();
    assert!(found.programs.is_empty());
    let missing: Vec<_> = found.missing.iter().map(|m| m.package.as_str()).collect();
    assert_eq!(missing, ["coreutils", "dash"]);
    assert!(
        found.missing[1]
            .why
            .contains("no dash 0.5.12-2+b3 for amd64")
    );
}

#[test]
fn what_the_same_sources_gave_is_used_offline() {
    let case = Case::new(tree("amd64", "0.5.11-1"));
    let deb = deb::testing::deb(&[("./usr/bin/dash", &elf(PC, &["libc.so.6"]))], &[]);
    let file = case.cache.path().join("deb");
    let sum = crate::hex::hex(&Sha256::digest(&deb));
    fs::write(&file, deb).unwrap();
    let store = Store::open(case.cache.path()).unwrap();
    let sums = [sum.as_str()].into();
    store
        .add(&[file], &sums, "x86_64-linux-gnu", &|_| {})
        .unwrap();
    let mut index = store::Index::default();
    index
        .debs
        .insert("dash=0.5.12-2+b3".into(), Some(sum.clone()));
    let fingerprint = Sources::read(&case.image.root()).fingerprint("amd64");
    store.set_index(&fingerprint, &index).unwrap();
    let found = case.find();
    assert_eq!(paths(&found), ["usr/bin/dash", "usr/bin/ls"]);
    assert!(found.programs[0].twin.to_str().unwrap().contains(&sum));
    // An image with another key gets nothing of it.
    let keys = case.image.path("etc/apt/trusted.gpg.d");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("other.gpg"), "key").unwrap();
    assert_eq!(paths(&case.find()), ["usr/bin/ls"]);
}

#[test]
fn a_preloaded_library_leaves_no_twins() {
    let case = Case::new(tree("amd64", "0.5.12-2"));
    fs::create_dir(case.image.path("etc")).unwrap();
    fs::write(case.image.path("etc/ld.so.preload"), "/usr/lib/libx.so\n").unwrap();
    assert!(case.find().programs.is_empty());
}

#[test]
fn name_services_that_are_missing_are_told() {
    let case = Case::new(tree("amd64", "0.5.12-2"));
    let image = &case.image;
    let module = "usr/lib/aarch64-linux-gnu/libnss_systemd.so.2";
    image.package("libnss-systemd", "252-1", "Multi-Arch: same\n");
    image.file("libnss-systemd:arm64", module, &elf(ARM, &["libc.so.6"]));
    fs::create_dir(image.path("etc")).unwrap();
    let conf = image.path("etc/nsswitch.conf");
    fs::write(
        &conf,
        "passwd: files mymachines [NOTFOUND=return] # systemd\n",
    )
    .unwrap();
    assert!(!case.find().nss_missing);
    fs::write(&conf, "passwd: files systemd\n").unwrap();
    assert!(case.find().nss_missing);
    // Of no package.
    fs::write(&conf, "passwd: files own\n").unwrap();
    assert!(!case.find().nss_missing);
    let own = image.path("usr/lib/aarch64-linux-gnu/libnss_own.so.2");
    fs::write(own, elf(ARM, &["libc.so.6"])).unwrap();
    assert!(case.find().nss_missing);
}

#[test]
fn a_loader_with_argv0_is_of_2_33_or_later() {
    for (version, has) in [
        ("2.36-9+deb12u14", true),
        ("2.33-1", true),
        ("2.31-13", false),
        ("", false),
        ("3.0", true),
    ] {
        assert_eq!(has_argv0(version), has, "{version}");
    }
}

#[test]
fn an_image_without_packages_has_no_twins() {
    let mut case = Case::new(tree("amd64", "0.5.12-2"));
    case.image = Tree::new("mips");
    assert!(case.find().programs.is_empty());
}
