//! The image's programs on a host of another architecture: a private binfmt_misc and qemu in it.

use std::{
    fs::File,
    io::{self, Read, Seek},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::table::{PLACE, Table};
use crate::{
    emulation::{Emulator, arch::Arch, binfmt},
    error::{Context, Error, Kind, Result},
    event::{Event, NoTwins},
    sys::{
        inroot::path_of,
        process::{open, sealed_copy_with},
    },
    twins::dispatcher::{format::Settings, front},
};

/// The emulator in memory, ready to be registered.
#[derive(Debug)]
pub struct Loaded {
    arch: Arch,
    program: PathBuf,
    copy: File,
}

impl Loaded {
    /// Copies qemu into memory. What runs under it finds this copy, sealed, in its /proc/PID/exe,
    /// and not the host's own qemu, whose mode and owner root in the chroot could change.
    ///
    /// The copy starts with the dispatcher, where there is one for this host. `kernel` is the release
    /// that programs are to see; twins are in a file system with the number `device`.
    pub fn load(emulator: &Emulator, kernel: Option<&str>, device: u64) -> Result<Self> {
        let settings = Settings {
            emulator: 0,
            device,
            cpu: padded(emulator.cpu.as_deref()),
            release: padded(kernel),
        };
        let copy = sealed_copy_with("qemu", &mut open(&emulator.program)?, |copy| {
            show_cpuinfo(copy).context(Kind::Host, || "cannot read the copy of qemu".into())?;
            if front::exists() {
                front::put_before(copy, settings)?;
            }
            Ok(())
        })?;
        Ok(Loaded {
            arch: emulator.arch,
            program: emulator.program.clone(),
            copy,
        })
    }

    /// Registers it in `table`, this user namespace's own binfmt_misc.
    ///
    /// On a kernel that has no private one (before 6.7) the host's entry is relied on: returns a
    /// warning of what that costs.
    ///
    /// # Errors
    /// When there is no such entry either, or it would not work in a chroot.
    pub fn register(&self, table: Option<&Table>) -> Result<Option<Event>> {
        let Some(table) = table else {
            return self.rely_on_host().map(Some);
        };
        let line = binfmt::registration(self.arch, &path_of(&self.copy));
        table.register(&line).context(Kind::Host, || {
            format!(
                "the kernel refuses {} for the image's programs",
                self.program.display()
            )
        })?;
        Ok(None)
    }

    fn rely_on_host(&self) -> Result<Event> {
        const WHY: &str = "this kernel has no binfmt_misc for user namespaces, and the host's";
        let arch = self.arch;
        let unable = || format!("{WHY} cannot run {arch} programs in a chroot");
        let hint = "use Linux 6.7 or newer, or install qemu-user-static with its binfmt entries (flag F, and C for sudo)";
        match binfmt::host_entry(&Path::new("/").join(PLACE), arch) {
            Some(entry) if entry.fixed => Ok(Event::NoTwins(NoTwins::HostEntry {
                interpreter: entry.interpreter,
                credentials: entry.credentials,
            })),
            _ => Err(Error::host(unable()).hint(hint)),
        }
    }
}

/// Newer emulators (8.2 and later) show a /proc/cpuinfo that they make up, of no board, and let nobody choose. In the copy,
/// the name that they look out for is one that no program asks for.
fn show_cpuinfo(copy: &mut File) -> io::Result<()> {
    const NAME: &[u8] = b"/proc/cpuinfo\0";
    const INSTEAD: &[u8] = b"/proc/-------\0";
    let mut program = Vec::new();
    copy.rewind()?;
    copy.read_to_end(&mut program)?;
    for at in memchr::memmem::find_iter(&program, NAME) {
        copy.write_all_at(INSTEAD, at as u64)?;
    }
    Ok(())
}

/// Ended by NUL; what is too long is left out.
fn padded<const N: usize>(text: Option<&str>) -> [u8; N] {
    let mut bytes = [0; N];
    if let Some(text) = text.filter(|text| text.len() < N) {
        bytes[..text.len()].copy_from_slice(text.as_bytes());
    }
    bytes
}
