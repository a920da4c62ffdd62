//! Which kernel modules are in an initramfs.
//!
//! It is one or several cpio archives one behind the other, of which the last is packed
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

use std::io::{self, Read};

/// The most that is read of it unpacked, in bytes; they have some hundred million.
const MAX: u64 = 2 << 30;
/// The most modules that are noted; they have some thousand.
const MAX_MODULES: usize = 20_000;
/// The longest name (PATH_MAX).
const MAX_NAME: u64 = 4096;
/// The length of a header.
const HEADER: usize = 110;
/// The name behind the last file.
const TRAILER: &[u8] = b"TRAILER!!!\0";

/// The paths of the modules in it; `None` where it cannot be read, as it is packed in an unknown way or damaged.
pub fn modules(content: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = content;
    loop {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        rest = &rest[zeros..];
        let unpacked: Box<dyn Read + '_> = match rest {
            [] => return Some(found),
            [b'0', b'7', b'0', b'7', b'0', ..] => {
                archive(&mut rest, &mut found).ok()?;
                continue;
            }
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(rest)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::stream::read::Decoder::new(rest).ok()?),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
                Box::new(liblzma::read::XzDecoder::new_multi_decoder(rest))
            }
            _ => return None,
        };
        let mut unpacked = unpacked.take(MAX);
        archive(&mut unpacked, &mut found).ok()?;
        // Nothing has modules that comes behind it.
        return Some(found);
    }
}

/// Reads one archive.
fn archive(from: &mut impl Read, found: &mut Vec<String>) -> io::Result<()> {
    loop {
        let mut header = [0; HEADER];
        from.read_exact(&mut header)?;
        if !matches!(&header[..6], b"070701" | b"070702") {
            return Err(io::Error::other("it is no archive"));
        }
        let size = field(&header, 6)?;
        let name_size = field(&header, 11)?;
        if name_size > MAX_NAME {
            return Err(io::Error::other("a name is too long"));
        }
        let mut name = vec![0; name_size as usize];
        from.read_exact(&mut name)?;
        skip(from, padding(HEADER as u64 + name_size))?;
        if name == TRAILER {
            return Ok(());
        }
        skip(from, size + padding(size))?;
        let name = String::from_utf8_lossy(&name);
        let name = name.trim_end_matches('\0');
        if name.contains(".ko") && found.len() < MAX_MODULES {
            found.push(name.to_owned());
        }
    }
}

/// The number in field `index`, eight hexadecimal digits.
fn field(header: &[u8; HEADER], index: usize) -> io::Result<u64> {
    let digits = &header[6 + 8 * index..][..8];
    let digits = std::str::from_utf8(digits).map_err(io::Error::other)?;
    u64::from_str_radix(digits, 16).map_err(io::Error::other)
}

/// What is missing to a multiple of four.
fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

fn skip(from: &mut impl Read, count: u64) -> io::Result<()> {
    match io::copy(&mut from.by_ref().take(count), &mut io::sink())? == count {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Vec::new();
        let trailer = ("TRAILER!!!", &b""[..]);
        for (name, content) in files.iter().chain([&trailer]) {
            let mut fields = [0; 13];
            (fields[6], fields[11]) = (content.len(), name.len() + 1);
            archive.extend(b"070701");
            fields
                .iter()
                .for_each(|field| archive.extend(format!("{field:08X}").bytes()));
            archive.extend(name.bytes().chain([0]));
            archive.resize(archive.len().next_multiple_of(4), 0);
            archive.extend(*content);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
        archive
    }

    fn whole(pack: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let early = cpio(&[("kernel/x86/microcode.bin", b"12345")]);
        let main = cpio(&[
            ("init", b"#!/bin/sh"),
            (
                "usr/lib/modules/6.1/kernel/drivers/block/virtio_blk.ko",
                b"abc",
            ),
            ("usr/lib/modules/6.1/kernel/fs/ext4/ext4.ko.zst", b""),
        ]);
        [early, vec![0; 512], pack(&main)].concat()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(content).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn modules_are_found_behind_the_microcode_however_they_are_packed() {
        let ways: [&dyn Fn(&[u8]) -> Vec<u8>; 3] = [&|plain| plain.to_vec(), &gzip, &|plain| {
            zstd::encode_all(plain, 1).unwrap()
        }];
        for pack in ways {
            let found = modules(&whole(pack)).unwrap();
            let names: Vec<_> = found
                .iter()
                .filter_map(|path| path.rsplit('/').next())
                .collect();
            assert_eq!(names, ["virtio_blk.ko", "ext4.ko.zst"]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        // As lz4 begins.
        assert_eq!(modules(b"\x02\x21\x4c\x18packed"), None);
        let torn = whole(gzip);
        assert_eq!(modules(&torn[..torn.len() - 30]), None);
        assert_eq!(modules(b""), Some(Vec::new()));
        let mut long = cpio(&[("init", b"")]);
        long[6 + 8 * 11..][..8].copy_from_slice(b"FFFFFFFF");
        assert_eq!(modules(&long), None);
    }

    #[test]
    fn fuzz_initramfs() {
        let inputs = [whole(<[u8]>::to_vec), whole(gzip)];
        crate::fuzz::run("initramfs", &inputs, &["070701", "TRAILER!!!\0"], |bytes| {
            modules(bytes).map(|found| found.len())
        });
    }
}
