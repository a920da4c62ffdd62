//! The errors of decoders.

use std::io::{self, Read};

/// Gives a library's errors about damaged data the kind that every decoder gives them.
pub(super) struct SameErrors<R>(pub(super) R);

impl<R: Read> Read for SameErrors<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| match error.kind() {
            io::ErrorKind::Other | io::ErrorKind::InvalidInput
                if error.raw_os_error().is_none() =>
            {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
            _ => error,
        })
    }
}
