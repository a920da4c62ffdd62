//! What is on a disk image: partition tables, file systems, `fstab`.
//!
//! Pure readers over `Read + Seek`. Everything read is hostile: sizes are bounded, arithmetic is
//! checked, no loop depends on the image alone. No system calls, no mounts, no programs.

pub mod dos;
pub mod fstab;
pub mod gpt;
pub mod layout;
pub mod probe;
pub mod slice;
pub mod table;

pub use layout::{Layout, Mount, Volume};
pub use probe::{FileSystem, FsKind, probe};
pub use slice::Slice;
pub use table::{Partition, PartitionType, Table, TableKind, read_table};
