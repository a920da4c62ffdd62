//! FAT for kernels without vfat: our own file system, served to the kernel through FUSE.
//!
//! It behaves as Linux' vfat with its default options: names without regard to case, everything
//! owned by 0:0 with mode 0755 (0555 with the read-only attribute), no links and no devices. Beyond
//! that, as on any Unix file system, a file that is removed or renamed over can still be used by
//! who has it open. A rename that only changes the case of a name does nothing: the kernel sees one
//! file under both names and does not ask. fsync writes back to the image file and no further: an
//! image is only kept after [`FatMount::close`], which waits for the medium.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `device` | the window of the image that is ours |
//! | `table` | the allocation table |
//! | `name`, `entry`, `dir` | what directories consist of |
//! | `volume`, `content`, `change`, `writeback` | the file system, without FUSE |
//! | `serve` | the FUSE requests |
//! | `mount` | mounting and unmounting |

mod change;
mod content;
mod device;
mod dir;
mod entry;
mod mount;
mod name;
mod serve;
mod table;
mod volume;
mod writeback;

#[cfg(test)]
mod tests;

use nix::errno::Errno;

pub use mount::{FatMount, mount};

/// What the file system answers: the error number that the caller in the chroot will see.
type Outcome<T> = std::result::Result<T, Errno>;
