//! gzip, all members one after the other.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use super::errors::SameErrors;

/// Decodes every member. Behind the last there may be zeros, as gzip itself allows: tapes and some mirrors
/// fill their blocks with them.
pub fn decoder(input: impl BufRead) -> impl Read {
    SameErrors(Members(Some(GzDecoder::new(input))))
}

/// The member being decoded; `None` behind the last.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(mut member) = self.0.take() {
            let produced = member.read(out)?;
            if produced > 0 {
                self.0 = Some(member);
                return Ok(produced);
            }
            let mut input = member.into_inner();
            match input.fill_buf()?.first() {
                None => {}
                Some(0) => only_zeros(&mut input)?,
                Some(_) => self.0 = Some(GzDecoder::new(input)),
            }
        }
        Ok(0)
    }
}

/// Reads to the end, where nothing but zeros may be.
fn only_zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "there is something else behind the gzip data",
            ));
        }
        match bytes.len() {
            0 => return Ok(()),
            count => input.consume(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, testing::*};
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

    #[test]
    fn zeros_may_follow_and_nothing_may_follow_them() {
        let data = image(3, 3);
        let packed = encode(&data);
        for zeros in [1, 7, 512, 70_000] {
            let padded = [&packed, &vec![0; zeros][..]].concat();
            assert_eq!(decode(Format::Gzip, &padded).unwrap(), data);
            for more in [&b"x"[..], &packed] {
                let error = decode(Format::Gzip, &[&padded, more].concat()).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
            }
        }
    }
}
