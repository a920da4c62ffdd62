//! JSON messages over a Unix socket that keeps their boundaries, with file descriptors beside.
//!
//! For a peer that should not need to count bytes: each packet is one message.

use std::{
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::net::UnixStream as StdStream,
    },
};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr, recv, sendmsg,
    setsockopt, shutdown, socketpair, sockopt,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{io::Interest, net::UnixStream};

/// The longest message, in bytes. The kernel doubles this for its own use, and may allow less
/// (net.core.wmem_max, 208 KiB by default) without the privilege for more.
const MAX_PACKET: usize = 200 << 10;

/// Our end of a connection.
#[derive(Debug)]
pub struct Packets(UnixStream);

/// A connection: our end, and a blocking one for a child. Needs a runtime.
pub fn pair() -> io::Result<(Packets, OwnedFd)> {
    let (family, flags) = (AddressFamily::Unix, SockFlag::SOCK_CLOEXEC);
    let (ours, theirs) = socketpair(family, SockType::SeqPacket, None, flags)?;
    for end in [&ours, &theirs] {
        setsockopt(end, sockopt::SndBuf, &MAX_PACKET)?;
    }
    // For waiting it is a socket as any other.
    let ours = StdStream::from(ours);
    ours.set_nonblocking(true)?;
    Ok((Packets(UnixStream::from_std(ours)?), theirs))
}

impl Packets {
    /// Sends `message` with `fds`, waiting for room.
    pub async fn send(&self, message: &impl Serialize, fds: &[RawFd]) -> io::Result<()> {
        let packet = serde_json::to_vec(message)?;
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() { &[] } else { &rights[..] };
        let socket = self.0.as_raw_fd();
        let send = || {
            let data = [IoSlice::new(&packet)];
            let flags = MsgFlags::MSG_NOSIGNAL;
            Ok(sendmsg::<UnixAddr>(socket, &data, rights, flags, None)?)
        };
        self.0.async_io(Interest::WRITABLE, send).await.map(drop)
    }

    /// The bytes of the next message; `None` at the end.
    pub async fn receive_bytes(&self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; MAX_PACKET];
        let socket = self.0.as_raw_fd();
        let receive = || Ok(recv(socket, &mut packet, MsgFlags::empty())?);
        let length = self.0.async_io(Interest::READABLE, receive).await?;
        packet.truncate(length);
        Ok((length > 0).then_some(packet))
    }

    /// Ends the connection for both sides, whoever else holds an end.
    pub fn shut_down(&self) {
        // It may have ended already.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }

    /// The next message; `None` at the end.
    pub async fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        let packet = self.receive_bytes().await?;
        Ok(packet
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()?)
    }
}
