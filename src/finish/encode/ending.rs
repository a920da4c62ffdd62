//! What every way of packing has in common: an end.

use std::io::{self, Write};

/// Packs what is written to it.
pub trait Encoder: Write {
    /// Writes the rest, to the last byte.
    fn finish(self: Box<Self>) -> io::Result<()>;
}
