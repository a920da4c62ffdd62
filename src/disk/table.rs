//! Reads the partition table of an image, of either kind, and checks it.

use std::io::{Read, Seek};

use super::{
    dos, gpt, iso,
    partition::{Partition, Table},
    probe,
    probe::FsKind,
};
use crate::{
    bytes::{Fields, read_array},
    error::{Context, Error, Kind, Result},
};

/// Reads the partition table of the image `name`, which has `size` bytes.
///
/// # Errors
///
/// [`Kind::Image`] where there is no table, where it is damaged, where a partition reaches beyond
/// the image, and where two partitions overlap.
pub fn read_table(reader: &mut (impl Read + Seek), size: u64, name: &str) -> Result<Table> {
    let table = read(reader, size, name);
    let starts = table.iter().flat_map(|table| &table.partitions);
    let first = starts.map(|partition| partition.start).min();
    match iso::is_iso(reader, first) {
        true => Err(iso::refused(name)),
        false => table,
    }
}

fn read(reader: &mut (impl Read + Seek), size: u64, name: &str) -> Result<Table> {
    let reading = || format!("read the partition table of {name}");
    let first: [u8; 512] = read_array(reader, 0)
        .context(Kind::Image, reading)?
        .ok_or_else(|| no_table(name, "it is smaller than one sector"))?;
    if !first.has(510, &dos::SIGNATURE) || !dos::plausible(&first) {
        return Err(no_table(name, &whole(reader)));
    }
    // A hybrid one has a table for sticks, whose partitions lie in one another.
    let iso = probe(reader).filter(|fs| fs.kind == FsKind::Iso9660);
    let table = if iso.is_some() {
        return Err(no_table(name, &whole(reader)));
    } else if dos::is_protective(&first) {
        gpt::read(reader, size, name)?
    } else if let Some(fs) = probe(reader).filter(|fs| fs.kind.has_boot_sector()) {
        return Err(no_table(
            name,
            &format!("it is {} from end to end", fs.kind.described()),
        ));
    } else {
        dos::read(reader, &first, size, name)?
    };
    if table.partitions.is_empty() {
        return Err(Error::image(format!("{name} has an empty partition table"))
            .hint("use an image that was made for an SD card or a disk"));
    }
    check(&table.partitions, size, name)?;
    Ok(table)
}

fn whole(reader: &mut (impl Read + Seek)) -> String {
    match probe(reader) {
        Some(fs) => format!("it is {} from end to end", fs.kind.described()),
        None => "its first sector holds neither".into(),
    }
}

fn no_table(name: &str, why: &str) -> Error {
    Error::image(format!("{name} has no partition table: {why}")).hint(
        "use a disk image with a dos or gpt partition table, such as the ones made for SD cards",
    )
}

