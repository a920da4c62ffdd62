//! JSON messages over a Unix stream socket, each after its length, with file descriptors beside.
//!
//! Frame: the length of the JSON in bytes as u32, little-endian, then the JSON. Descriptors travel
//! with the frame's first byte. The supervisor and the stage talk like this, and so do the
//! executor and its clients.
//!
//! A frame may carry secrets, so its bytes are zeroed wherever they were: [`Bytes`].

use std::{
    io::{self, IoSlice, IoSliceMut, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};

use nix::{
    cmsg_space,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg},
};
use secrecy::zeroize::{Zeroize, Zeroizing};
use serde::{Serialize, de::DeserializeOwned};

/// The longest message accepted, in bytes: what the kernel allows for arguments, and some room.
pub const MAX_FRAME: usize = 8 << 20;
/// The most descriptors in one message: standard input, output and error, and one spare.
const MAX_FDS: usize = 4;

/// Sends `message` with `fds`, waiting for room.
pub fn send<T: Serialize>(socket: &impl AsFd, message: &T, fds: &[RawFd]) -> io::Result<()> {
    let frame = encode(message)?;
    let mut sent = 0;
    while sent < frame.len() {
        let rights = [ControlMessage::ScmRights(fds)];
        // Only the first byte carries the descriptors.
        let control = if sent == 0 && !fds.is_empty() {
            &rights[..]
        } else {
            &[]
        };
        let data = [IoSlice::new(&frame[sent..])];
        match sendmsg::<UnixAddr>(
            socket.as_fd().as_raw_fd(),
            &data,
            control,
            MsgFlags::MSG_NOSIGNAL,
            None,
        ) {
            Ok(n) => sent += n,
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::EAGAIN) => wait_writable(socket)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// The bytes of one frame.
fn encode<T: Serialize>(message: &T) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Bytes::default();
    bytes.write_all(&[0; 4])?;
    serde_json::to_writer(&mut bytes, message)?;
    let mut frame = bytes.0;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the message is too long",
        ));
    }
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Bytes that are zeroed when they are dropped, and when they move because they grow.
#[derive(Debug, Default)]
struct Bytes(Zeroizing<Vec<u8>>);

impl Bytes {
    /// Takes the first `count` away.
    fn remove(&mut self, count: usize) {
        let left = self.0.len() - count;
        self.0.copy_within(count.., 0);
        self.0[left..].zeroize();
        self.0.truncate(left);
    }
}

impl Write for Bytes {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + more.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_writable(socket: &impl AsFd) -> io::Result<()> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    match poll(
        &mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)],
        PollTimeout::NONE,
    ) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Receives one message from a blocking socket, and takes no byte of the next one; `None` at the end of the
/// stream.
pub fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut incoming = Incoming::default();
    loop {
        if let Some(message) = incoming.take()? {
            return Ok(Some(message));
        }
        let missing = incoming.missing();
        if incoming.fill_up_to(socket, missing)? == 0 {
            return Ok(None);
        }
    }
}

/// As [`receive`], on a socket of the current runtime; what has arrived of the next message stays in
/// `incoming`, so that waiting can be cancelled.
pub async fn receive_async<T: DeserializeOwned>(
    socket: &tokio::net::UnixStream,
    incoming: &mut Incoming,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    loop {
        if let Some(message) = incoming.take()? {
            return Ok(Some(message));
        }
        socket.readable().await?;
        match socket.try_io(tokio::io::Interest::READABLE, || incoming.fill(socket)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Collects what a socket delivers until a whole message is there.
#[derive(Debug, Default)]
pub struct Incoming {
    bytes: Bytes,
    fds: Vec<OwnedFd>,
}

impl Incoming {
    /// Takes what the socket has now; 0 is the end of the stream, WouldBlock is nothing yet.
    pub fn fill(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.fill_up_to(socket, usize::MAX)
    }

    /// How many bytes at least are missing until the next message is whole.
    fn missing(&self) -> usize {
        let whole = match self.bytes.0.first_chunk::<4>() {
            Some(head) => 4 + u32::from_le_bytes(*head) as usize,
            None => 4,
        };
        whole - self.bytes.0.len()
    }

    fn fill_up_to(&mut self, socket: &impl AsFd, most: usize) -> io::Result<usize> {
        let mut chunk = Zeroizing::new([0; 16 << 10]);
        let size = chunk.len().min(most);
        let mut data = [IoSliceMut::new(&mut chunk[..size])];
        let mut control = cmsg_space!([RawFd; MAX_FDS]);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<UnixAddr>(
            socket.as_fd().as_raw_fd(),
            &mut data,
            Some(&mut control),
            flags,
        )?;
        for rights in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = rights {
                #[allow(unsafe_code)]
                // SAFETY: the kernel has just made these descriptors for us alone.
                self.fds.extend(
                    fds.into_iter()
                        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
                );
            }
        }
        let count = message.bytes;
        if self.bytes.0.len() + count > MAX_FRAME + 4 || self.fds.len() > MAX_FDS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is too long",
            ));
        }
        self.bytes.write_all(&chunk[..count])?;
        Ok(count)
    }

    /// The next whole message with its descriptors, if all of it is here.
    pub fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let Some(head) = self.bytes.0.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the message is too long",
            ));
        }
        if self.bytes.0.len() < 4 + length {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.bytes.0[4..4 + length])?;
        self.bytes.remove(4 + length);
        Ok(Some((message, std::mem::take(&mut self.fds))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn no_byte_stays_behind_what_is_taken() {
        let mut bytes = Bytes::default();
        bytes.write_all(b"secret and more").unwrap();
        bytes.remove(7);
        assert_eq!(&**bytes.0, b"and more");
        let whole = bytes.0.spare_capacity_mut();
        // SAFETY: these bytes were written before they were taken away.
        #[allow(unsafe_code)]
        let behind = whole[..7].iter().map(|b| unsafe { b.assume_init() });
        assert!(behind.eq([0; 7]));
    }

    #[test]
    fn messages_and_descriptors_arrive_whole_and_in_order() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        send(&a, &"x".repeat(100_000), &[writer.as_raw_fd()]).unwrap();
        send(&a, &7, &[]).unwrap();
        drop((a, writer));
        let mut incoming = Incoming::default();
        let fill_until = |incoming: &mut Incoming| while incoming.fill(&b).unwrap() > 0 {};
        fill_until(&mut incoming);
        let (text, fds): (String, _) = incoming.take().unwrap().unwrap();
        assert_eq!(text.len(), 100_000);
        std::fs::File::from(fds.into_iter().next().unwrap())
            .write_all(b"hello")
            .unwrap();
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
        assert_eq!(incoming.take::<u32>().unwrap().unwrap().0, 7);
    }

    #[test]
    fn a_message_that_follows_at_once_is_not_lost() {
        let (a, b) = UnixStream::pair().unwrap();
        for number in 1..4 {
            send(&a, &number, &[]).unwrap();
        }
        for number in 1..4 {
            assert_eq!(receive::<u32>(&b).unwrap().unwrap().0, number);
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_it_is_read() {
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(receive::<String>(&b).is_err());
    }
}
