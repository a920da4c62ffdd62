//! Starts the process that looks for twins, and waits for it.

use std::{
    fs, io,
    os::{
        fd::AsFd,
        unix::{
            fs::{DirBuilderExt, PermissionsExt},
            net::UnixStream,
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    process,
    protocol::{Order, Said, TwinSettings},
};
use crate::{
    emulation::{Emulator, binfmt},
    error::{Context, Error, Kind, Result},
    event::{Event, NoTwins},
    sys::{frame, kernel::Version},
    twins::dispatcher::{
        format::{COUNTS, SLOTS, Slot},
        front,
    },
};

/// Where twins are, below the stage's directory.
pub const FOLDER: &str = "twins";

/// The running process; it ends with the stage.
#[derive(Debug)]
pub struct Twinning {
    /// What it says.
    pub socket: UnixStream,
}

/// Starts looking for twins, with `dir` for what is made, for the image whose root and kernel's release these are, where there can be any. Else
/// why there are none, unless that is told elsewhere.
pub fn begin(
    settings: Option<&TwinSettings>,
    dir: &Path,
    emulator: Option<&Emulator>,
    (root, kernel): (&Path, Option<&str>),
) -> Result<(Option<Twinning>, Option<Event>)> {
    let (Some(settings), Some(emulator)) = (settings, emulator) else {
        return Ok((None, None));
    };
    // An older kernel runs the host's own qemu, which the executor tells.
    if Version::running() < binfmt::PRIVATE {
        return Ok((None, None));
    }
    // The host's builds count and tell time by longer words than those for 32-bit ARM.
    let (_, has_64_bits) = emulator.arch.elf();
    let why = match (front::exists(), has_64_bits) {
        (false, _) => NoTwins::Host,
        (true, false) => NoTwins::Image,
        (true, true) => {
            let twinning = Twinning::start(&Order {
                folder: prepare(dir)?,
                scratch: dir.to_owned(),
                root: root.to_owned(),
                image: emulator.arch,
                kernel: kernel.map(str::to_owned),
                settings: settings.clone(),
            });
            return twinning.map(|twinning| (Some(twinning), None));
        }
    };
    Ok((None, Some(Event::NoTwins(why))))
}

/// Makes the folder that the chroot is going to see.
fn prepare(dir: &Path) -> Result<PathBuf> {
    let folder = dir.join(FOLDER);
    let failed = || format!("cannot make {}", folder.display());
    let make = || -> io::Result<()> {
        fs::DirBuilder::new().mode(0o755).create(&folder)?;
        let counts = folder.join(COUNTS);
        fs::File::create(&counts)?.set_len((SLOTS * size_of::<Slot>()) as u64)?;
        // Every user's programs are counted.
        fs::set_permissions(&counts, fs::Permissions::from_mode(0o666))
    };
    make().context(Kind::Host, failed)?;
    Ok(folder)
}

impl Twinning {
    /// Starts it.
    fn start(order: &Order) -> Result<Self> {
        let failed = || "cannot start looking for twins".to_owned();
        let (ours, theirs) = UnixStream::pair().context(Kind::Host, failed)?;
        Command::new("/proc/self/exe")
            .arg0(process::NAME)
            .env_clear()
            .envs(order.settings.environment.iter().cloned())
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()
            .context(Kind::Host, failed)?;
        frame::send(&ours, order, &[]).context(Kind::Host, failed)?;
        Ok(Twinning { socket: ours })
    }

    /// Waits until there is nothing more to find, and passes on what it says meanwhile; how many programs have a
    /// twin.
    ///
    /// # Errors
    /// Also when there is an order meanwhile, which can only be the one to close.
    pub fn settled(
        &self,
        orders: &UnixStream,
        mut tell: impl FnMut(Said) -> Result<()>,
    ) -> Result<usize> {
        let gone = || "the search for twins broke off".to_owned();
        loop {
            let mut waited =
                [&self.socket, orders].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
            poll(&mut waited, PollTimeout::NONE).context(Kind::Host, gone)?;
            if waited[1].any() == Some(true) {
                return Err(Error::other("stopped while looking for twins"));
            }
            let said = frame::receive(&self.socket).context(Kind::Host, gone)?;
            match said.map(|(said, _)| said) {
                Some(Said::Settled(count)) => return Ok(count),
                Some(said) => tell(said)?,
                None => return Err(Error::host(gone())),
            }
        }
    }
}
