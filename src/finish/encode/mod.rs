//! Packing, with all processors. The same bytes come out however many there are.

mod ending;
mod gzip;

use std::{
    fs,
    io::{self, BufWriter, Write},
    num::NonZero,
    thread,
};

use liblzma::{
    stream::{Check, MtStreamBuilder},
    write::XzEncoder,
};

pub use ending::Encoder;

use super::output::Packing;

/// The levels that `xz`, `zstd` and `gzip` take if none is given.
const XZ: u32 = 6;
const ZSTD: i32 = 3;
const GZIP: u32 = 6;

/// Packs into `output`; without a `packing` nothing is changed.
pub fn encoder<'a>(
    packing: Option<Packing>,
    output: impl Write + 'a,
) -> io::Result<Box<dyn Encoder + 'a>> {
    let output = BufWriter::with_capacity(1 << 20, output);
    Ok(match packing {
        None => Box::new(output),
        Some(Packing::Xz) => Box::new(XzEncoder::new_stream(output, xz_stream()?)),
        Some(Packing::Zstd) => {
            let mut encoder = zstd::Encoder::new(output, ZSTD)?;
            encoder.multithread(processors() as u32)?;
            // As the program does.
            encoder.include_checksum(true)?;
            Box::new(encoder)
        }
        Some(Packing::Gzip) => Box::new(gzip::Gzip::new(output, GZIP, processors())?),
    })
}

/// xz with as many threads as there are processors, and as memory allows: each needs some 100 MiB.
fn xz_stream() -> io::Result<liblzma::stream::Stream> {
    let allowed = available_memory() / 2;
    let with = |threads: usize| {
        let mut builder = MtStreamBuilder::new();
        builder
            .threads(threads as u32)
            .preset(XZ)
            .check(Check::Crc64);
        builder
    };
    let fits = |threads: &usize| with(*threads).memusage() <= allowed;
    let threads = (1..=processors()).rev().find(fits).unwrap_or(1);
    Ok(with(threads).encoder()?)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// What the kernel can give, in bytes; much where it does not say.
fn available_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or(u64::MAX, |kib| kib << 10)
}

impl<W: Write> Encoder for BufWriter<W> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl<W: Write> Encoder for XzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        XzEncoder::finish(*self)?.flush()
    }
}

impl<W: Write> Encoder for zstd::Encoder<'_, W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        zstd::Encoder::finish(*self)?.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        process::{Command, Stdio},
    };

    use super::*;

    /// Zeros, text and noise, as in a disk image.
    pub fn image(seed: u64, size: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut bytes = Vec::with_capacity(size + 8192);
        while bytes.len() < size {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let length = (state >> 50) as usize % 8192;
            match state >> 62 {
                0 => bytes.resize(bytes.len() + length, 0),
                1 => bytes.extend((0..length).map(|i| b'a' + (i % 7) as u8)),
                _ => bytes.extend((0..length).map(|i| (state >> (i % 48)) as u8 ^ i as u8)),
            }
        }
        bytes.truncate(size);
        bytes
    }

    pub fn packed(packing: Packing, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = encoder(Some(packing), &mut out).unwrap();
        // Pieces of any size.
        for piece in bytes.chunks(65_537) {
            encoder.write_all(piece).unwrap();
        }
        encoder.finish().unwrap();
        out
    }

    /// What the program makes of it.
    fn unpacked(program: &str, bytes: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(["-d", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
        let writer = thread::spawn(move || stdin.write_all(&bytes));
        let mut out = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        assert!(child.wait().unwrap().success(), "{program}");
        writer.join().unwrap().unwrap();
        out
    }

    #[test]
    fn the_programs_read_it() {
        for (packing, program) in [
            (Packing::Xz, "xz"),
            (Packing::Zstd, "zstd"),
            (Packing::Gzip, "gzip"),
        ] {
            for size in [0, 1, (1 << 20) - 1, 1 << 20, (5 << 20) + 3] {
                let bytes = image(size as u64, size);
                let packed = packed(packing, &bytes);
                assert!(unpacked(program, &packed) == bytes, "{program} {size}");
            }
        }
    }

    /// A disk that is full is told, and not only when all is dropped.
    #[test]
    fn a_full_disk_is_an_error() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let count = bytes.len().min(self.0);
                self.0 -= count;
                Ok(count)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = image(3, 3 << 20);
        for packing in [
            None,
            Some(Packing::Xz),
            Some(Packing::Zstd),
            Some(Packing::Gzip),
        ] {
            for room in [0, 10, 100_000] {
                let mut encoder = encoder(packing, Full(room)).unwrap();
                let written = encoder.write_all(&bytes).and_then(|()| encoder.finish());
                let error = written.unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::StorageFull,
                    "{packing:?} {room}"
                );
            }
        }
    }
}
