//! xz, decoded by all cores.
//!
//! liblzma's threaded decoder needs two memory limits to use its threads at all, and ends after the
//! first stream of a file, saying that all is well. So the streams are counted here: behind each may
//! come zero bytes in fours, then another stream or the end of the file, and nothing else.

mod size;

use std::io::{self, BufRead, Read};

pub use size::unpacked;

use liblzma::stream::{Action, Error, MtStreamBuilder, Status, Stream};

/// The least memory that decoding may use, in bytes: `xz -9` needs 65 MiB, and a thread more than
/// its block's size.
const LEAST_MEMORY: u64 = 512 << 20;

/// The most streams in one file. Each costs a decoder, so a file of a million empty ones would take minutes.
/// Programs that pack in parallel make one for some MiB at the least.
const MOST_STREAMS: u64 = 8192;

/// Decodes xz streams one after the other.
pub struct Decoder<R> {
    input: R,
    /// The stream being decoded; `None` between streams.
    stream: Option<Stream>,
    /// How many streams have ended.
    ended: u64,
}

impl<R: BufRead> Decoder<R> {
    /// A decoder that uses as many threads as there are cores.
    pub fn new(input: R) -> io::Result<Self> {
        Ok(Decoder {
            input,
            stream: Some(new_stream()?),
            ended: 0,
        })
    }

    /// Skips the padding behind a stream; false at the end of the file.
    fn skip_padding(&mut self) -> io::Result<bool> {
        let mut padding = 0_u64;
        loop {
            let input = self.input.fill_buf()?;
            let zeros = input.iter().take_while(|byte| **byte == 0).count();
            let stop = zeros < input.len();
            let end = input.is_empty();
            self.input.consume(zeros);
            padding += zeros as u64;
            if !stop && !end {
                continue;
            }
            // .xz file format 1.2.1, section 2.2.
            if !padding.is_multiple_of(4) {
                return Err(garbage());
            }
            return Ok(stop);
        }
    }

    /// Feeds liblzma until it gives bytes; 0 at the end of a stream.
    fn step(&mut self, stream: &mut Stream, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.input.fill_buf()?;
            let end = input.is_empty();
            let (read, written) = (stream.total_in(), stream.total_out());
            let action = if end { Action::Finish } else { Action::Run };
            let result = stream.process(input, out, action);
            let consumed = (stream.total_in() - read) as usize;
            let produced = (stream.total_out() - written) as usize;
            self.input.consume(consumed);
            match result {
                Ok(Status::StreamEnd) if produced == 0 => return Ok(0),
                Ok(_) if produced > 0 => return Ok(produced),
                Ok(Status::MemNeeded) if end => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Status::MemNeeded) => return Err(Error::Data.into()),
                // Threads may take input for a while before the first of them has output.
                Ok(_) => {}
                Err(Error::Format) if self.ended > 0 => return Err(garbage()),
                Err(Error::MemLimit) => {
                    return Err(io::Error::new(
                        io::ErrorKind::OutOfMemory,
                        "decoding needs more memory than half of this machine's",
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None if self.skip_padding()? => match self.ended {
                    MOST_STREAMS.. => return Err(too_many()),
                    _ => new_stream()?,
                },
                None => return Ok(0),
            };
            let produced = self.step(&mut stream, out)?;
            if produced > 0 {
                self.stream = Some(stream);
                return Ok(produced);
            }
            self.ended += 1;
        }
    }
}

fn too_many() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("there are more than {MOST_STREAMS} xz streams in it"),
    )
}

fn garbage() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "there is something else behind the xz data",
    )
}

/// A decoder of one stream, with as many threads as there are cores and as the memory allows.
fn new_stream() -> Result<Stream, Error> {
    let memory = physical_memory();
    MtStreamBuilder::new()
        .threads(std::thread::available_parallelism().map_or(1, |n| n.get() as u32))
        // Above this it decodes with fewer threads (the share xz itself takes), above the other
        // one it gives up.
        .memlimit_threading((memory / 4).max(LEAST_MEMORY))
        .memlimit_stop((memory / 2).max(LEAST_MEMORY))
        .decoder()
}

/// The machine's memory in bytes; a guess of 2 GiB where it does not tell.
fn physical_memory() -> u64 {
    use nix::unistd::{SysconfVar, sysconf};
    let value = |var| sysconf(var).ok().flatten().map(|value| value as u64);
    match (value(SysconfVar::_PHYS_PAGES), value(SysconfVar::PAGE_SIZE)) {
        (Some(pages), Some(size)) => pages * size,
        _ => 2 << 30,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, testing::*};
    use super::*;
    use std::io::Write;

    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Many blocks with their sizes in the headers, as `xz -T0` writes them.
    fn encode_blocks(bytes: &[u8]) -> Vec<u8> {
        let stream = MtStreamBuilder::new()
            .threads(2)
            .block_size(16 << 10)
            .preset(1)
            .check(liblzma::stream::Check::Crc64)
            .encoder()
            .unwrap();
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn single_block_files() {
        check_format(Format::Xz, encode);
    }

    #[test]
    fn multi_block_files() {
        check_format(Format::Xz, encode_blocks);
    }

    #[test]
    fn padding_in_fours_is_skipped_between_streams_and_at_the_end() {
        let data = image(3, 3);
        let packed = encode(&data);
        let padded = [&packed, &[0; 52][..], &packed, &[0; 4]].concat();
        let twice = [data.as_slice(), &data].concat();
        assert_eq!(decode(Format::Xz, &padded).unwrap(), twice);
        for odd in [1, 2, 3, 41] {
            assert!(decode(Format::Xz, &[&packed, &vec![0; odd][..]].concat()).is_err());
            assert!(decode(Format::Xz, &[&packed, &vec![0; odd][..], &packed].concat()).is_err());
        }
    }

    #[test]
    fn more_streams_than_anybody_packs_are_refused() {
        let most = MOST_STREAMS as usize;
        let empty = encode(b"");
        assert_eq!(decode(Format::Xz, &empty.repeat(most)).unwrap(), b"");
        let error = decode(Format::Xz, &empty.repeat(most + 1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_cut_off_anywhere_is_an_error(seed: u64, blocks in 1..40_usize, at in 0.0..1.0) {
            let packed = encode_blocks(&image(seed, blocks));
            let cut = (packed.len() as f64 * at) as usize;
            let error = decode(Format::Xz, &packed[..cut]).unwrap_err();
            proptest::prop_assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
