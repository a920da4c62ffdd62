//! Asking the executor for what programs in the chroot have put off, and what was done otherwise for them.

use std::{
    fs::File,
    io::{self, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::Path,
};

use crate::{
    chroot::{
        initramfs_modules,
        living::tools::security,
        plan::ChrootPlan,
        protocol::{Ask, Fetch, Reply},
        shortcuts::initramfs::{self, MAX_RECORD, Outstanding, RECORD},
    },
    error::{Context, Kind, Result},
    event::FirstBoot,
    sys::{capabilities, frame, inroot::Root},
};

/// What is outstanding in the chroot of the stage in `dir`.
///
/// # Errors
/// When what was noted is gone: then something may be missing in the image.
pub fn ask(dir: &Path) -> Result<Vec<Outstanding>> {
    let record = fetch(dir, RECORD)
        .context(Kind::Playbook, || {
            format!("cannot read {RECORD} in the image, which tells of which kernel the initramfs is to be made")
        })
        .map_err(|error| {
            error.hint("did the playbook empty /run? --no-shortcut initramfs has it made at once")
        })?;
    initramfs::read(&record)
}

/// Whether an initramfs has most modules, where the image says that it be made for one machine.
pub fn replaced_modules(dir: &Path) -> bool {
    // The file is not there otherwise.
    fetch(dir, initramfs_modules::RECORD).is_ok()
}

/// Gives files their rights as root does. In the chroot they got them from root of a user namespace, which the kernel notes.
/// It means the same on the machine, but is not the same to the byte.
pub fn rights(dir: &Path, root: &Root) {
    // The file is not there if no file was given any.
    let paths = fetch(dir, security::GIVEN).unwrap_or_default();
    for path in paths.lines() {
        // What is gone by now, or cannot be had, stays as it is.
        let path = path.trim_start_matches('/');
        let _ = root
            .file(path.as_ref())
            .and_then(|file| capabilities::write_anew(&file));
    }
}

/// Has the executor put into the image what the first boot is to do, and returns what was put off.
///
/// # Errors
/// When the image lacks something of it then.
pub fn first_boot(dir: &Path) -> Result<FirstBoot> {
    let asked = || {
        let executor = UnixStream::connect(ChrootPlan::socket(dir))?;
        frame::send(&executor, &Ask::FirstBoot {}.request(), &[])?;
        match frame::receive(&executor)?.map(|(reply, _)| reply) {
            Some(Reply::FirstBoot(put_off)) => Ok(put_off),
            _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
        }
    };
    let put_off = asked().context(Kind::Other, || "the executor of this image is gone".into())?;
    Ok(put_off?)
}

fn fetch(dir: &Path, path: &str) -> io::Result<String> {
    let executor = UnixStream::connect(ChrootPlan::socket(dir))?;
    let (from, to) = io::pipe()?;
    let path = path.to_owned();
    let ask = Ask::Fetch(Fetch { path });
    frame::send(&executor, &ask.request(), &[to.as_raw_fd()])?;
    drop(to);
    let mut record = String::new();
    File::from(std::os::fd::OwnedFd::from(from))
        .take(MAX_RECORD)
        .read_to_string(&mut record)?;
    match frame::receive(&executor)?.map(|(reply, _)| reply) {
        Some(Reply::Done {}) => Ok(record),
        Some(Reply::Refused { why, .. }) => Err(io::Error::other(why)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
