//! What the image's kernel says of itself: `uname -v`, and the line in /proc/version.
//!
//! It is in the kernel's own file and nowhere else. Files of kernels are the image's, so they are read with limits.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use crate::sys::inroot::Root;

/// Where distributions have the kernel of a release.
const PLACES: [&str; 4] = [
    "boot/vmlinuz-{}",
    "boot/Image-{}",
    "usr/lib/modules/{}/vmlinuz",
    "lib/modules/{}/vmlinuz",
];
/// Where a Pi's firmware has kernels, of whichever release.
const OF_FIRMWARE: [&str; 5] = [
    "boot/firmware/kernel8.img",
    "boot/firmware/kernel_2712.img",
    "boot/firmware/vmlinuz",
    "boot/firmware/current/vmlinuz",
    "boot/kernel8.img",
];
/// The most that is looked at of an unpacked kernel, in bytes: they are some 40 MB.
const MAX_KERNEL: u64 = 256 << 20;
/// The longest line, in bytes.
const MAX_LINE: usize = 1024;
/// How much tells what kind of kernel it is.
const HEAD: usize = 0x230;
/// How much is searched at a time.
const CHUNK: usize = 256 << 10;

/// The kernel's banner, as /proc/version shows it, without the newline.
pub fn banner(root: &Root, release: &str) -> Option<String> {
    let usual = PLACES.map(|place| place.replace("{}", release));
    let firmware = OF_FIRMWARE.map(str::to_owned);
    let files = usual.iter().chain(&firmware);
    files
        .flat_map(|path| root.file(Path::new(path)))
        .find_map(|file| banner_of(file, release).ok().flatten())
}

/// `uname -v`, out of a banner.
pub fn version(banner: &str) -> Option<&str> {
    // UTS_VERSION begins like this, and is last (init/version-timestamp.c).
    let at = banner.rfind(" #")?;
    Some(&banner[at + 1..])
}

fn banner_of(mut file: File, release: &str) -> io::Result<Option<String>> {
    let mut start = Vec::new();
    file.by_ref().take(HEAD as u64).read_to_end(&mut start)?;
    let mut head = [0; HEAD];
    head[..start.len()].copy_from_slice(&start);
    if let Some(at) = x86_text(&head) {
        file.seek(SeekFrom::Start(at))?;
        let mut text = Vec::new();
        file.take(MAX_LINE as u64).read_to_end(&mut text)?;
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        let its = text.starts_with(&format!("{release} "));
        return Ok(its.then(|| format!("Linux version {text}")));
    }
    let (start, packed) = match efi_payload(&head) {
        Some((start, kind)) => (start, kind),
        None => (0, Packed::of(&head)),
    };
    file.seek(SeekFrom::Start(start))?;
    let file = BufReader::new(file);
    match packed {
        Packed::Gzip => search(flate2::bufread::GzDecoder::new(file), release),
        Packed::Zstd => search(zstd::stream::read::Decoder::with_buffer(file)?, release),
        Packed::Not => search(file, release),
    }
}

/// How a kernel is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packed {
    Not,
    Gzip,
    Zstd,
}

impl Packed {
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Packed::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Packed::Zstd,
            _ => Packed::Not,
        }
    }
}

/// Where an x86 kernel has its version (Documentation/arch/x86/boot.rst, "kernel_version").
fn x86_text(head: &[u8; HEAD]) -> Option<u64> {
    let offset = u16::from_le_bytes([head[0x20e], head[0x20f]]);
    (&head[0x202..0x206] == b"HdrS" && offset != 0).then(|| u64::from(offset) + 0x200)
}

/// Where the packed kernel begins in an EFI program that unpacks it (drivers/firmware/efi/libstub/zboot-header.S).
fn efi_payload(head: &[u8; HEAD]) -> Option<(u64, Packed)> {
    if !head.starts_with(b"MZ") || &head[4..8] != b"zimg" {
        return None;
    }
    let offset = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    let packed = match &head[24..28] {
        b"gzip" => Packed::Gzip,
        b"zstd" => Packed::Zstd,
        _ => return None,
    };
    Some((offset.into(), packed))
}

