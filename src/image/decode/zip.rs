//! zip archives that hold exactly one disk image, perhaps beside a README and the like.

mod bounded;

use std::{
    fs::File,
    io::{self, Read, Seek},
};

use ::zip::{CompressionMethod, ZipArchive, read::ZipFileEntry, result::ZipError};

use bounded::Bounded;

/// Endings of file names that make an entry a disk image whatever its size.
const ENDINGS: [&str; 5] = [".img", ".raw", ".wic", ".sdimg", ".sdcard"];

/// Where no entry has such an ending, entries of this size or more, in bytes, count as images.
const LEAST_SIZE: u64 = 1 << 20;

/// How much is read to learn what is in an archive, in bytes: well over 100,000 entries. Whoever makes the
/// archive decides how many there are, and each costs time and memory.
const DIRECTORY: u64 = 16 << 20;

/// How many images, and how many characters of each name, are told where there is more than one image.
const NAMED: usize = 3;
const NAME: usize = 100;

/// Finds the image in the archive `file` and calls `use_it` with its name, size and decoded bytes.
///
/// # Errors
/// The error of `use_it`, or through `bad` the reason why the archive cannot be used;
/// [`io::ErrorKind::InvalidInput`] where it is sound and does not hold exactly one image,
/// [`io::ErrorKind::Unsupported`] where that image is packed in a way that is not read.
pub fn with_image<T, E>(
    file: &File,
    bad: impl Fn(io::Error) -> E,
    use_it: impl FnOnce(&str, u64, &mut dyn Read) -> Result<T, E>,
) -> Result<T, E> {
    let read = || -> Result<_, ZipError> {
        let mut file = file.try_clone()?;
        file.rewind()?;
        let (reader, limit) = Bounded::new(file, DIRECTORY);
        let archive = ZipArchive::new(reader)?;
        let index = find_image(&archive)?;
        readable(&archive.by_index_data(index)?)?;
        limit.lift();
        Ok((archive, index))
    };
    let (mut archive, index) = read().map_err(|error| bad(as_io(error)))?;
    let mut entry = archive.by_index(index).map_err(|error| bad(as_io(error)))?;
    let (name, size) = (shown(entry.name_raw()), entry.size());
    use_it(&name, size, &mut entry)
}

/// The index of the one entry that is an image.
fn find_image<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<usize, ZipError> {
    let mut named = Vec::new();
    let mut large = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index)?;
        let path = entry.name_raw();
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        // macOS adds such copies of a file's attributes.
        if entry.is_dir() || name.starts_with(b"._") {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if ENDINGS.iter().any(|end| lower.ends_with(end.as_bytes())) {
            named.push(index);
        } else if entry.size() >= LEAST_SIZE {
            large.push(index);
        }
    }
    let candidates = if named.is_empty() { large } else { named };
    let invalid = |what: String| ZipError::from(io::Error::new(io::ErrorKind::InvalidInput, what));
    match candidates.as_slice() {
        [index] => Ok(*index),
        [] => Err(invalid("the zip archive holds no disk image".into())),
        several => {
            let name = |index: &usize| Ok(shown(archive.by_index_data(*index)?.name_raw()));
            let names: Result<Vec<String>, ZipError> =
                several.iter().take(NAMED).map(name).collect();
            let mut all = names?.join(" and ");
            if several.len() > NAMED {
                all += &format!(" and {} more", several.len() - NAMED);
            }
            Err(invalid(format!(
                "the zip archive holds more than one image: {all}"
            )))
        }
    }
}

/// Refuses an image that is packed in a way that is not read. Its name is in the message.
fn readable(entry: &ZipFileEntry) -> Result<(), ZipError> {
    let how = match entry.compression() {
        _ if entry.encrypted() => "with a password".to_owned(),
        CompressionMethod::Stored | CompressionMethod::Deflated => return Ok(()),
        CompressionMethod::AES => "with a password".to_owned(),
        CompressionMethod::DEFLATE64 => "by Deflate64".to_owned(),
        CompressionMethod::BZIP2 => "by bzip2".to_owned(),
        CompressionMethod::LZMA => "by LZMA".to_owned(),
        CompressionMethod::ZSTD | CompressionMethod::ZSTD_DEPRECATED => "by Zstandard".to_owned(),
        CompressionMethod::XZ => "by xz".to_owned(),
        CompressionMethod::PPMD => "by PPMd".to_owned(),
        other => format!("by another method ({other})"),
    };
    let what = format!(
        "the image {} in the zip archive is packed {how}, which is not read",
        shown(entry.name_raw())
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, what).into())
}

/// The beginning of a name from an archive, without control characters, which a terminal might obey.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut shown: String = text
        .chars()
        .take(NAME)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.chars().nth(NAME).is_some() {
        shown += "...";
    }
    shown
}

