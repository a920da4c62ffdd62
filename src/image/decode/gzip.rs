//! gzip, all members one after the other.

use std::io::{BufRead, Read};

use super::errors::SameErrors;

/// Decodes every member; the simpler decoder of the same crate would end after the first.
pub fn decoder(input: impl BufRead) -> impl Read {
    SameErrors(flate2::bufread::MultiGzDecoder::new(input))
}

#[cfg(test)]
mod tests {
    use super::super::{Format, testing::check_format};
    use std::io::Write;

    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_files() {
        check_format(Format::Gzip, encode);
    }
}
