//! Where everything goes in a new image: decided from what is declared, and checked.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

use super::declared::{Declared, FileSystem, Partition, Table};
use crate::{
    disk::layout,
    error::{Error, Result},
    sys::room::{self, Size},
};

/// A sector, in bytes.
const SECTOR: u64 = 512;

/// Partitions begin at a multiple of this, in bytes, unless it is said where; so does the first.
const GRAIN: u64 = 1 << 20;

/// What a gpt takes at the end, in bytes: 32 sectors of entries, and the header.
const BACKUP: u64 = 33 * SECTOR;

/// A partition of a new image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its size, in bytes.
    pub size: u64,
    /// What is made in it.
    pub filesystem: FileSystem,
    /// The file system's label.
    pub label: Option<String>,
    /// Further arguments for the program that makes it.
    pub options: Vec<String>,
}

/// A new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its size, in bytes.
    pub size: u64,
    /// What sfdisk makes its table of.
    pub script: String,
    /// Its partitions.
    pub parts: Vec<Part>,
    /// Where they are mounted.
    pub layout: layout::Given,
}

impl Plan {
    /// Checks what is declared.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage), with the partition and the figures.
    pub fn new(declared: &Declared) -> Result<Self> {
        let total = parse("image.new: size", &declared.size)? / SECTOR * SECTOR;
        let gpt = declared.table == Table::Gpt;
        if declared.partitions.is_empty() || (!gpt && declared.partitions.len() > 4) {
            return Err(Error::usage(format!(
                "image.new has {} partitions",
                declared.partitions.len()
            ))
            .hint("a dos table has one to four; for more use `table: gpt`"));
        }
        let mut script = format!("label: {}\n", if gpt { "gpt" } else { "dos" });
        let mut parts = Vec::new();
        let mut places = BTreeMap::new();
        let mut at = GRAIN;
        let end = total.saturating_sub(if gpt { BACKUP } else { 0 });
        for (partition, number) in declared.partitions.iter().zip(1u32..) {
            let last = number as usize == declared.partitions.len();
            let part = place(partition, number, at, (end, last))?;
            at = (part.start + part.size).next_multiple_of(GRAIN);
            script += &line(partition, &part, gpt)?;
            if let Some(mount) = &partition.mount {
                places.insert(number, layout::GivenEntry::Path(mount.clone()));
            }
            parts.push(part);
        }
        Ok(Plan {
            size: total,
            script,
            parts,
            layout: layout::Given::check_as("image.new", &places)?,
        })
    }
}

/// Where partition `number` is, at `at` or behind that and before `end`; the last one may take what is left.
fn place(partition: &Partition, number: u32, at: u64, (end, last): (u64, bool)) -> Result<Part> {
    let of = |what: &str| format!("image.new: partition {number}: {what}");
    let start = match &partition.start {
        Some(start) => parse(&of("start"), start)? / SECTOR * SECTOR,
        None => at,
    };
    // Of the one before, without the room up to the next grain.
    let before = at.saturating_sub(GRAIN);
    let size = match &partition.size {
        Some(size) => parse(&of("size"), size)? / SECTOR * SECTOR,
        None if last => end.saturating_sub(start),
        None => {
            return Err(Error::usage(of("it has no size")).hint(
                "only the last one takes what is left; give the others one, as in size: 256M",
            ));
        }
    };
    if partition.start.is_some() && start < before.max(34 * SECTOR) {
        return Err(Error::usage(of(&format!(
            "it begins at {}, where the one before is",
            Size(start)
        )))
        .hint("leave out start, or let it begin later"));
    }
    if size < SECTOR || start.saturating_add(size) > end {
        let needed = Size(start.saturating_add(size.max(GRAIN)));
        return Err(Error::usage(of(&format!(
            "there is no room for it: it would end at {needed}, and the image at {}",
            Size(end)
        )))
        .hint("make the image larger, as in size: 4G, or its partitions smaller"));
    }
    if partition.mount.as_deref() == Some("/") && !can_be_root(partition.filesystem) {
        return Err(Error::usage(of("/ cannot be on it")).hint("use ext4, btrfs, xfs or f2fs"));
    }
    if partition.mount.is_some()
        && matches!(partition.filesystem, FileSystem::Swap | FileSystem::None)
    {
        return Err(Error::usage(of("nothing in it can be mounted")).hint("leave out mount"));
    }
    let label = partition.label.clone();
    if label
        .as_ref()
        .is_some_and(|label| label.is_empty() || label.chars().any(char::is_control))
    {
        return Err(
            Error::usage(of("its label is empty, or has control characters"))
                .hint("leave it out, or write another"),
        );
    }
    Ok(Part {
        number,
        start,
        size,
        filesystem: partition.filesystem,
        label,
        options: partition.options.clone(),
    })
}

fn can_be_root(filesystem: FileSystem) -> bool {
    use FileSystem::{None, Swap, Vfat};
    !matches!(filesystem, Vfat | Swap | None)
}