/// Looks for the banner of this release.
fn search(kernel: impl Read, release: &str) -> io::Result<Option<String>> {
    let mut kernel = kernel.take(MAX_KERNEL);
    let start = format!("Linux version {release} ").into_bytes();
    let mut text = Vec::new();
    loop {
        let before = text.len();
        kernel.by_ref().take(CHUNK as u64).read_to_end(&mut text)?;
        let at_end = text.len() == before;
        let found = memchr::memmem::find(&text, &start);
        // A line is whole if there is more behind it.
        if let Some(at) = found.filter(|at| at_end || text.len() - at > MAX_LINE) {
            let line = text[at..].iter().take(MAX_LINE).copied();
            let line = line.take_while(|byte| *byte != b'\n' && *byte != 0);
            return Ok(Some(
                String::from_utf8_lossy(&line.collect::<Vec<_>>()).into_owned(),
            ));
        }
        if at_end {
            return Ok(None);
        }
        let keep = found.unwrap_or(text.len().saturating_sub(start.len()));
        text.drain(..keep);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const RELEASE: &str = "6.1.0-13-arm64";
    const BANNER: &str = "Linux version 6.1.0-13-arm64 (debian-kernel@lists.debian.org) (gcc-12 \
                          (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP Debian 6.1.55-1 (2023-09-29)";

    fn kernel() -> Vec<u8> {
        let mut kernel = vec![7; CHUNK - 20];
        kernel.extend(b"Linux version 6.1.0-1-arm64 (other)\n\0");
        kernel.extend(BANNER.as_bytes());
        kernel.extend(b"\n\0");
        kernel.extend(vec![9; CHUNK]);
        kernel
    }

    fn found(name: &str, content: &[u8]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        banner(&Root::open(dir.path()).unwrap(), RELEASE)
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(content).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_kernel_tells_its_version_however_it_is_packed() {
        let kernel = kernel();
        let name = "boot/vmlinuz-6.1.0-13-arm64";
        assert_eq!(found(name, &kernel).as_deref(), Some(BANNER));
        assert_eq!(
            found("boot/firmware/kernel8.img", &gzip(&kernel)).as_deref(),
            Some(BANNER)
        );
        for (kind, packed) in [
            (b"gzip", gzip(&kernel)),
            (b"zstd", zstd::encode_all(&kernel[..], 1).unwrap()),
        ] {
            let mut program = vec![0; 0x400];
            program[..2].copy_from_slice(b"MZ");
            program[4..8].copy_from_slice(b"zimg");
            program[8..12].copy_from_slice(&0x400_u32.to_le_bytes());
            program[24..28].copy_from_slice(kind);
            program.extend(packed);
            assert_eq!(found(name, &program).as_deref(), Some(BANNER));
        }
        assert_eq!(version(BANNER), Some("#1 SMP Debian 6.1.55-1 (2023-09-29)"));
    }

    #[test]
    fn a_kernel_for_x86_tells_it_in_its_header() {
        let text = format!("{RELEASE} (me@here) #1 SMP Debian 6.1.55-1");
        let mut kernel = vec![0; 0x1000];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x20e..0x210].copy_from_slice(&0x600_u16.to_le_bytes());
        kernel[0x800..0x800 + text.len()].copy_from_slice(text.as_bytes());
        let found = found("boot/vmlinuz-6.1.0-13-arm64", &kernel).unwrap();
        assert_eq!(version(&found), Some("#1 SMP Debian 6.1.55-1"));
    }

    #[test]
    fn what_is_no_kernel_tells_nothing() {
        assert_eq!(found("boot/vmlinuz-6.1.0-13-arm64", b"short"), None);
        let torn = &gzip(&kernel())[..200];
        let mut torn = torn.to_vec();
        torn.resize(0x400, 0);
        assert_eq!(found("boot/vmlinuz-6.1.0-13-arm64", &torn), None);
        assert_eq!(found("boot/vmlinuz-6.1.0-1-arm64", &kernel()), None);
    }
}
