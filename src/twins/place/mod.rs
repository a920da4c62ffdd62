//! Twins for an image in use: a process of its own finds them and puts them where the chroot sees them.
//!
//! It goes on beside the stage: a run begins at once, and gets faster when they are there. A program of the image
//! that changes meanwhile has no twin any more, since what the table says is of a file as it was; one that is
//! installed meanwhile gets one soon.

mod copies;
mod dpkg;
mod perl;
pub mod process;
mod protocol;
pub mod starts;
mod table;
mod twinning;

pub use protocol::{Said, TwinSettings};
pub use twinning::{FOLDER, Twinning, begin};
