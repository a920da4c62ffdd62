//! binfmt_misc: telling the kernel which program runs a foreign one.
//!
//! From Linux 6.7 a user namespace can have a binfmt_misc of its own, which only its processes see.
//! The host's own table is never written; before 6.7 it is read, and used if an entry there fits.

use std::path::{Path, PathBuf};

use super::arch::Arch;
use crate::sys::kernel::Version;

/// The first Linux where user namespaces have a binfmt_misc of their own.
pub const PRIVATE: Version = Version(6, 7);

/// ELF's e_ident and e_type as far as they are compared, and e_machine after them (20 bytes).
///
/// The mask lets the OS ABI byte differ and lets both ET_EXEC (2) and ET_DYN (3) match; it is what
/// every distribution registers for qemu.
fn magic_and_mask(arch: Arch) -> (Vec<u8>, Vec<u8>) {
    let (machine, is_64_bit) = arch.elf();
    let mut magic = b"\x7fELF".to_vec();
    magic.push(if is_64_bit { 2 } else { 1 });
    magic.extend([1, 1]); // little-endian, ELF version 1
    magic.extend([0; 9]);
    magic.extend(2u16.to_le_bytes());
    magic.extend(machine.to_le_bytes());
    let mut mask = vec![0xff; 20];
    mask[7] = 0; // OS ABI
    mask[16] = 0xfe; // ET_EXEC or ET_DYN
    (magic, mask)
}

/// The line to write to `register` so that `interpreter` runs programs for `arch`.
///
/// Flags: P keeps `argv[0]`, O passes the program as an open descriptor, C takes the credentials from
/// the program (without it sudo fails), F opens the interpreter now, so that the chroot need not
/// contain it.
pub fn registration(arch: Arch, interpreter: &Path) -> Vec<u8> {
    let (magic, mask) = magic_and_mask(arch);
    entry(&format!("qemu-{arch}"), &magic, Some(&mask), interpreter)
}

/// The same for any files that begin with `magic`, as far as `mask` says.
pub fn entry(name: &str, magic: &[u8], mask: Option<&[u8]>, interpreter: &Path) -> Vec<u8> {
    let escape = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|b| format!("\\x{b:02x}"))
            .collect::<String>()
    };
    let (magic, mask) = (escape(magic), mask.map(escape).unwrap_or_default());
    let interpreter = interpreter.display();
    format!(":{name}:M::{magic}:{mask}:{interpreter}:POCF").into_bytes()
}

/// An enabled entry of the host's table that runs programs for some architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The interpreter's path.
    pub interpreter: PathBuf,
    /// Whether it works in a chroot that does not contain the interpreter (flag F).
    pub fixed: bool,
    /// Whether setuid programs such as sudo work (flag C).
    pub credentials: bool,
}

impl HostEntry {
    /// Reads one file of /proc/sys/fs/binfmt_misc; `None` if it is disabled or for another `arch`.
    pub fn parse(text: &str, arch: Arch) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "enabled" {
            return None;
        }
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let hex = magic_and_mask(arch)
            .0
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>();
        if value("magic ")? != hex {
            return None;
        }
        let flags = value("flags: ").unwrap_or_default();
        Some(HostEntry {
            interpreter: value("interpreter ")?.into(),
            fixed: flags.contains('F'),
            credentials: flags.contains('C'),
        })
    }
}

/// The host's entry for `arch` in `table`, usually /proc/sys/fs/binfmt_misc.
pub fn host_entry(table: &Path, arch: Arch) -> Option<HostEntry> {
    std::fs::read_dir(table).ok()?.flatten().find_map(|file| {
        let text = std::fs::read_to_string(file.path()).ok()?;
        HostEntry::parse(&text, arch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_is_the_one_that_distributions_register() {
        let (magic, mask) = magic_and_mask(Arch::Aarch64);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(&magic), "7f454c460201010000000000000000000200b700");
        assert_eq!(hex(&mask), "ffffffffffffff00fffffffffffffffffeffffff");
        assert_eq!(
            hex(&magic_and_mask(Arch::Arm).0),
            "7f454c4601010100000000000000000002002800"
        );
    }

    #[test]
    fn a_host_entry_is_read_with_its_flags() {
        let text = "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: OC\noffset 0\n\
                    magic 7f454c460201010000000000000000000200b700\nmask ff\n";
        let entry = HostEntry::parse(text, Arch::Aarch64).unwrap();
        assert!(entry.credentials && !entry.fixed);
        assert_eq!(HostEntry::parse(text, Arch::Arm), None);
        assert_eq!(
            HostEntry::parse(&text.replace("enabled", "disabled"), Arch::Aarch64),
            None
        );
    }
}
