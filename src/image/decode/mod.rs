//! Decoders: a compressed source as a plain `Read`, its kind told by its first bytes.
//!
//! Every decoder reads to the very end of its input: several streams one after the other are one
//! image, a missing end is [`io::ErrorKind::UnexpectedEof`], and anything else behind the data is
//! [`io::ErrorKind::InvalidData`]. None ever ends early without an error.

pub(super) mod disk;
mod errors;
mod format;
mod gzip;
mod xz;
pub(super) mod zip;
mod zstd;

use std::{
    fs::File,
    io::{self, BufRead, Read},
};

pub use format::{Format, HEAD};

/// The decoded bytes of the stream `input` of the given format; zip needs [`zip::with_image`].
pub fn open<'a>(format: Format, input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Raw | Format::Tar => Box::new(input),
        Format::Xz => Box::new(xz::Decoder::new(input)?),
        Format::Gzip => Box::new(gzip::decoder(input)),
        Format::Zstd => Box::new(zstd::decoder(input)?),
        Format::Zip | Format::Disk(_) | Format::Foreign(..) | Format::Page(_) => {
            let name = format.name();
            return Err(io::Error::other(format!(
                "{name} is not a stream to decode"
            )));
        }
    })
}

/// How large the content of `file` is, where that can be told without decoding it. For messages only.
pub fn unpacked_size(format: Format, file: &File) -> Option<u64> {
    match format {
        Format::Xz => xz::unpacked(file),
        _ => None,
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

    #[test]
    fn fuzz_streams() {
        use std::io::Write;
        let data = image(5, 6);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&data).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&data).unwrap();
        let inputs = [
            gzip.finish().unwrap(),
            xz.finish().unwrap(),
            ::zstd::encode_all(&data[..], 1).unwrap(),
        ];
        crate::fuzz::run("streams", &inputs, &["\u{1f}", "7zXZ"], |bytes| {
            let format = Format::detect(bytes);
            if matches!(format, Format::Zip | Format::Foreign(..) | Format::Page(_)) {
                return (format.name(), None);
            }
            let decoded = open(format, bytes).and_then(|reader| {
                let mut out = Vec::new();
                reader
                    .take(8 << 20)
                    .read_to_end(&mut out)
                    .map(|_| out.len() >> 12)
            });
            (format.name(), Some(decoded.map_err(|error| error.kind())))
        });
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