/// The line of sfdisk for a partition.
fn line(partition: &Partition, part: &Part, gpt: bool) -> Result<String> {
    let plain = |what: &str, text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-".contains(c);
        match !text.is_empty() && text.chars().all(allowed) {
            true => Ok(text.to_owned()),
            false => Err(Error::usage(format!(
                "image.new: partition {}: {what} {text:?} has other characters than letters, digits, spaces, ., _ and -",
                part.number
            ))
            .hint("write it without them")),
        }
    };
    let kind = match &partition.kind {
        Some(kind) => plain("type", kind)?,
        None => usual_type(partition, gpt).to_owned(),
    };
    let mut line = format!(
        "{}: start={}, size={}, type={kind}",
        part.number,
        part.start / SECTOR,
        part.size / SECTOR
    );
    if let Some(name) = &partition.name {
        if !gpt {
            return Err(Error::usage(format!(
                "image.new: partition {}: partitions of a dos table have no names",
                part.number
            ))
            .hint("use `table: gpt`, or label the file system"));
        }
        line += &format!(", name=\"{}\"", plain("name", name)?);
    }
    if partition.bootable {
        line += if gpt {
            ", attrs=LegacyBIOSBootable"
        } else {
            ", bootable"
        };
    }
    line.push('\n');
    Ok(line)
}

/// The type that suits what is in a partition.
fn usual_type(partition: &Partition, gpt: bool) -> &'static str {
    let esp = partition
        .mount
        .as_deref()
        .is_some_and(|at| at.ends_with("/efi"));
    match (partition.filesystem, gpt) {
        (FileSystem::Vfat, false) => "c",
        // The firmware of a Pi takes any FAT; that of a PC wants this type.
        (FileSystem::Vfat, true) if esp => "U",
        (FileSystem::Vfat, true) => "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
        (FileSystem::Swap, false) => "82",
        (FileSystem::Swap, true) => "S",
        (_, false) => "83",
        (_, true) => "L",
    }
}

fn parse(what: &str, size: &str) -> Result<u64> {
    room::parse(size).ok_or_else(|| {
        Error::usage(format!("{what}: {size} is not a size")).hint("write it like 256M or 4G")
    })
}

/// The type of a mount in an fstab, and whether the machine checks it: the root first, others then.
pub fn fstab_line(uuid: &str, at: &Path, kind: &str) -> String {
    let check = match at.components().nth(1) {
        None => 1,
        Some(Component::Normal(_)) if kind == "btrfs" || kind == "xfs" => 0,
        Some(_) => 2,
    };
    format!(
        "UUID={uuid}\t{}\t{kind}\tdefaults\t0\t{check}\n",
        at.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declared {
        serde_yaml::from_str(text).unwrap()
    }

    fn plan(text: &str) -> Result<Plan> {
        Plan::new(&declared(text))
    }

    #[test]
    fn a_pis_layout() {
        let plan = plan(
            "size: 1G\npartitions:\n\
             - {size: 256M, filesystem: vfat, label: system-boot, mount: /boot/firmware, bootable: true}\n\
             - {label: writable, mount: /}\n",
        )
        .unwrap();
        let mib = |part: &Part| (part.start >> 20, part.size >> 20);
        assert_eq!(
            plan.parts.iter().map(mib).collect::<Vec<_>>(),
            [(1, 256), (257, 767)]
        );
        assert_eq!(
            plan.script,
            "label: dos\n1: start=2048, size=524288, type=c, bootable\n2: start=526336, size=1570816, type=83\n"
        );
        assert_eq!(plan.layout.get(1), Some("/boot/firmware".as_ref()));
    }

    #[test]
    fn what_does_not_fit_is_told_with_figures() {
        let wrong = |text: &str| {
            let error = plan(text).unwrap_err();
            assert!(error.hint_text().is_some(), "{error}");
            error.to_string()
        };
        let root = "{mount: /}";
        assert!(wrong(&format!("size: 8M\npartitions: [{{size: 9M, filesystem: none}}, {root}]"))
            .contains("partition 1: there is no room for it: it would end at 10 MiB, and the image at 8.0 MiB"));
        assert!(
            wrong(&format!(
                "size: 8M\npartitions: [{{filesystem: none}}, {root}]"
            ))
            .contains("1: it has no size")
        );
        assert!(
            wrong("size: 8M\npartitions: [{filesystem: vfat, mount: /}]")
                .contains("/ cannot be on it")
        );
        assert!(
            wrong("size: 8M\npartitions: [{size: 1M}]")
                .contains("image.new has no partition for /")
        );
        assert!(wrong("size: 8M\npartitions: []").contains("0 partitions"));
        let five = "{size: 1M, filesystem: none},".repeat(4);
        assert!(wrong(&format!("size: 80M\npartitions: [{five} {root}]")).contains("5 partitions"));
        assert!(
            plan(&format!(
                "size: 80M\ntable: gpt\npartitions: [{five} {root}]"
            ))
            .is_ok()
        );
        assert!(wrong("size: 8M\npartitions: [{mount: /, name: x}]").contains("no names"));
        assert!(
            wrong("size: 8M\ntable: gpt\npartitions: [{mount: /, name: \"a\\\"b\"}]")
                .contains("other characters")
        );
        assert!(
            wrong("size: 80M\npartitions: [{size: 9M, filesystem: none}, {start: 3M, mount: /}]")
                .contains("where the one before is")
        );
        assert!(wrong("size: x\npartitions: [{mount: /}]").contains("x is not a size"));
    }

    #[test]
    fn lines_of_an_fstab() {
        let line = |at: &str, kind| fstab_line("ab", at.as_ref(), kind);
        assert_eq!(line("/", "ext4"), "UUID=ab\t/\text4\tdefaults\t0\t1\n");
        assert_eq!(
            line("/boot", "vfat"),
            "UUID=ab\t/boot\tvfat\tdefaults\t0\t2\n"
        );
        assert_eq!(
            line("/data", "xfs"),
            "UUID=ab\t/data\txfs\tdefaults\t0\t0\n"
        );
    }
}
