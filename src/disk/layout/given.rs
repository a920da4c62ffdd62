//! A layout that the user gives, in place of what the image says.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Layout, Mount, normal};
use crate::{
    disk::{probe::FsKind, volume::Volume},
    error::{Error, Result},
};

/// What pichroot.yml says of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "a partition has a path, such as /boot, or {path: /, subvolume: \"@\"}"
)]
pub enum Entry {
    /// Its mount point.
    Path(String),
    /// Its mount point, and what of it is to be seen there.
    Subvolume(Subvolume),
}

/// A subvolume of a btrfs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subvolume {
    path: String,
    subvolume: String,
}

/// A layout that the user gives: mount points by partition number, one of them `/`. They are absolute,
/// without `..`, and each is there once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given(BTreeMap<u32, Place>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    at: PathBuf,
    subvolume: Option<String>,
}

/// The highest partition number a table can hold.
const HIGHEST: u32 = 128;

impl Given {
    /// Checks what pichroot.yml says as `image.layout`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), with the partition's number.
    pub fn check(layout: &BTreeMap<u32, Entry>) -> Result<Self> {
        Self::check_as("image.layout", layout)
    }

    /// As [`check`](Self::check), for what is said as `key`.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_as(key: &str, layout: &BTreeMap<u32, Entry>) -> Result<Self> {
        let hint = "write it like {1: /boot/firmware, 2: /}";
        let mut checked: BTreeMap<u32, Place> = BTreeMap::new();
        for (&number, entry) in layout {
            let wrong = |what: &str| Error::usage(format!("{key}: {number}: {what}")).hint(hint);
            if !(1..=HIGHEST).contains(&number) {
                return Err(wrong("partitions are numbered from 1 to 128"));
            }
            let (path, subvolume) = match entry {
                Entry::Path(path) => (path, None),
                Entry::Subvolume(of) => (&of.path, Some(&of.subvolume)),
            };
            let Some(at) = normal(Path::new(path)) else {
                return Err(wrong(&format!("{path} is not an absolute path without ..")));
            };
            if checked.values().any(|other| other.at == at) {
                return Err(wrong(&format!("{path} is there twice")));
            }
            // A comma would begin another mount option.
            if let Some(name) = subvolume.filter(|name| name.is_empty() || name.contains(',')) {
                return Err(wrong(&format!("{name:?} is no name of a subvolume")));
            }
            let subvolume = subvolume.cloned();
            checked.insert(number, Place { at, subvolume });
        }
        if !checked.values().any(|place| place.at == Path::new("/")) {
            return Err(Error::usage(format!("{key} has no partition for /")).hint(hint));
        }
        Ok(Given(checked))
    }

    /// Each mount point, by the number of its partition.
    pub fn places(&self) -> impl Iterator<Item = (u32, &Path)> {
        self.0.iter().map(|(number, place)| (*number, &*place.at))
    }

    /// The same without the partitions `numbers`.
    pub fn without(&self, numbers: &[u32]) -> Self {
        let mut left = self.clone();
        left.0.retain(|number, _| !numbers.contains(number));
        left
    }

    /// The mount point of a partition.
    #[cfg(test)]
    pub fn get(&self, number: u32) -> Option<&Path> {
        self.0.get(&number).map(|place| &*place.at)
    }
}

/// The layout that the user gives, for an image with these `volumes`.
///
/// # Errors
///
/// [`Kind::Usage`](crate::error::Kind::Usage) with what is wrong and what there is.
pub fn explicit(volumes: &[Volume], given: &Given) -> Result<Layout> {
    let mut mounts: Vec<Mount> = Vec::new();
    for (&number, place) in &given.0 {
        let volume = volumes
            .iter()
            .find(|volume| volume.partition.number == number);
        let volume = volume.ok_or_else(|| {
            let there = volumes
                .iter()
                .map(|volume| volume.partition.number.to_string());
            Error::usage(format!("image.layout: the image has no partition {number}")).hint(
                format!(
                    "its partitions are {}",
                    there.collect::<Vec<_>>().join(", ")
                ),
            )
        })?;
        let is_root = place.at == Path::new("/");
        let fits = |kind: &FsKind| !is_root || kind.can_be_root();
        let kind = volume.mountable().filter(fits).ok_or_else(|| {
            Error::usage(format!(
                "image.layout: partition {number} cannot be mounted on {}: it holds {}",
                place.at.display(),
                volume.content()
            ))
            .hint("`blkid -p` on a loop device of it tells what the partition holds")
        })?;
        if place.subvolume.is_some() && kind != FsKind::Btrfs {
            return Err(Error::usage(format!(
                "image.layout: partition {number} has no subvolumes: it holds {}",
                volume.content()
            ))
            .hint("leave out subvolume"));
        }
        mounts.push(Mount {
            partition: number,
            at: place.at.clone(),
            kind,
            options: place
                .subvolume
                .iter()
                .map(|name| format!("subvol={name}"))
                .collect(),
            line: None,
            may_fail: false,
        });
    }
    mounts.sort_by_key(|mount| mount.at.components().count());
    Ok(Layout {
        mounts,
        skipped: Vec::new(),
    })
}