/// Every partition must lie inside the image, and apart from the others.
fn check(partitions: &[Partition], size: u64, name: &str) -> Result<()> {
    let mut by_start: Vec<_> = partitions.iter().collect();
    by_start.sort_by_key(|partition| partition.start);
    for partition in &by_start {
        let end = partition.start.checked_add(partition.size);
        if end.is_none_or(|end| end > size) {
            return Err(Error::image(format!(
                "partition {} of {name} reaches beyond its {size} bytes: is the image truncated?",
                partition.number
            ))
            .hint("download the image again and check it against its published checksum"));
        }
    }
    for pair in by_start.windows(2) {
        if pair[0].start + pair[0].size > pair[1].start {
            let (a, b) = (
                pair[0].number.min(pair[1].number),
                pair[0].number.max(pair[1].number),
            );
            return Err(
                Error::image(format!("partitions {a} and {b} of {name} overlap"))
                    .hint("the partition table is damaged: download or make the image again"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::disk::partition::TableKind;
    use proptest::prelude::*;
    use std::io::Cursor;

    pub(crate) const MIB: u64 = 1 << 20;

    /// An empty dos table with disk id `1234abcd` on an image of `mib` MiB.
    pub(crate) fn dos_image(mib: u64, entries: &[(usize, u8, u32, u32)]) -> Vec<u8> {
        let mut image = vec![0; (mib * MIB) as usize];
        image[440..444].copy_from_slice(&0x1234_abcdu32.to_le_bytes());
        write_entries(&mut image[..512], entries);
        image
    }

    pub(crate) fn write_entries(sector: &mut [u8], entries: &[(usize, u8, u32, u32)]) {
        sector[510..512].copy_from_slice(&dos::SIGNATURE);
        for &(slot, type_, start, count) in entries {
            let entry = &mut sector[446 + 16 * slot..][..16];
            entry[4] = type_;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
            entry[12..16].copy_from_slice(&count.to_le_bytes());
        }
    }

    pub(crate) fn read(image: &[u8]) -> Result<Table> {
        read_table(&mut Cursor::new(image), image.len() as u64, "x.img")
    }

    fn message(image: &[u8]) -> String {
        let error = read(image).unwrap_err();
        assert_eq!(error.kind(), Kind::Image);
        assert!(error.hint_text().is_some());
        error.to_string()
    }

    #[test]
    fn faults_name_the_partitions() {
        let beyond = dos_image(4, &[(0, 0xc, 2048, 2048), (2, 0x83, 4096, 9999)]);
        assert!(message(&beyond).contains("partition 3 of x.img reaches beyond"));
        let overlap = dos_image(4, &[(0, 0xc, 2048, 2048), (1, 0x83, 4000, 9)]);
        assert!(message(&overlap).contains("partitions 1 and 2 of x.img overlap"));
        assert!(message(&[0; 100]).contains("no partition table"));
        assert!(message(&vec![0; MIB as usize]).contains("no partition table"));
        assert!(message(&dos_image(1, &[])).contains("empty partition table"));
    }

    #[test]
    fn a_whole_image_file_system_is_named() {
        let mut image = vec![0; MIB as usize];
        image[1080..1082].copy_from_slice(&0xef53u16.to_le_bytes());
        assert!(message(&image).contains("an ext2 file system from end"));
    }

    /// sfdisk makes the table and says what it understands by it; both must agree.
    #[test]
    fn as_sfdisk_says() {
        use std::{io::Write, process::Command};
        if which::which("sfdisk").is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: sfdisk is not installed");
            return;
        }
        for script in [
            "label: dos\n2048,8192,c\nstart=16384,size=4096,type=83\n",
            "label: dos\nstart=63,size=1000,type=b\n,2M,83\n,10M,f\n,1M,83\n,1M,82\n,1M,83\n",
            "label: gpt\nfirst-lba: 34\nstart=64,size=1900,name=loader1\nstart=16384,size=8192,type=U,name=\"ä b\"\n,,L\n",
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(32 * MIB).unwrap();
            let path = file.path();
            std::fs::write(path.with_extension("txt"), script).unwrap();
            let made = Command::new("sfdisk")
                .args(["-q", "--no-reread"])
                .arg(path)
                .stdin(std::fs::File::open(path.with_extension("txt")).unwrap())
                .output()
                .unwrap();
            std::fs::remove_file(path.with_extension("txt")).unwrap();
            assert!(
                made.status.success(),
                "{}",
                String::from_utf8_lossy(&made.stderr)
            );
            let json = Command::new("sfdisk")
                .arg("-J")
                .arg(path)
                .output()
                .unwrap()
                .stdout;
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let ours = read(&std::fs::read(path).unwrap()).unwrap();
            let theirs = &json["partitiontable"];
            let id = theirs["id"]
                .as_str()
                .unwrap()
                .trim_start_matches("0x")
                .to_lowercase();
            assert_eq!(ours.disk_id, id);
            let listed = theirs["partitions"].as_array().unwrap().iter();
            let listed = listed.filter(|p| !matches!(p["type"].as_str(), Some("5" | "f")));
            let listed: Vec<_> = listed
                .map(|p| {
                    let node = p["node"]
                        .as_str()
                        .unwrap()
                        .trim_start_matches(path.to_str().unwrap());
                    let number: u32 = node.trim_start_matches('p').parse().unwrap();
                    let uuid = p["uuid"].as_str().map(str::to_lowercase);
                    let name = p["name"].as_str().map(str::to_owned);
                    (
                        number,
                        p["start"].as_u64().unwrap(),
                        p["size"].as_u64().unwrap(),
                        uuid,
                        name,
                    )
                })
                .collect();
            let found: Vec<_> = ours
                .partitions
                .iter()
                .map(|p| {
                    let uuid = p.uuid.clone().filter(|_| ours.kind == TableKind::Gpt);
                    (p.number, p.start / 512, p.size / 512, uuid, p.name.clone())
                })
                .collect();
            assert_eq!(found, listed, "{script}");
        }
    }

    #[test]
    fn fuzz_tables() {
        let inputs = [
            dos_image(1, &[(0, 0xc, 64, 64), (1, 0x5, 256, 512)]),
            dos_image(1, &[(0, 0x83, 63, 1000), (3, 0xc, 1100, 64)]),
            gpt::tests::image(512, 1),
            gpt::tests::image(4096, 1),
        ];
        // Most of an image is zero, and says nothing.
        let inputs = inputs.map(|mut image| {
            image.truncate(128 << 10);
            image
        });
        crate::fuzz::run("tables", &inputs, &["\x55", "EFI PART"], |bytes| {
            let table = read_table(&mut Cursor::new(bytes), bytes.len() as u64, "x");
            table
                .map(|table| {
                    table
                        .partitions
                        .iter()
                        .map(|p| (p.number, p.size / 4096))
                        .collect::<Vec<_>>()
                })
                .map_err(|error| error.to_string().replace(|c: char| c.is_ascii_digit(), ""))
        });
    }

    proptest! {
        #[test]
        fn damaged_tables_never_panic(changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..40)) {
            for mut image in [
                dos_image(1, &[(0, 0xc, 64, 64), (1, 0x5, 256, 512)]),
                gpt::tests::image(512, 1),
            ] {
                for &(at, byte) in &changes {
                    // Most of a table is zero: aim at what matters.
                    let at = if at < 512 { 440 + at % 72 } else { at };
                    image[at] = byte;
                }
                let _ = read(&image);
            }
        }
    }
}
