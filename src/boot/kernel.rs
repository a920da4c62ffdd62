//! A kernel as QEMU takes it: unpacked, and for which processor.

use std::io::{self, Read};

use crate::{
    bytes::Fields,
    emulation::arch::Arch,
    error::{Context, Error, Kind, Result},
};

/// The largest unpacked kernel, in bytes; they are some forty million.
const MAX: u64 = 256 << 20;

/// A kernel that QEMU can load.
pub struct Kernel {
    /// For which processor.
    pub arch: Arch,
    /// Its file.
    pub content: Vec<u8>,
}

/// Unpacks a kernel of the image, which is at `path` there.
///
/// # Errors
/// [`Kind::Image`] where it is none that QEMU could load.
pub fn read(packed: Vec<u8>, path: &str) -> Result<Kernel> {
    let content = unpack(packed).context(Kind::Image, || {
        format!("cannot unpack the kernel /{path} of the image")
    })?;
    let arch = arch(&content).ok_or_else(|| {
        Error::image(format!(
            "/{path} of the image is no kernel that pichroot knows"
        ))
        .hint("if the image has a boot loader for UEFI, try --uefi")
    })?;
    Ok(Kernel { arch, content })
}

fn unpack(packed: Vec<u8>) -> io::Result<Vec<u8>> {
    // An EFI program that unpacks the kernel in it (drivers/firmware/efi/libstub/zboot-header.S).
    let inner = if packed.starts_with(b"MZ") && packed.get(4..8) == Some(b"zimg") {
        let (at, size) = (packed.u32(8) as usize, packed.u32(12) as usize);
        let payload = packed.get(at..at.saturating_add(size));
        payload.ok_or_else(|| io::Error::other("it is cut off"))?
    } else {
        &packed[..]
    };
    match inner {
        [0x1f, 0x8b, ..] => all(flate2::read::GzDecoder::new(inner)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => all(zstd::stream::read::Decoder::new(inner)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => all(liblzma::read::XzDecoder::new(inner)),
        _ if inner.len() < packed.len() => Err(io::Error::other("it is packed in an unknown way")),
        _ => Ok(packed),
    }
}

fn all(from: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    from.take(MAX + 1).read_to_end(&mut content)?;
    match content.len() as u64 > MAX {
        true => Err(io::Error::other(format!(
            "it has more than {} MiB",
            MAX >> 20
        ))),
        false => Ok(content),
    }
}

/// By the header of each architecture's kernels (Documentation/arch/arm64/booting.rst, x86/boot.rst, riscv/boot-image-header.rst,
/// arch/arm/boot/compressed/head.S).
fn arch(kernel: &[u8]) -> Option<Arch> {
    let at = |offset: usize, sign: &[u8]| kernel.get(offset..offset + sign.len()) == Some(sign);
    if at(0x38, b"ARM\x64") {
        Some(Arch::Aarch64)
    } else if at(0x38, b"RSC\x05") {
        Some(Arch::Riscv64)
    } else if at(0x24, &0x016f_2818_u32.to_le_bytes()) {
        Some(Arch::Arm)
    } else if at(0x202, b"HdrS") {
        // XLF_KERNEL_64.
        let is_64 = kernel.get(0x236).is_some_and(|flags| flags & 1 != 0);
        Some(if is_64 { Arch::X86_64 } else { Arch::I386 })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn arm64() -> Vec<u8> {
        let mut kernel = vec![0; 0x1000];
        kernel[0x38..0x3c].copy_from_slice(b"ARM\x64");
        kernel
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(content).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_kernel_is_the_same_however_it_is_packed() {
        let plain = arm64();
        let mut program = vec![0; 0x400];
        program[..2].copy_from_slice(b"MZ");
        program[4..8].copy_from_slice(b"zimg");
        let inner = zstd::encode_all(&plain[..], 1).unwrap();
        program[8..12].copy_from_slice(&0x400_u32.to_le_bytes());
        program[12..16].copy_from_slice(&(inner.len() as u32).to_le_bytes());
        program.extend(inner);
        program.extend([0; 100]);
        for packed in [plain.clone(), gzip(&plain), program] {
            let kernel = read(packed, "boot/Image").unwrap();
            assert_eq!(kernel.arch, Arch::Aarch64);
            assert!(kernel.content == plain);
        }
    }

    #[test]
    fn kernels_of_each_processor_are_known() {
        let signed = |at: usize, sign: &[u8]| {
            let mut kernel = vec![0; 0x1000];
            kernel[at..at + sign.len()].copy_from_slice(sign);
            read(kernel, "k").map(|kernel| kernel.arch).ok()
        };
        assert_eq!(signed(0x38, b"RSC\x05"), Some(Arch::Riscv64));
        assert_eq!(signed(0x24, b"\x18\x28\x6f\x01"), Some(Arch::Arm));
        assert_eq!(signed(0x202, b"HdrS"), Some(Arch::I386));
        assert_eq!(signed(0x202, b"something"), None);
        let torn = gzip(&arm64())[..30].to_vec();
        assert_eq!(read(torn, "k").err().unwrap().kind(), Kind::Image);
    }

    #[test]
    fn fuzz_kernels() {
        crate::fuzz::run("kernels", &[arm64(), gzip(&arm64())], &["zimg"], |bytes| {
            read(bytes.to_vec(), "k")
                .map(|kernel| kernel.arch.name())
                .ok()
        });
    }
}
