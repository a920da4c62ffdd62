//! An initramfs as the kernel unpacks it: archives of cpio one behind the other, each as it is or packed.
//!
//! The kernel's Documentation/driver-api/early-userspace/buffer-format.rst describes it. All of it is a stranger's, so there is a
//! limit to everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, Read},
    time::{Duration, Instant},
};

/// The most that is read of one as it is packed, in bytes.
pub const MAX_PACKED: u64 = 256 << 20;

/// What unpacking may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How much there may be in all, unpacked, in bytes.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
    /// How long it may take.
    pub time: Duration,
}

/// What no real one comes near to.
pub const LIMITS: Limits = Limits {
    bytes: 1 << 30,
    files: 200_000,
    time: Duration::from_secs(60),
};

/// The longest path, in bytes (PATH_MAX).
const MAX_PATH: u32 = 4096;
/// How much is kept of a file whose content matters, and of all such files.
const MAX_KEPT: u64 = 1 << 20;
const MAX_ALL_KEPT: u64 = 8 << 20;
/// How much memory decoders may take, in bytes; zstd's as a power of two.
const MAX_MEMORY: u64 = 256 << 20;
const MAX_WINDOW: u32 = 27;

/// Why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The kernel could not unpack it either.
    Broken(String),
    /// It is beyond what is read here.
    Beyond(String),
}

/// What is in an initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// The paths of all files, without a leading `/`, `./` or `usr/`.
    pub paths: BTreeSet<String>,
    /// The content of the files that were asked for.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// How much it is, unpacked, in bytes.
    pub bytes: u64,
    /// How its parts are packed.
    pub packed: Vec<&'static str>,
}

/// A path as [`Archive::paths`] has it. In a merged /usr, /lib and /usr/lib are one.
fn plain(path: &str) -> &str {
    let path = path.trim_start_matches("./").trim_start_matches('/');
    path.strip_prefix("usr/").unwrap_or(path)
}

/// Reads an initramfs; `keep` tells which files' content matters.
///
/// # Errors
/// See [`Fault`].
pub fn read(
    mut bytes: &[u8],
    limits: Limits,
    keep: &dyn Fn(&str) -> bool,
) -> Result<Archive, Fault> {
    let mut reader = Unpacking {
        archive: Archive::default(),
        limits,
        end: Instant::now() + limits.time,
        files: 0,
        kept: 0,
        keep,
    };
    let whole = bytes.len();
    loop {
        // Zeros are passed over, as many as there are.
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes = &bytes[zeros..];
        if bytes.is_empty() {
            break;
        }
        let packed = packed(bytes);
        let at = whole - bytes.len();
        let result = match packed {
            Some("cpio") => reader.archive(&mut bytes, at).map(drop),
            Some("gzip") => reader.archives(flate2::bufread::GzDecoder::new(&mut bytes)),
            Some("zstd") => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&mut bytes);
                decoder.and_then(|mut decoder| {
                    decoder.window_log_max(MAX_WINDOW)?;
                    reader.archives(decoder.single_frame())
                })
            }
            Some("xz") => {
                let stream = liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, 0);
                let stream = stream.map_err(io::Error::other);
                stream.and_then(|stream| {
                    reader.archives(liblzma::bufread::XzDecoder::new_stream(&mut bytes, stream))
                })
            }
            Some(other) => {
                return Err(Fault::Beyond(format!(
                    "it is packed with {other}, which is not read here"
                )));
            }
            None => {
                return Err(Fault::Broken(format!(
                    "what begins at byte {at} is no archive"
                )));
            }
        };
        result.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge | io::ErrorKind::TimedOut => {
                Fault::Beyond(error.to_string())
            }
            _ => Fault::Broken(format!("{}: {error}", packed.unwrap_or("cpio"))),
        })?;
        reader
            .archive
            .packed
            .extend(packed.filter(|name| !reader.archive.packed.contains(name)));
    }
    match reader.files {
        0 => Err(Fault::Broken("it is empty".into())),
        _ => Ok(reader.archive),
    }
}

