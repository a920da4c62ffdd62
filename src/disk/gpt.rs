//! GUID partition tables (UEFI specification, chapter 5): header, entry array, and their backup.

use std::io::{self, Read, Seek};

use super::partition::{Partition, PartitionType, Table, TableKind};
use crate::{
    bytes::{Fields, read_vec},
    error::{Context, Error, Kind, Result},
};

/// The sector sizes tried, most frequent first.
const SECTORS: [u64; 2] = [512, 4096];

/// The entry array may have at most this many bytes: 64 times what every tool writes.
const MAX_ARRAY: u64 = 1 << 20;

/// A header whose checksum is right.
#[derive(Debug)]
pub(crate) struct Header {
    /// The sector that it is in.
    pub bytes: Vec<u8>,
    /// The size of a sector.
    pub sector: u64,
}

/// A header and the array of entries that belongs to it.
#[derive(Debug)]
pub(crate) struct Raw {
    /// The header.
    pub header: Header,
    /// The entries, of the size that the header says.
    pub array: Vec<u8>,
}

/// Reads the table, from the backup at the end of the image where the first copy is damaged.
pub(crate) fn read(reader: &mut (impl Read + Seek), size: u64, name: &str) -> Result<Table> {
    raw(reader, size, name).map(|raw| table(&raw.header, &raw.array))
}

/// As [`read`], as it is stored.
pub(crate) fn raw(reader: &mut (impl Read + Seek), size: u64, name: &str) -> Result<Raw> {
    for sector in SECTORS {
        let last = (size / sector).saturating_sub(1);
        let mut places = vec![1, last];
        if let Some(raw) = attempt(reader, sector, &mut places).context(Kind::Image, || {
            format!("read the partition table of {name}")
        })? {
            return Ok(raw);
        }
    }
    Err(Error::image(format!(
        "the gpt partition table of {name} is damaged, and so is its backup: is the image truncated?"
    ))
    .hint("download the image again and check it against its published checksum"))
}

fn attempt(
    reader: &mut (impl Read + Seek),
    sector: u64,
    places: &mut Vec<u64>,
) -> io::Result<Option<Raw>> {
    let mut next = 0;
    while next < places.len() {
        let place = places[next];
        next += 1;
        let Some(header) = header(reader, sector, place)? else {
            continue;
        };
        if let Some(array) = array(reader, &header)? {
            return Ok(Some(Raw { header, array }));
        }
        // Where only the array is damaged the header still tells where its backup is; tried once.
        let alternate = header.bytes.u64(32);
        if places.len() == 2 && !places.contains(&alternate) {
            places.push(alternate);
        }
    }
    Ok(None)
}

fn header(reader: &mut (impl Read + Seek), sector: u64, lba: u64) -> io::Result<Option<Header>> {
    let Some(at) = lba.checked_mul(sector) else {
        return Ok(None);
    };
    let Some(bytes) = read_vec(reader, at, sector as usize)? else {
        return Ok(None);
    };
    let length = bytes.u32(12) as usize;
    if !bytes.has(0, b"EFI PART") || !(92..=bytes.len()).contains(&length) || bytes.u64(24) != lba {
        return Ok(None);
    }
    Ok((checksum(&bytes) == bytes.u32(16)).then_some(Header { bytes, sector }))
}

/// The checksum of a header, whose length it knows itself: taken with its own field as zero.
pub(crate) fn checksum(header: &[u8]) -> u32 {
    let mut summed = header[..header.u32(12) as usize].to_vec();
    summed[16..20].fill(0);
    crc32(&summed)
}

fn array(reader: &mut (impl Read + Seek), header: &Header) -> io::Result<Option<Vec<u8>>> {
    let bytes = &header.bytes;
    let (lba, count, each) = (bytes.u64(72), bytes.u32(80), bytes.u32(84));
    let length = u64::from(count) * u64::from(each);
    let Some(at) = lba.checked_mul(header.sector) else {
        return Ok(None);
    };
    if each < 128 || each % 8 != 0 || length > MAX_ARRAY {
        return Ok(None);
    }
    let array = read_vec(reader, at, length as usize)?;
    Ok(array.filter(|array| crc32(array) == bytes.u32(88)))
}

fn table(header: &Header, array: &[u8]) -> Table {
    let each = header.bytes.u32(84) as usize;
    let entries = array.chunks_exact(each).zip(1u32..);
    Table {
        kind: TableKind::Gpt,
        disk_id: guid(header.bytes.array(56)),
        partitions: entries
            .filter_map(|(e, number)| partition(e, number, header.sector))
            .collect(),
    }
}

