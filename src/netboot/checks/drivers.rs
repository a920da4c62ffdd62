//! What the kernel must have before it has a root: drivers, and our scripts.

use std::io;

use super::{
    super::{RootOn, cpio::Archive, finding::Notes, load::Load, seen::Seen},
    modules::Modules,
};

const REBUILD: &str = "put it into the initramfs (/etc/initramfs-tools/modules, or add_drivers+= in dracut.conf.d) and make that anew";

/// `network-driver`
pub fn network(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        look_for(seen, load, load.board.drivers(), notes)?;
    }
    Ok(())
}

/// `root-driver`
pub fn root(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        match seen.wanted.root {
            RootOn::Rbd { .. } => look_for(seen, load, &["rbd", "libceph"], notes)?,
            RootOn::Nfs { .. } => {
                let version = nfs_version(&seen.cmdline(load)?.unwrap_or_default());
                look_for(seen, load, &["nfs", version], notes)?;
            }
            RootOn::Other => notes.unknown("where the root is is not known"),
        }
    }
    Ok(())
}

/// The module for the version of NFS that the kernel's command line asks for. Without a word, both initramfs-tools' and the kernel's own
/// way begin with version 3.
fn nfs_version(cmdline: &str) -> &'static str {
    let options = cmdline.split([' ', ',', ':']);
    let mut versions = options.filter_map(|option| {
        let (key, value) = option.split_once('=')?;
        ["vers", "nfsvers", "v"].contains(&key).then_some(value)
    });
    match versions.next() {
        Some(version) if version.starts_with('4') => "nfsv4",
        _ if cmdline.contains("root=nfs4:") => "nfsv4",
        _ => "nfsv3",
    }
}

/// Each of these must be in the initramfs or in the kernel, with all that it needs.
fn look_for(seen: &Seen<'_>, load: &Load, drivers: &[&str], notes: &mut Notes) -> io::Result<()> {
    let modules = Modules::of(seen, load)?;
    let board = load.board.name();
    if !load.initramfs.is_empty() && seen.archive(load).is_none() {
        notes.unknown(format!("the initramfs of {board} cannot be read"));
        return Ok(());
    }
    for driver in drivers {
        let missing = modules.missing(driver);
        if missing.is_empty() {
            let how = match modules.is_built_in(driver) {
                true => "in the kernel",
                false => "in the initramfs",
            };
            notes.fine(format!("{board}: {driver} is {how}"));
        } else if !modules.is_known && !load.initramfs.is_empty() && !modules.has(driver) {
            let saw = format!(
                "{driver} is not in the initramfs of {board}, and what its kernel has built in is not known"
            );
            notes.unknown(saw);
        } else {
            let whose = match missing[0] == *driver {
                true => String::new(),
                false => format!(", which {driver} needs"),
            };
            let (saw, place) = match load.initramfs.first() {
                Some(file) => (
                    format!(
                        "{}{whose}: neither in the initramfs nor in the kernel of {board}",
                        missing.join(", ")
                    ),
                    file.path.as_str(),
                ),
                None => (
                    format!(
                        "{} is not in the kernel of {board}, and no initramfs is loaded",
                        missing.join(", ")
                    ),
                    load.kernel.path.as_str(),
                ),
            };
            notes.fail(saw, place, REBUILD);
        }
    }
    Ok(())
}