/// What begins here; the names are those of usr/Kconfig.
fn packed(bytes: &[u8]) -> Option<&'static str> {
    let magics: [(&[u8], &str); 9] = [
        (b"070701", "cpio"),
        (b"070702", "cpio"),
        (b"\x1f\x8b", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x02\x21\x4c\x18", "lz4"),
        (b"BZh", "bzip2"),
        (b"\x89LZO\0", "lzo"),
        (b"\x5d\0\0", "lzma"),
    ];
    let found = magics.iter().find(|(magic, _)| bytes.starts_with(magic));
    found.map(|(_, name)| *name)
}

struct Unpacking<'a> {
    archive: Archive,
    limits: Limits,
    end: Instant,
    files: usize,
    kept: u64,
    keep: &'a dyn Fn(&str) -> bool,
}

impl Unpacking<'_> {
    /// The archives of one packed stream, to its end. Its decoder is at the end of the stream, and not beyond.
    fn archives(&mut self, stream: impl Read) -> io::Result<()> {
        let mut stream = io::BufReader::with_capacity(64 << 10, stream);
        let mut at = 0;
        loop {
            let ahead = stream.fill_buf()?;
            if ahead.is_empty() {
                return Ok(());
            }
            let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                at = self.archive(&mut stream, at)?;
            }
            stream.consume(zeros);
            self.count(zeros as u64)?;
            at += zeros;
        }
    }

    /// One archive, which begins at this byte of its stream; where it ends.
    fn archive(&mut self, stream: &mut impl BufRead, mut at: usize) -> io::Result<usize> {
        let start = at;
        loop {
            let mut header = [0; 110];
            stream.read_exact(&mut header)?;
            let header = Header::of(&header)?;
            let length = u64::from(header.name);
            let mut name = Vec::new();
            stream.take(length).read_to_end(&mut name)?;
            if name.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            // Both the name, behind the header, and the content end at a multiple of four.
            let name_end = 110 + header.name as usize;
            self.skip(stream, (name_end.wrapping_neg() % 4) as u64)?;
            let padded = u64::from(header.size).next_multiple_of(4);
            self.count(name_end as u64)?;
            at += name_end.next_multiple_of(4) + padded as usize;
            let name = name.strip_suffix(b"\0").unwrap_or(&name);
            if name == b"TRAILER!!!" {
                return Ok(at);
            }
            self.files += 1;
            if self.files > self.limits.files {
                return Err(too_large(format!(
                    "it has more than {} files",
                    self.limits.files
                )));
            }
            if self.files.is_multiple_of(256) && Instant::now() > self.end {
                let error = "unpacking it takes too long";
                return Err(io::Error::new(io::ErrorKind::TimedOut, error));
            }
            let name = String::from_utf8_lossy(name);
            let name = plain(&name).to_owned();
            let size = u64::from(header.size);
            let is_kept =
                size <= MAX_KEPT && self.kept + size <= MAX_ALL_KEPT && (self.keep)(&name);
            if is_kept {
                let mut content = Vec::new();
                stream.take(size).read_to_end(&mut content)?;
                if content.len() as u64 != size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.count(size)?;
                self.kept += size;
                self.archive.kept.insert(name.clone(), content);
                self.skip(stream, padded - size)?;
            } else {
                self.skip(stream, padded)?;
            }
            self.archive.paths.insert(name);
            debug_assert!(at > start);
        }
    }

    /// Passes over what is there. At the very end, padding may be missing.
    fn skip(&mut self, stream: &mut impl BufRead, length: u64) -> io::Result<()> {
        self.count(length)?;
        let passed = io::copy(&mut stream.take(length), &mut io::sink())?;
        match passed == length {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn count(&mut self, length: u64) -> io::Result<()> {
        self.archive.bytes += length;
        match self.archive.bytes > self.limits.bytes {
            true => Err(too_large(format!(
                "it is more than {} bytes, unpacked",
                self.limits.bytes
            ))),
            false => Ok(()),
        }
    }
}

fn too_large(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

/// What matters of a file's header.
struct Header {
    name: u32,
    size: u32,
}

impl Header {
    fn of(bytes: &[u8; 110]) -> io::Result<Self> {
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "a file's header is damaged");
        if !bytes.starts_with(b"070701") && !bytes.starts_with(b"070702") {
            return Err(broken());
        }
        let field = |at: usize| {
            let digits = std::str::from_utf8(&bytes[at..at + 8]).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (Some(size), Some(name)) = (field(54), field(94)) else {
            return Err(broken());
        };
        match (1..=MAX_PATH).contains(&name) {
            true => Ok(Header { name, size }),
            false => Err(broken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::netboot::tests::made::{cpio, gzip};

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut packed = liblzma::write::XzEncoder::new(Vec::new(), 1);
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    fn all(bytes: &[u8]) -> Result<Archive, Fault> {
        read(bytes, LIMITS, &|name| name == "etc/conf")
    }

    #[test]
    fn archives_that_stand_one_behind_the_other_are_one() {
        let early = cpio(&[("kernel/x86/microcode/GenuineIntel.bin", "x")]);
        let main = cpio(&[
            ("./usr/lib/modules/6.1/a.ko", "abcde"),
            ("/etc/conf", "text"),
        ]);
        let last = cpio(&[("late", "")]);
        for packed in [
            main.clone(),
            gzip(&main),
            xz(&main),
            zstd::encode_all(&main[..], 1).unwrap(),
            gzip(&[main.clone(), vec![0; 100], cpio(&[("more", "1")])].concat()),
        ] {
            let archive = all(&[early.clone(), packed, vec![0; 9], gzip(&last)].concat()).unwrap();
            for path in [
                "kernel/x86/microcode/GenuineIntel.bin",
                "lib/modules/6.1/a.ko",
                "etc/conf",
                "late",
            ] {
                assert!(archive.paths.contains(path), "{path}");
            }
            assert_eq!(archive.kept["etc/conf"], b"text");
            assert_eq!(archive.packed.last(), Some(&"gzip"));
        }
    }

    #[test]
    fn what_the_kernel_could_not_unpack_is_broken() {
        let main = cpio(&[("a", &"b".repeat(5000))]);
        for bytes in [
            main[..300].to_vec(),
            gzip(&main)[..20].to_vec(),
            xz(&main)[..40].to_vec(),
            zstd::encode_all(&main[..], 1).unwrap()[..20].to_vec(),
            [main.clone(), b"garbage".to_vec()].concat(),
            gzip(b"no cpio in it, but text that is long enough for a header, which has a hundred and ten bytes in all, as here"),
            b"070701 with nothing behind it".to_vec(),
            Vec::new(),
            vec![0; 1000],
        ] {
            assert!(matches!(all(&bytes), Err(Fault::Broken(_))), "{:?}", all(&bytes));
        }
        let lz4 = Fault::Beyond("it is packed with lz4, which is not read here".into());
        assert_eq!(all(b"\x02\x21\x4c\x18...."), Err(lz4));
    }

    #[test]
    fn a_bomb_is_given_up() {
        let limits = Limits {
            bytes: 1 << 20,
            files: 100,
            time: Duration::from_secs(5),
        };
        let read = |bytes: &[u8]| read(bytes, limits, &|_| true);
        let zeros = gzip(&vec![0; 4 << 20]);
        let large = gzip(&cpio(&[("a", &"b".repeat(2 << 20))]));
        let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let names: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        for bytes in [zeros, large, cpio(&names)] {
            assert!(matches!(read(&bytes), Err(Fault::Beyond(_))));
        }
        let no_time = Limits {
            time: Duration::ZERO,
            files: 10_000,
            ..limits
        };
        let names: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        let names: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let slow = super::read(&cpio(&names), no_time, &|_| true);
        assert_eq!(
            slow,
            Err(Fault::Beyond("unpacking it takes too long".into()))
        );
    }

    #[test]
    fn fuzz_initramfs() {
        let main = cpio(&[("lib/modules/6.1/a.ko", "abcde"), ("etc/conf", "text")]);
        let inputs = [
            main.clone(),
            gzip(&main),
            xz(&main),
            zstd::encode_all(&main[..], 1).unwrap(),
            [main.clone(), gzip(&main)].concat(),
        ];
        let limits = Limits {
            bytes: 64 << 20,
            files: 1000,
            time: Duration::from_secs(5),
        };
        crate::fuzz::run(
            "initramfs",
            &inputs,
            &["070701", "TRAILER!!!", "\x1f", "7zXZ"],
            |bytes| match read(bytes, limits, &|name| name.starts_with("etc/")) {
                Ok(archive) => {
                    assert!(archive.bytes <= limits.bytes && archive.paths.len() <= limits.files);
                    format!("{} {}", archive.paths.len(), archive.kept.len())
                }
                Err(fault) => format!("{fault:?}"),
            },
        );
    }
}
