//! qemu-img, which reads and writes the disk images of virtual machines.
//!
//! It reads a stranger's bytes, so it runs without root's rights on open descriptors, within bounds, and is never left to
//! guess a format.

use std::{
    ffi::OsString,
    fs::{File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    time::Duration,
};

use super::{
    bounded::{self, Bounds, Lent, NOBODY},
    programs,
};
use crate::error::{Context, Error, Kind, Result};

/// A format of virtual machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFormat {
    /// QEMU's.
    Qcow2,
    /// VMware's.
    Vmdk,
    /// VirtualBox'.
    Vdi,
    /// Hyper-V's.
    Vhdx,
}

impl DiskFormat {
    /// What qemu-img calls it, and everybody else.
    pub fn name(self) -> &'static str {
        match self {
            DiskFormat::Qcow2 => "qcow2",
            DiskFormat::Vmdk => "vmdk",
            DiskFormat::Vdi => "vdi",
            DiskFormat::Vhdx => "vhdx",
        }
    }
}

/// The largest images take a part of this, also on a slow disk.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(4 * 3600),
    processor: Duration::from_secs(2 * 3600),
    memory: 2 << 30,
    output: 8 << 20,
};

/// Makes `to` the same disk as `from`; `None` is a plain image. The latter has to be a file of our own, as it belongs to
/// [`NOBODY`] for the while. So does the former if that is said of it; else everybody must be able to read it. `progress` is told how much of the disk is done, as a part of 1.
///
/// # Errors
/// [`Kind::Host`] when qemu-img is missing or the disk is full; [`Kind::Image`] when it does not take `from`.
pub fn convert(
    from: (&File, Option<DiskFormat>, bool),
    to: (&File, Option<DiskFormat>),
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let program = programs::find("qemu-img")?;
    let name = |format: Option<DiskFormat>| format.map_or("raw", DiskFormat::name);
    let failed = || "cannot lend a file to qemu-img".to_owned();
    let source = from.2.then(|| Handed::new(from.0)).transpose();
    let source = source.context(Kind::Host, failed)?;
    let target = Handed::new(to.0).context(Kind::Host, failed)?;
    let args = |paths: Vec<OsString>| {
        let words = ["convert", "-p", "-f", name(from.1), "-O", name(to.1)];
        let words = words.into_iter().map(Into::into);
        words.chain(paths).collect()
    };
    let mut heard = |said: &[u8]| {
        if let Some(part) = part(said) {
            progress(part);
        }
    };
    let lent = Lent {
        files: &[from.0, to.0],
        stdin: None,
    };
    let ended = bounded::run(&program, args, lent, BOUNDS, &mut heard);
    source
        .map_or(Ok(()), Handed::back)
        .context(Kind::Host, failed)?;
    target.back().context(Kind::Host, failed)?;
    let ended = ended?;
    let said = ended.said.rsplit('\r').next().unwrap_or_default().trim();
    match ended.how {
        Ok(status) if status.success() => Ok(()),
        Ok(_) if said.contains("No space left") => {
            let full = io::Error::from_raw_os_error(nix::libc::ENOSPC);
            Err(full).context(Kind::Host, || format!("qemu-img: {said}"))
        }
        Ok(status) => Err(Error::image(format!(
            "qemu-img ended with {status}: {said}"
        ))),
        Err(over) => Err(Error::image(format!(
            "qemu-img {over}, so it was ended: {said}"
        ))),
    }
}

/// `(12.34/100%)`, as the part that it stands for.
fn part(said: &[u8]) -> Option<f64> {
    let text = String::from_utf8_lossy(said);
    let (before, _) = text.rsplit_once("/100%)")?;
    let (_, number) = before.rsplit_once('(')?;
    Some(number.parse::<f64>().ok()? / 100.0)
}

/// A file that belongs to [`NOBODY`] for a while, who may write it.
struct Handed<'a> {
    file: &'a File,
    owner: u32,
    mode: u32,
    given: bool,
}

impl<'a> Handed<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let lent = Handed {
            file,
            owner: meta.uid(),
            mode: meta.mode() & 0o7777,
            given: true,
        };
        file.set_permissions(Permissions::from_mode(0o600))?;
        fchown(file, Some(NOBODY), None)?;
        Ok(lent)
    }

    fn back(mut self) -> io::Result<()> {
        self.given = false;
        self.restore()
    }

    fn restore(&self) -> io::Result<()> {
        fchown(self.file, Some(self.owner), None)?;
        self.file.set_permissions(Permissions::from_mode(self.mode))
    }
}

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        if self.given {
            // There is another error to tell.
            let _ = self.restore();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_is_heard() {
        assert_eq!(part(b"    (0.00/100%)\r    (12.50/100%)\r"), Some(0.125));
        assert_eq!(part(b"(100.00/100%)\n"), Some(1.0));
        assert_eq!(part(b"qemu-img: error"), None);
        assert_eq!(part(b"x/100%)"), None);
    }
}
