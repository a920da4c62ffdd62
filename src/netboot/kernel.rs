//! For which architecture a kernel is, how it is packed, and its release.
//!
//! The header of arm64 is described in the kernel's Documentation/arch/arm64/booting.rst, that of zImage in
//! arch/arm/boot/compressed/head.S, and the EFI program that unpacks itself in drivers/firmware/efi/libstub/zboot-header.S.

use std::io::{self, Read};

use super::tree::{Tree, at};
use crate::bytes::Fields;

/// The most that is read of a kernel as it is packed, in bytes.
pub const MAX_PACKED: u64 = 128 << 20;
/// The most that is unpacked: kernels are some 40 MB.
const MAX_UNPACKED: u64 = 128 << 20;
/// How many places of a zImage are tried, where the packed kernel may begin.
const MAX_TRIES: usize = 8;
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
    let nothing = Kernel {
        form: Form::Unknown,
        release: None,
    };
    if bytes.starts_with(b"\x1f\x8b") {
        // What is cut off ends in an error, and the firmware unpacks only what is for arm64.
        return match gunzip(bytes) {
            Ok(kernel) if form(&kernel) == Form::Arm64 => Kernel {
                form: Form::Arm64,
                release: release(&kernel),
            },
            _ => nothing,
        };
    }
    let form = form(bytes);
    let release = match form {
        Form::Arm64 => release(bytes),
        Form::Arm => packed_within(bytes),
        _ => None,
    };
    Kernel { form, release }
}

/// Unpacks gzip, up to a limit.
fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let stream = flate2::bufread::GzDecoder::new(bytes);
    stream.take(MAX_UNPACKED + 1).read_to_end(&mut unpacked)?;
    match unpacked.len() as u64 > MAX_UNPACKED {
        true => Err(io::Error::other("too large")),
        false => Ok(unpacked),
    }
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
    let mut found = starts.take(MAX_TRIES).flat_map(|at| gunzip(&bytes[at..]));
    found.find_map(|kernel| release(&kernel))
}

/// The release in a kernel's banner.
fn release(kernel: &[u8]) -> Option<String> {
    const START: &str = "Linux version ";
    let mut starts = memchr::memmem::find_iter(kernel, START);
    starts.find_map(|at| {
        let rest = kernel[at + START.len()..].iter().take(MAX_RELEASE + 1);
        let release: Vec<u8> = rest.copied().take_while(|byte| *byte != b' ').collect();
        String::from_utf8(release)
            .ok()
            .filter(|text| is_release(text))
    })
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
pub fn read(tree: &dyn Tree, path: &str) -> io::Result<Option<Kernel>> {
    let bytes = tree.read(path.as_ref(), MAX_PACKED);
    let bytes = bytes.map_err(|error| at(path, &error))?;
    Ok(bytes.map(|bytes| look(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netboot::tests::made::{arm64, gzip, zimage};

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
