//! Which partition is mounted where: decided from the table, the file systems and the image's fstab.
//!
//! Pure decisions. Which candidate really holds the root is told by its content, so by the stage.

pub mod boot;
mod device;
mod given;

use std::{
    cmp::Reverse,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    fstab::{self, Entry, Spec},
    names::split,
    partition::PartitionType,
    probe::FsKind,
    volume::Volume,
};
use crate::error::{Error, Result};

pub use given::{Entry as GivenEntry, Given, explicit};

/// One mount of the layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The number of the partition. Two mounts share one only with btrfs, and then its device too.
    pub partition: u32,
    /// The mount point: an absolute path in the image, without `.` and `..`.
    pub at: PathBuf,
    /// The file system.
    pub kind: FsKind,
    /// The options of the fstab that decide which files appear there or how they are stored
    /// (`subvol=`, `subvolid=`, `compress=`). Everything else is the builder's choice.
    pub options: Vec<String>,
    /// The line of the fstab that asks for it, if one does.
    pub line: Option<usize>,
    /// Whether a system boots without it (`nofail`).
    pub may_fail: bool,
}

/// An entry of the fstab that is not mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its line in the fstab.
    pub line: usize,
    /// What it would mount, as written.
    pub source: String,
    /// Where it would mount it, as written.
    pub at: String,
    /// Why it is not mounted.
    pub reason: String,
    /// The partition of this image that it means, if it means one.
    pub partition: Option<u32>,
    /// Whether the user should be told: it is about a partition that may be missed.
    pub warn: bool,
}

/// The mounts, parents before children, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The mounts, `/` first.
    pub mounts: Vec<Mount>,
    /// The entries of the fstab that are not mounted.
    pub skipped: Vec<Skipped>,
}

/// The GPT types for a root file system (Discoverable Partitions Specification): arm64, arm, x86-64,
/// riscv64, and "Linux filesystem data".
const ROOT_TYPES: [&str; 5] = [
    "b921b045-1df0-41c3-af44-4c6f280d3fae",
    "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
    "0fc63daf-8483-4772-8e79-3d69d8477de4",
];

/// The numbers of the partitions that may hold the root, the likeliest first.
pub fn root_candidates(volumes: &[Volume]) -> Vec<u32> {
    let mut found: Vec<&Volume> = volumes
        .iter()
        .filter(|volume| volume.fs.as_ref().is_some_and(|fs| fs.kind.can_be_root()))
        .collect();
    found.sort_by_key(|volume| {
        (
            named_root(volume),
            root_type(volume),
            Reverse(volume.partition.size),
            volume.partition.number,
        )
    });
    found.iter().map(|volume| volume.partition.number).collect()
}

/// 0 where a label says it is the root, such as Ubuntu's `writable`, `rootfs` and `armbi_root`.
fn named_root(volume: &Volume) -> u8 {
    let label = volume.fs.as_ref().and_then(|fs| fs.label.as_deref());
    let named = [label, volume.partition.name.as_deref()]
        .into_iter()
        .flatten()
        .any(|name| {
            let name = name.to_ascii_lowercase();
            name == "writable" || name.contains("root")
        });
    u8::from(!named)
}

/// The place of a gpt partition's type in [`ROOT_TYPES`]; a dos type says nothing.
fn root_type(volume: &Volume) -> usize {
    match &volume.partition.type_ {
        PartitionType::Dos(_) => 0,
        PartitionType::Gpt(guid) => {
            let place = ROOT_TYPES.iter().position(|known| known == guid);
            place.map_or(2, |place| usize::from(place == ROOT_TYPES.len() - 1))
        }
    }
}

