//! What is on a disk image: partition tables, file systems, `fstab`.
//!
//! Pure readers over `Read + Seek`. Everything read is hostile: sizes are bounded, arithmetic is
//! checked, no loop depends on the image alone. No system calls, no mounts, no programs.

pub mod contents;
pub mod dos;
pub mod free;
pub mod fstab;
pub mod gpt;
mod iso;
pub mod layout;
pub mod names;
pub mod partition;
pub mod probe;
pub mod slice;
pub mod table;
pub mod volume;

pub use layout::{Layout, Mount};
pub use names::DiskName;
pub use probe::{FsKind, probe};
pub use slice::Slice;
pub use volume::Volume;
