//! How an image is packed, told by its first bytes.

use crate::sys::qemu_img::DiskFormat;

/// How an image is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not packed.
    Raw,
    /// .xz, of one or more streams and blocks.
    Xz,
    /// gzip, of one or more members.
    Gzip,
    /// Zstandard, of one or more frames.
    Zstd,
    /// A zip archive that holds one image.
    Zip,
    /// Files in a tar archive, which is no image.
    Tar,
    /// The disk of a virtual machine.
    Disk(DiskFormat),
    /// Something else with a known signature: its name, and how to make an image of it.
    Foreign(&'static str, &'static str),
    /// Text that a server sent in place of an image, such as "an HTML page".
    Page(&'static str),
}

/// How many bytes [`Format::detect`] wants to see.
pub const HEAD: usize = 262 + 6;

/// Signatures: offset, bytes, format. From the formats' specifications (.xz file format 1.2.1,
/// RFC 1952, RFC 8878, APPNOTE 6.3) and, for foreign ones, file(1)'s list.
const SIGNATURES: &[(usize, &[u8], Format)] = &[
    (0, b"\xFD7zXZ\0", Format::Xz),
    (0, b"\x1F\x8B", Format::Gzip),
    (0, b"\x28\xB5\x2F\xFD", Format::Zstd),
    (0, b"PK\x03\x04", Format::Zip),
    (0, b"PK\x05\x06", Format::Zip),
    (
        0,
        b"BZh",
        Format::Foreign("bzip2", "unpack it with bunzip2 first"),
    ),
    (
        0,
        b"7z\xBC\xAF\x27\x1C",
        Format::Foreign("7-Zip", "unpack it with 7z x first"),
    ),
    (
        0,
        b"\x04\x22\x4D\x18",
        Format::Foreign("lz4", "unpack it with lz4 -d first"),
    ),
    (
        0,
        b"LZIP",
        Format::Foreign("lzip", "unpack it with lzip -d first"),
    ),
    (
        0,
        b"\x5D\0\0",
        Format::Foreign("lzma", "unpack it with xz -d first"),
    ),
    (
        0,
        b"Rar!",
        Format::Foreign("RAR", "unpack it with unrar first"),
    ),
    (0, b"QFI\xFB", Format::Disk(DiskFormat::Qcow2)),
    (0, b"KDMV", Format::Disk(DiskFormat::Vmdk)),
    (
        0,
        b"# Disk DescriptorFile",
        Format::Foreign(
            "VMDK (in several files)",
            "make one file of them with qemu-img convert -O qcow2 first",
        ),
    ),
    (
        0,
        b"conectix",
        Format::Foreign("VHD", "convert it with qemu-img convert -O raw first"),
    ),
    (0, b"vhdxfile", Format::Disk(DiskFormat::Vhdx)),
    (64, b"\x7F\x10\xDA\xBE", Format::Disk(DiskFormat::Vdi)),
    (257, b"ustar", Format::Tar),
    (
        0,
        b"hsqs",
        Format::Foreign("squashfs", "name a disk image, with a partition table"),
    ),
];

impl Format {
    /// The format of a file that begins with `head`; what nothing matches is raw.
    pub fn detect(head: &[u8]) -> Format {
        let found = SIGNATURES.iter().find(|(offset, bytes, _)| {
            head.get(*offset..)
                .is_some_and(|rest| rest.starts_with(bytes))
        });
        if found.is_none()
            && let Some(page) = page(head)
        {
            return Format::Page(page);
        }
        // A compressed file may itself be empty of data, but no disk image begins like one:
        // boot code begins with a jump, or the sector is zero up to its table.
        found.map_or(Format::Raw, |(_, _, format)| *format)
    }

    /// The name shown to the user.
    pub fn name(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Xz => "xz",
            Format::Gzip => "gzip",
            Format::Zstd => "zstd",
            Format::Zip => "zip",
            Format::Tar => "tar",
            Format::Disk(disk) => disk.name(),
            Format::Foreign(name, _) | Format::Page(name) => name,
        }
    }
}

/// What `head` is, if it is a document of the web: its first tag says so, after blanks and a byte order mark.
fn page(head: &[u8]) -> Option<&'static str> {
    const TAGS: [(&str, &str); 3] = [
        ("<!doctype html", "an HTML page"),
        ("<html", "an HTML page"),
        ("<?xml", "an XML document"),
    ];
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let text = text.trim_ascii_start();
    let begins = |tag: &str| {
        let first = text.get(..tag.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let found = TAGS.iter().find(|(tag, _)| begins(tag));
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        assert_eq!(Format::detect(b""), Format::Raw);
        assert_eq!(Format::detect(&[0; HEAD]), Format::Raw);
        assert_eq!(Format::detect(b"\xEB\x3C\x90MSDOS5.0"), Format::Raw);
        let mut tar = [0; HEAD];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(Format::detect(&tar), Format::Tar);
        for page in ["<html><body>", "\u{feff}\n <!DOCTYPE HTML>"] {
            assert_eq!(
                Format::detect(page.as_bytes()),
                Format::Page("an HTML page")
            );
        }
        assert_eq!(Format::detect(b"<h"), Format::Raw);
    }
}