/// One entry; `None` for an unused one. One that ends before it begins becomes the whole of `u64`,
/// so that the caller's range check names it.
fn partition(entry: &[u8], number: u32, sector: u64) -> Option<Partition> {
    if entry.array::<16>(0) == [0; 16] {
        return None;
    }
    let (first, last) = (entry.u64(32), entry.u64(40));
    let sectors = last.checked_sub(first).and_then(|n| n.checked_add(1));
    let name: Vec<u16> = (0..36)
        .map(|i| entry.u16(56 + 2 * i))
        .take_while(|&c| c != 0)
        .collect();
    Some(Partition {
        number,
        start: first.saturating_mul(sector),
        size: sectors
            .and_then(|n| n.checked_mul(sector))
            .unwrap_or(u64::MAX),
        type_: PartitionType::Gpt(guid(entry.array(0))),
        uuid: Some(guid(entry.array(16))),
        name: (!name.is_empty()).then(|| String::from_utf16_lossy(&name)),
    })
}

/// A GUID in its text form: the first three groups are little-endian.
pub(crate) fn guid(b: [u8; 16]) -> String {
    let tail: String = b[10..].iter().map(|byte| format!("{byte:02x}")).collect();
    let head = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let (two, three) = (
        u16::from_le_bytes([b[4], b[5]]),
        u16::from_le_bytes([b[6], b[7]]),
    );
    format!(
        "{head:08x}-{two:04x}-{three:04x}-{:02x}{:02x}-{tail}",
        b[8], b[9]
    )
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::table::tests::{MIB, dos_image, read};
    use super::*;

    const ESP: [u8; 16] = *b"\x28\x73\x2a\xc1\x1f\xf8\xd2\x11\xba\x4b\x00\xa0\xc9\x3e\xc9\x3b";

    /// An image with an ESP of 16 sectors named `config` in slot 1 and a second partition in slot 3.
    pub(crate) fn image(sector: usize, mib: u64) -> Vec<u8> {
        let mut image = dos_image(mib, &[(0, 0xee, 1, u32::MAX)]);
        let last = image.len() / sector - 1;
        let array_sectors = 128 * 128 / sector;
        let mut array = vec![0; 128 * 128];
        for (slot, first, end, name) in [(0, 64u64, 79u64, "config"), (2, 80, 95, "")] {
            let entry = &mut array[slot * 128..][..128];
            entry[..16].copy_from_slice(&ESP);
            entry[16] = slot as u8 + 1;
            entry[32..40].copy_from_slice(&first.to_le_bytes());
            entry[40..48].copy_from_slice(&end.to_le_bytes());
            for (i, unit) in name.encode_utf16().enumerate() {
                entry[56 + 2 * i..][..2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        for (lba, other, at) in [(1, last, 2), (last, 1, last - array_sectors)] {
            image[at * sector..][..array.len()].copy_from_slice(&array);
            let mut header = vec![0; 92];
            header[..12].copy_from_slice(b"EFI PART\0\0\x01\0");
            header[12] = 92;
            for (field, value) in [(24, lba), (32, other), (40, 34), (48, last - 34), (72, at)] {
                header[field..field + 8].copy_from_slice(&(value as u64).to_le_bytes());
            }
            header[56] = 0xaa;
            header[80] = 128;
            header[84] = 128;
            header[88..92].copy_from_slice(&crc32(&array).to_le_bytes());
            let sum = crc32(&header);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
            image[lba * sector..][..92].copy_from_slice(&header);
        }
        image
    }

    fn check(image: &[u8], sector: u64) {
        let table = read(image).unwrap();
        assert_eq!(table.kind, TableKind::Gpt);
        assert_eq!(table.disk_id, "000000aa-0000-0000-0000-000000000000");
        let numbers: Vec<_> = table.partitions.iter().map(|p| p.number).collect();
        assert_eq!(numbers, [1, 3]);
        let esp = &table.partitions[0];
        assert_eq!((esp.start, esp.size), (64 * sector, 16 * sector));
        assert_eq!(
            esp.type_,
            PartitionType::Gpt("c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into())
        );
        assert_eq!(esp.name.as_deref(), Some("config"));
        assert_eq!(
            esp.uuid.as_deref(),
            Some("00000001-0000-0000-0000-000000000000")
        );
    }

    #[test]
    fn both_sector_sizes() {
        check(&image(512, 4), 512);
        check(&image(4096, 4), 4096);
    }

    #[test]
    fn the_backup_replaces_a_damaged_copy() {
        for at in [512 + 20, 1024 + 40] {
            let mut image = image(512, 4);
            image[at] ^= 1;
            check(&image, 512);
        }
        let mut image = image(512, 4);
        image.truncate(3 * MIB as usize);
        check(&image, 512);
        image[520] ^= 1;
        assert!(read(&image).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_hybrid_table_is_read_as_gpt() {
        let mut image = image(512, 4);
        super::super::table::tests::write_entries(&mut image[..512], &[(1, 0xc, 64, 16)]);
        check(&image, 512);
    }
}