/// The layout that the image's own fstab asks for, with its root on partition `root`.
///
/// # Errors
///
/// [`Kind::Image`](crate::error::Kind::Image) where `root` is no partition that can be mounted.
pub fn from_fstab(volumes: &[Volume], root: u32, fstab: &str) -> Result<Layout> {
    let root_volume = volumes
        .iter()
        .find(|volume| volume.partition.number == root);
    let Some(kind) = root_volume.and_then(Volume::mountable) else {
        return Err(Error::image(format!(
            "partition {root} holds no file system for a root"
        )));
    };
    let entries = fstab::parse(fstab);
    let own = entries.iter().find(|entry| entry.file == "/");
    let disk = own.and_then(|entry| match &entry.spec {
        Spec::Device(path) => split(path).map(|(disk, _)| disk),
        _ => None,
    });
    let options = own.map(kept_options).unwrap_or_default();
    let mut layout = Layout {
        mounts: vec![Mount {
            partition: root,
            at: "/".into(),
            kind,
            options,
            line: own.map(|entry| entry.line),
            may_fail: false,
        }],
        skipped: Vec::new(),
    };
    for entry in &entries {
        let found = device::find(&entry.spec, volumes, disk);
        let partition = found.as_ref().ok().map(|volume| volume.partition.number);
        if let Err((reason, warn)) = place(entry, found, root, &mut layout.mounts) {
            layout.skipped.push(Skipped {
                line: entry.line,
                source: entry.source.clone(),
                at: entry.file.clone(),
                reason,
                partition,
                warn,
            });
        }
    }
    layout
        .mounts
        .sort_by_key(|mount| mount.at.components().count());
    Ok(layout)
}

/// Adds the mount of one entry, or says why not and whether that matters.
fn place(
    entry: &Entry,
    found: Result<&Volume, String>,
    root: u32,
    mounts: &mut Vec<Mount>,
) -> Result<(), (String, bool)> {
    let expected = |why: &str| Err((why.to_owned(), false));
    if entry.fstype == "swap" || entry.has_option("sw") && entry.file == "none" {
        return expected("swap space");
    }
    if entry.has_option("bind") || entry.has_option("rbind") {
        return expected("bind mounts are left to the booted system");
    }
    if matches!(entry.spec, Spec::Other(_)) {
        return expected("not a partition");
    }
    if entry.has_option("noauto") && !entry.has_option("x-systemd.automount") {
        return expected("noauto");
    }
    let may_fail = entry.has_option("nofail");
    let is_root = entry.file == "/";
    if is_root && found.is_err() {
        // That of an image for netboot is on a server.
        return expected("the root is found by its content");
    }
    let elsewhere = may_fail || entry.has_option("_netdev");
    let volume = found.map_err(|why| (why, !elsewhere))?;
    let at = normal(Path::new(&entry.file))
        .ok_or_else(|| ("its mount point is not an absolute path".to_owned(), true))?;
    let number = volume.partition.number;
    if at == Path::new("/") {
        return match number == root {
            true => Ok(()),
            false => Err((
                format!("the root was found on partition {root}, not {number}"),
                true,
            )),
        };
    }
    let kind = volume.mountable().ok_or_else(|| {
        (
            format!("partition {number} holds {}", volume.content()),
            !may_fail,
        )
    })?;
    if mounts.iter().any(|mount| mount.at == at) {
        return Err((
            format!("{} is already used as a mount point", at.display()),
            true,
        ));
    }
    if kind != FsKind::Btrfs && mounts.iter().any(|mount| mount.partition == number) {
        return Err((format!("partition {number} is already mounted"), true));
    }
    mounts.push(Mount {
        partition: number,
        at,
        kind,
        options: kept_options(entry),
        line: Some(entry.line),
        may_fail,
    });
    Ok(())
}

fn kept_options(entry: &Entry) -> Vec<String> {
    const KEPT: [&str; 3] = ["subvol=", "subvolid=", "compress="];
    let keep = |option: &&String| KEPT.iter().any(|kept| option.starts_with(kept));
    entry.options.iter().filter(keep).cloned().collect()
}

/// Why each partition that nothing is mounted from is left out, by number.
pub fn left_out(volumes: &[Volume], mounted: &[u32], skipped: &[Skipped]) -> Vec<(u32, String)> {
    let left = volumes
        .iter()
        .map(|volume| (volume, volume.partition.number));
    left.filter(|(_, number)| !mounted.contains(number))
        .map(|(volume, number)| {
            let line = skipped.iter().find(|s| s.partition == Some(number));
            let why = match line {
                Some(line) => format!("fstab line {}: {}", line.line, line.reason),
                None => "no line of the fstab names it".into(),
            };
            (number, format!("it holds {}; {why}", volume.content()))
        })
        .collect()
}

/// An absolute path without `.` and double slashes; `None` for a relative one or one with `..`.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return None;
    }
    let mut clean = PathBuf::from("/");
    for part in parts {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests;
