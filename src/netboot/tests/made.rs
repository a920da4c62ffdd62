//! Kernels and archives that are made for tests.

use std::io::Write;

/// What a kernel for arm64 of this release begins with, and its banner.
pub fn arm64(release: &str) -> Vec<u8> {
    let mut kernel = vec![0; 0x1000];
    kernel[0x38..0x3c].copy_from_slice(b"ARM\x64");
    kernel.extend(format!("Linux version %s\0Linux version {release} (a@b) #1 SMP\n\0").bytes());
    kernel.extend(vec![7; 300 << 10]);
    kernel
}

/// The same in gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A zImage.
pub fn zimage(release: &str) -> Vec<u8> {
    let mut kernel = vec![0; 0x200];
    kernel[0x24..0x28].copy_from_slice(&0x016f_2818_u32.to_le_bytes());
    kernel.extend(b"\x1f\x8b\x08\x00 not here");
    kernel.extend(gzip(&arm64(release)));
    kernel
}

/// An archive of files with their content.
pub fn cpio(files: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files.iter().chain(&[("TRAILER!!!", "")]) {
        let fields = [
            0,
            0o100_644,
            0,
            0,
            1,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ];
        bytes.extend(b"070701");
        for field in fields {
            write!(bytes, "{field:08X}").unwrap();
        }
        bytes.extend(name.bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(content.bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}
