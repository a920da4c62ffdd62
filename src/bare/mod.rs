//! Parts of the two programs that run in the place of the image's own, without the standard library: the
//! [dispatcher](crate::twins::dispatcher) in front of qemu, and the [client](crate::chroot::living). build.rs
//! compiles those; pichroot itself uses [`message`] alone.

pub mod message;
