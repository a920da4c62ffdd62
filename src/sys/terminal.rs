//! Terminals: making one, its size, and raw mode.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

use nix::{
    fcntl::OFlag,
    libc,
    pty::{grantpt, posix_openpt, unlockpt},
    sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr},
};
use serde::{Deserialize, Serialize};

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

#[allow(unsafe_code)]
mod ioctl {
    use nix::libc;
    nix::ioctl_read_bad!(get_size, libc::TIOCGWINSZ, libc::winsize);
    nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, libc::winsize);
}

/// A new pseudo-terminal from this process' /dev/ptmx: the side that plays the user, and the
/// command's side.
pub fn pair(size: Size) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let user = posix_openpt(flags)?;
    grantpt(&user)?;
    unlockpt(&user)?;
    resize(&user, size)?;
    #[allow(unsafe_code)]
    // SAFETY: TIOCGPTPEER takes open flags and returns a new descriptor. Unlike opening the name of
    // the other side it does not depend on what is mounted on /dev/pts.
    let command = unsafe {
        match libc::ioctl(user.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()) {
            fd if fd < 0 => return Err(io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd),
        }
    };
    Ok((user.as_fd().try_clone_to_owned()?, command))
}

/// The size of the terminal `fd`.
pub fn size(fd: &impl AsFd) -> io::Result<Size> {
    let mut raw = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: `raw` lives across the call.
    unsafe { ioctl::get_size(fd.as_fd().as_raw_fd(), &mut raw) }?;
    Ok(Size {
        rows: raw.ws_row,
        columns: raw.ws_col,
    })
}

/// Sets the size of the terminal `fd`; what runs in it is told.
pub fn resize(fd: &impl AsFd, size: Size) -> io::Result<()> {
    let raw = libc::winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    #[allow(unsafe_code)]
    // SAFETY: `raw` lives across the call, which only reads it.
    unsafe { ioctl::set_size(fd.as_fd().as_raw_fd(), &raw) }?;
    Ok(())
}

/// The mode of a terminal, which it gets back when this is dropped.
#[derive(Debug)]
pub struct Mode {
    terminal: OwnedFd,
    before: Termios,
}

impl Mode {
    /// That of `fd`, if it is a terminal.
    pub fn of(fd: &impl AsFd) -> Option<Self> {
        let terminal = fd.as_fd().try_clone_to_owned().ok()?;
        let before = tcgetattr(&terminal).ok()?;
        Some(Mode { terminal, before })
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        // The terminal may be gone; then nobody sees its mode.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
    }
}

/// Passes every key on as it is, until dropped.
#[derive(Debug)]
pub struct RawMode {
    /// Puts the terminal back when it is dropped.
    _before: Mode,
}

impl RawMode {
    /// Puts the terminal `fd` into raw mode.
    pub fn enter(fd: &impl AsFd) -> io::Result<Self> {
        let mode = Mode::of(fd).ok_or(nix::errno::Errno::ENOTTY)?;
        let mut raw = mode.before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&mode.terminal, SetArg::TCSANOW, &raw)?;
        Ok(RawMode { _before: mode })
    }
}
