//! The network of this process' namespace.

use std::os::fd::AsRawFd;

use nix::{
    libc,
    sys::socket::{AddressFamily, SockFlag, SockType, socket},
};

use crate::error::{Context, Kind, Result};

#[allow(unsafe_code)]
mod ioctl {
    use nix::libc;
    nix::ioctl_write_ptr_bad!(set_flags, libc::SIOCSIFFLAGS, libc::ifreq);
}

/// Sets the loopback interface up, which is down in a new network namespace.
pub fn set_loopback_up() -> Result<()> {
    let failed = || "cannot set the loopback interface up".to_owned();
    let socket = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context(Kind::Host, failed)?;
    #[allow(unsafe_code)]
    // SAFETY: a plain struct of integers, for which zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    #[allow(unsafe_code)]
    // SAFETY: the request lives across the call, which only reads it.
    unsafe { ioctl::set_flags(socket.as_raw_fd(), &request) }.context(Kind::Host, failed)?;
    Ok(())
}
