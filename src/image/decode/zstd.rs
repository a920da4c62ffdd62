//! Zstandard, all frames one after the other.

use std::io::{self, BufRead, Read};

use super::errors::SameErrors;

/// The largest window that is decoded, as a power of two: `zstd --ultra --long=31`, the most there
/// is. The memory is used only by files that ask for it.
const WINDOW_LOG: u32 = 31;

/// Decodes every frame.
pub fn decoder<'a>(input: impl BufRead + 'a) -> io::Result<impl Read + 'a> {
    let mut decoder = ::zstd::Decoder::with_buffer(input)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(SameErrors(decoder))
}

#[cfg(test)]
mod tests {
    use super::super::{Format, testing::*};

    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn zstd_files() {
        check_format(Format::Zstd, encode);
    }

    #[test]
    fn skippable_frames_are_skipped() {
        let data = image(5, 2);
        let skip = b"\x50\x2A\x4D\x18\x03\0\0\0abc";
        let file = [&encode(&data), &skip[..], &encode(&data)].concat();
        let twice = [data.as_slice(), &data].concat();
        assert_eq!(decode(Format::Zstd, &file).unwrap(), twice);
    }
}
