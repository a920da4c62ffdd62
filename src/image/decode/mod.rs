//! Decoders: a compressed source as a plain `Read`, its kind told by its first bytes.
//!
//! Every decoder reads to the very end of its input: several streams one after the other are one
//! image, a missing end is [`io::ErrorKind::UnexpectedEof`], and anything else behind the data is
//! [`io::ErrorKind::InvalidData`]. None ever ends early without an error.

mod gzip;
mod xz;
pub(super) mod zip;
mod zstd;

use std::io::{self, BufRead, Read};

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
    /// Something else with a known signature: its name, and how to make an image of it.
    Foreign(&'static str, &'static str),
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
    (
        0,
        b"QFI\xFB",
        Format::Foreign("qcow2", "convert it with qemu-img convert -O raw first"),
    ),
    (
        0,
        b"KDMV",
        Format::Foreign("VMDK", "convert it with qemu-img convert -O raw first"),
    ),
    (
        0,
        b"conectix",
        Format::Foreign("VHD", "convert it with qemu-img convert -O raw first"),
    ),
    (
        0,
        b"vhdxfile",
        Format::Foreign("VHDX", "convert it with qemu-img convert -O raw first"),
    ),
    (
        257,
        b"ustar",
        Format::Foreign("tar", "unpack it with tar -x first"),
    ),
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
            Format::Foreign(name, _) => name,
        }
    }
}

/// The decoded bytes of the stream `input` of the given format; zip needs [`zip::with_image`].
pub fn open<'a>(format: Format, input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Raw => Box::new(input),
        Format::Xz => Box::new(xz::Decoder::new(input)?),
        Format::Gzip => Box::new(gzip::decoder(input)),
        Format::Zstd => Box::new(zstd::decoder(input)?),
        Format::Zip | Format::Foreign(..) => {
            let name = format.name();
            return Err(io::Error::other(format!(
                "{name} is not a stream to decode"
            )));
        }
    })
}

/// Gives a library's errors about damaged data the kind promised above.
struct SameErrors<R>(R);

impl<R: Read> Read for SameErrors<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| match error.kind() {
            io::ErrorKind::Other | io::ErrorKind::InvalidInput
                if error.raw_os_error().is_none() =>
            {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
            _ => error,
        })
    }
}

/// Inputs that every stream decoder must take or refuse in the same way.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// About `blocks` times 4 KiB, with runs of zeros as in a disk image; the same for a seed.
    pub fn image(seed: u64, blocks: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut out = Vec::new();
        for _ in 0..blocks {
            match next() % 3 {
                0 => out.resize(out.len() + 4096, 0),
                1 => out.extend((0..4096).map(|_| next() as u8)),
                _ => out.extend((0..4096).map(|_| b'a' + (next() % 4) as u8)),
            }
        }
        out
    }

    /// Everything that decoding `bytes` gives.
    pub fn decode(format: Format, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // A tiny buffer, so that every boundary falls inside one.
        let input = io::BufReader::with_capacity(37, bytes);
        open(format, input)?.read_to_end(&mut out)?;
        Ok(out)
    }

    /// The demands on a stream format, given its encoder.
    pub fn check_format(format: Format, encode: fn(&[u8]) -> Vec<u8>) {
        let (one, two) = (image(7, 12), image(9, 5));
        let packed = encode(&one);
        assert_eq!(Format::detect(&packed), format);
        assert_eq!(decode(format, &packed).unwrap(), one);
        assert_eq!(decode(format, &encode(b"")).unwrap(), b"");

        let both = [packed.clone(), encode(&two)].concat();
        assert_eq!(
            decode(format, &both).unwrap(),
            [one.as_slice(), &two].concat()
        );

        let whole = packed.len();
        for cut in (0..both.len()).filter(|cut| cut % 61 == 0 || cut.abs_diff(whole) < 24) {
            if cut != whole {
                let error = decode(format, &both[..cut]).unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof,
                    "cut at {cut}: {error}"
                );
            }
        }
        for garbage in [&b"x"[..], b"garbage behind the data", &both[1..40]] {
            let error = decode(format, &[&packed, garbage].concat()).unwrap_err();
            let kinds = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
            assert!(kinds.contains(&error.kind()), "{error:?}");
        }
        let mut broken = packed.clone();
        broken[whole / 2] ^= 0x10;
        assert!(decode(format, &broken).is_err());
    }
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
        assert_eq!(Format::detect(&tar).name(), "tar");
    }
}