fn as_io(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::image;
    use super::*;
    use ::zip::{ZipWriter, write::SimpleFileOptions};
    use std::io::{Cursor, Write};

    #[test]
    fn fuzz_zip() {
        let image = image(3, 2);
        let inputs = [
            pack(&[("x.img", &image)]),
            pack(&[("README", b"text"), ("d/x.IMG", &image), ("._x.img", b"")]),
            pack(&[("a.img", &image), ("b.img", &image)]),
        ];
        crate::fuzz::run(
            "zip",
            &inputs,
            &["PK\x05\x06", "PK\x01\x02", "x.img"],
            |bytes| {
                let file = tempfile::tempfile().unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0).unwrap();
                with_image(
                    &file,
                    |error| (error.kind(), String::new()),
                    |name, _, reader| {
                        let mut image = Vec::new();
                        // As much as a run would write at once.
                        let read = reader.take(1 << 20).read_to_end(&mut image);
                        read.map(|_| name.len())
                            .map_err(|error| (error.kind(), error.to_string()))
                    },
                )
            },
        );
    }

    fn pack(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            let options = SimpleFileOptions::default();
            if name.ends_with('/') {
                zip.add_directory(*name, options).unwrap();
            } else {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }

    fn unpack(bytes: &[u8]) -> io::Result<(String, Vec<u8>)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        with_image(
            &file,
            |e| e,
            |name, size, reader| {
                let mut out = Vec::new();
                reader.read_to_end(&mut out)?;
                assert_eq!(out.len() as u64, size);
                Ok((name.to_owned(), out))
            },
        )
    }

    #[test]
    fn the_one_image_is_found_among_other_files() {
        let data = image(1, 4);
        let zip = pack(&[
            ("dir/", b""),
            ("dir/README.txt", b"read me"),
            ("dir/pi.img", &data),
            ("__MACOSX/._pi.img", b"attributes"),
            ("dir/pi.img.sha256", b"0000"),
        ]);
        assert_eq!(unpack(&zip).unwrap(), ("dir/pi.img".into(), data));
        let large = vec![7; 1 << 20];
        let zip = pack(&[("README", b"x"), ("disk", &large)]);
        assert_eq!(unpack(&zip).unwrap().0, "disk");
    }

    #[test]
    fn two_images_are_refused_by_name_and_none_too() {
        let two = unpack(&pack(&[("a.img", b"1"), ("b\x1b.IMG", b"2")])).unwrap_err();
        assert!(two.to_string().contains("a.img and b?.IMG"), "{two}");
        assert!(unpack(&pack(&[("README", b"x")])).is_err());
        assert!(unpack(&pack(&[])).is_err());
    }

    #[test]
    fn damage_and_truncation_are_errors() {
        let zip = pack(&[("a.img", &image(2, 8))]);
        for cut in (0..zip.len()).step_by(97) {
            assert!(unpack(&zip[..cut]).is_err(), "cut at {cut}");
        }
        let mut broken = zip.clone();
        broken[zip.len() / 2] ^= 4;
        assert!(unpack(&broken).is_err());
    }

    #[test]
    fn methods_that_are_not_read_and_passwords_are_named() {
        let zip = pack(&[("a.img", &image(2, 8))]);
        let central = zip.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
        for (flags, method, word) in [
            (0, 9_u16, "Deflate64"),
            (0, 12, "bzip2"),
            (0, 14, "LZMA"),
            (0, 93, "Zstandard"),
            (0, 95, "by xz"),
            (0, 7, "another method"),
            (1, 8, "password"),
        ] {
            let mut zip = zip.clone();
            for at in [6, central + 8] {
                zip[at] |= flags;
                zip[at + 2..at + 4].copy_from_slice(&method.to_le_bytes());
            }
            let error = unpack(&zip).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.to_string().contains("a.img"), "{error}");
        }
    }

    #[test]
    fn many_entries_are_looked_through_and_too_many_are_not() {
        let many = |count: usize, length: usize, image: &[u8]| {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            for number in 0..count {
                zip.start_file(format!("{number:0length$}"), stored)
                    .unwrap();
            }
            zip.start_file("a.img", stored).unwrap();
            zip.write_all(image).unwrap();
            zip.finish().unwrap().into_inner()
        };
        let data = image(1, 4);
        // It was 70 GB that were read for these.
        assert_eq!(unpack(&many(70_000, 10, &data)).unwrap().1, data);
        let error = unpack(&many(300, 60_000, &data)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("directory"), "{error}");
        let images: Vec<String> = (0..1000).map(|n| format!("{n}.img")).collect();
        let images: Vec<(&str, &[u8])> = images.iter().map(|n| (n.as_str(), &b"x"[..])).collect();
        let error = unpack(&pack(&images)).unwrap_err().to_string();
        assert!(error.ends_with("2.img and 997 more"), "{error}");
    }
}
