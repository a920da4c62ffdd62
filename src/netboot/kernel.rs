//! For which architecture a kernel is, how it is packed, and its release.
//!
//! The header of arm64 is described in the kernel's Documentation/arch/arm64/booting.rst, that of zImage in
//! arch/arm/boot/compressed/head.S, and the EFI program that unpacks itself in drivers/firmware/efi/libstub/zboot-header.S.

use std::io::{self, Read};

use crate::bytes::Fields;

/// The most that is read of a kernel as it is packed, in bytes.
pub const MAX_PACKED: u64 = 128 << 20;
/// The most that is looked at of an unpacked one: they are some 40 MB.
const MAX_UNPACKED: u64 = 256 << 20;
/// How much tells what it is.
const HEAD: usize = 0x40;
/// How many places of a zImage are tried, where the packed kernel may begin.
const MAX_TRIES: usize = 64;
/// The longest release, as uname(2) has it.
const MAX_RELEASE: usize = 64;

/// What kind of kernel it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// For arm64, as it is or in gzip.
    Arm64,
    /// A zImage for 32-bit ARM.
    Arm,
    /// An EFI program, which the firmware of a Pi does not start.
    Efi,
    /// For x86.
    X86,
    /// Something else.
    Unknown,
}

/// What is known of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Its kind.
    pub form: Form,
    /// Its release, as `uname -r` would say it, if it can be read.
    pub release: Option<String>,
}

/// Looks at a kernel.
pub fn look(bytes: &[u8]) -> Kernel {
    let is_gzip = bytes.starts_with(b"\x1f\x8b");
    let unpacked = || flate2::bufread::GzDecoder::new(bytes);
    let mut head = Vec::new();
    let whole = match is_gzip {
        // What is damaged has a head that tells nothing.
        true => unpacked().take(HEAD as u64).read_to_end(&mut head).is_ok(),
        false => bytes.take(HEAD as u64).read_to_end(&mut head).is_ok(),
    };
    let form = if !whole { Form::Unknown } else { form(&head) };
    let release = match (form, is_gzip) {
        (Form::Arm64, true) => release(unpacked()),
        (Form::Arm64, false) => release(bytes),
        (Form::Arm, false) => packed_within(bytes),
        _ => None,
    };
    // What the firmware would start at is the first byte of what it has unpacked, and it unpacks only what is for arm64.
    let form = match (form, is_gzip) {
        (Form::Arm, true) => Form::Unknown,
        (form, _) => form,
    };
    Kernel { form, release }
}

fn form(head: &[u8]) -> Form {
    if head.has(0x38, b"ARM\x64") {
        Form::Arm64
    } else if head.u32(0x24) == 0x016f_2818 {
        Form::Arm
    } else if head.has(0, b"MZ") && head.has(4, b"zimg") {
        Form::Efi
    } else if head.has(0, b"MZ") {
        // Those for x86 are EFI programs, too.
        Form::X86
    } else {
        Form::Unknown
    }
}

/// The release of the kernel that a zImage unpacks.
fn packed_within(bytes: &[u8]) -> Option<String> {
    let starts = memchr::memmem::find_iter(bytes, b"\x1f\x8b\x08\x00");
    let mut found = starts
        .take(MAX_TRIES)
        .map(|at| flate2::bufread::GzDecoder::new(&bytes[at..]));
    found.find_map(release)
}

/// The release in a kernel's banner.
fn release(kernel: impl Read) -> Option<String> {
    const START: &[u8] = b"Linux version ";
    let mut kernel = kernel.take(MAX_UNPACKED);
    let mut text = Vec::new();
    loop {
        let before = text.len();
        // A torn stream ends it, with what there is.
        let result = kernel.by_ref().take(256 << 10).read_to_end(&mut text);
        let is_end = result.is_err() || text.len() == before;
        for at in memchr::memmem::find_iter(&text, START) {
            let rest = &text[at + START.len()..];
            let end = rest
                .iter()
                .take(MAX_RELEASE + 1)
                .position(|byte| *byte == b' ');
            if let Some(release) = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok())
                && is_release(release)
            {
                return Some(release.to_owned());
            }
        }
        if is_end {
            return None;
        }
        let keep = text.len().saturating_sub(START.len() + MAX_RELEASE);
        text.drain(..keep);
    }
}

/// Whether a text can be a release, and the name of a folder.
pub fn is_release(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-~".contains(c);
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.len() <= MAX_RELEASE
        && text.chars().all(is_plain)
}

/// Reads a kernel that is in a file.
///
/// # Errors
/// Those of the tree.
pub fn read(tree: &dyn super::Tree, path: &str) -> io::Result<Option<Kernel>> {
    let bytes = tree.read(path.as_ref(), MAX_PACKED);
    let bytes = bytes.map_err(|error| super::at(path, &error))?;
    Ok(bytes.map(|bytes| look(&bytes)))
}

#[cfg(test)]
pub mod tests {
    use std::io::Write;

    use super::*;

    /// What a kernel for arm64 of this release begins with, and its banner.
    pub fn arm64(release: &str) -> Vec<u8> {
        let mut kernel = vec![0; 0x1000];
        kernel[0x38..0x3c].copy_from_slice(b"ARM\x64");
        kernel
            .extend(format!("Linux version %s\0Linux version {release} (a@b) #1 SMP\n\0").bytes());
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

    #[test]
    fn a_kernel_tells_what_it_is_however_it_is_packed() {
        let release = "6.12.47+rpt-rpi-v8";
        let mut far = arm64("5.0");
        far.splice(0x1000..0x1000, vec![b' '; (256 << 10) - 7]);
        for (bytes, form, release) in [
            (arm64(release), Form::Arm64, Some(release)),
            (gzip(&arm64(release)), Form::Arm64, Some(release)),
            (far, Form::Arm64, Some("5.0")),
            (zimage(release), Form::Arm, Some(release)),
            (b"MZ\0\0zimg and more".to_vec(), Form::Efi, None),
            (b"MZ\0\0 x86".to_vec(), Form::X86, None),
            (gzip(&zimage(release)), Form::Unknown, None),
            (gzip(&arm64(release))[..30].to_vec(), Form::Unknown, None),
            (b"text".to_vec(), Form::Unknown, None),
        ] {
            let release = release.map(str::to_owned);
            assert_eq!(look(&bytes), Kernel { form, release });
        }
    }

    #[test]
    fn fuzz_kernels() {
        let inputs = [
            arm64("6.1.0-13-arm64")[..0x1080].to_vec(),
            gzip(&arm64("6.1")),
            zimage("6.1"),
        ];
        crate::fuzz::run(
            "pi-kernels",
            &inputs,
            &["Linux version 6", "ARM\x64", "MZ"],
            |bytes| {
                let kernel = look(bytes);
                assert!(kernel.release.as_deref().is_none_or(is_release));
                kernel
            },
        );
    }
}