/// `boot-scripts`
pub fn scripts(seen: &Seen<'_>, notes: &mut Notes) -> io::Result<()> {
    for load in &seen.loads {
        let Some(archive) = seen.archive(load) else {
            match load.initramfs.is_empty() && seen.is_nfs() {
                true => {
                    notes.fine("no initramfs, no scripts: the kernel mounts the root by itself")
                }
                false => notes.unknown(format!(
                    "{} has no initramfs that can be read",
                    load.board.name()
                )),
            }
            continue;
        };
        let place = &load.initramfs[0].path;
        let line = seen.cmdline(load)?.unwrap_or_default();
        // initramfs-tools reads the script that boot= names; nfsroot is that of the role nfs_root.
        let has_own = line.split_whitespace().any(|word| word == "boot=nfsroot");
        let of_nfs = if has_own {
            "scripts/nfsroot"
        } else {
            "scripts/nfs"
        };
        let scripts: &[&[&str]] = match (&seen.wanted.root, is_dracut(archive)) {
            (RootOn::Other, _) => {
                notes.unknown("where the root is is not known");
                continue;
            }
            (RootOn::Rbd { .. }, true) => &[
                &["/rbdroot-map"],
                &["map-root.sh"],
                &["etc/rbdroot.conf"],
                &["etc/rbdroot.key"],
            ],
            (RootOn::Rbd { .. }, false) => &[
                &["/rbdroot-map"],
                &["scripts/rbd"],
                &["etc/rbdroot.conf"],
                &["etc/rbdroot.key"],
            ],
            (RootOn::Nfs { .. }, true) => &[
                &["/mount.nfs", "/mount.nfs4"],
                &["/nfsroot", "nfsroot.sh", "nfsroot-cleanup.sh"],
            ],
            (RootOn::Nfs { .. }, false) => {
                &[&["/nfsmount", "/mount.nfs", "/mount.nfs4"], &[of_nfs]]
            }
        };
        for names in scripts {
            let is_one = |path: &String| names.iter().any(|name| path.ends_with(name));
            if !archive.paths.iter().any(is_one) {
                let hint = "run the role for this root (hn_root) and make the initramfs anew";
                notes.fail(
                    format!(
                        "it lacks {}",
                        names
                            .join(" or ")
                            .replace(" /", " ")
                            .trim_start_matches('/')
                    ),
                    place,
                    hint,
                );
            }
        }
        if seen.is_nfs() && !has_own && !is_dracut(archive) {
            knows_version(archive, nfs_version(&line), place, notes);
        }
        same_configuration(seen, archive, place, notes)?;
        let generator = if is_dracut(archive) {
            "dracut"
        } else {
            "initramfs-tools"
        };
        notes.fine(format!("{place}, made by {generator}, has all of them"));
    }
    Ok(())
}

/// initramfs-tools' own script mounts with klibc's nfsmount, which knows no version 4.
fn knows_version(archive: &Archive, version: &str, place: &str, notes: &mut Notes) {
    let script = archive.kept.get("scripts/nfs");
    let has_mount =
        script.is_some_and(|script| memchr::memmem::find(script, b"mount.nfs").is_some());
    if version == "nfsv4" && script.is_some() && !has_mount {
        let saw = "nfsroot= asks for version 4, and its script mounts with nfsmount, which knows none after 3";
        notes.fail(
            saw,
            place,
            "run the role nfs_root and make the initramfs anew, or write vers=3",
        );
    }
}

/// dracut leaves its library in what it makes.
pub fn is_dracut(archive: &Archive) -> bool {
    let mut paths = archive.paths.iter();
    paths.any(|path| {
        path.starts_with("lib/dracut")
            || path.starts_with("var/lib/dracut")
            || path == "etc/cmdline.d"
    })
}

/// What the initramfs knows of the block device must be what the root knows: else it was made before a change.
fn same_configuration(
    seen: &Seen<'_>,
    archive: &Archive,
    place: &str,
    notes: &mut Notes,
) -> io::Result<()> {
    let (RootOn::Rbd { .. }, Ok(root)) = (&seen.wanted.root, seen.root()) else {
        return Ok(());
    };
    for path in ["etc/rbdroot.conf", "etc/rbdroot.key"] {
        let (Some(kept), Some(text)) = (archive.kept.get(path), root.text(path)?) else {
            continue;
        };
        if *kept != text.as_bytes() {
            let saw = format!("its {path} is not that of the root");
            notes.fail(
                saw,
                place,
                "make the initramfs anew: update-initramfs -u, or dracut --force",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::nfs_version;

    #[test]
    fn the_version_of_nfs_is_that_of_the_command_line() {
        for (cmdline, module) in [
            ("root=/dev/nfs nfsroot=10.0.0.1:/srv/pi ip=dhcp", "nfsv3"),
            (
                "root=/dev/nfs nfsroot=10.0.0.1:/srv/pi,vers=4.2,tcp",
                "nfsv4",
            ),
            ("root=/dev/nfs nfsroot=10.0.0.1:/srv/pi,v=3", "nfsv3"),
            ("root=nfs4:10.0.0.1:/srv/pi", "nfsv4"),
            ("root=nfs:10.0.0.1:/srv/pi:nfsvers=4", "nfsv4"),
        ] {
            assert_eq!(nfs_version(cmdline), module, "{cmdline}");
        }
    }
}
