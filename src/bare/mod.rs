//! What has no standard library: the asker, by which programs of the image [ask](crate::chroot::living), in `program/`, and
//! what the [dispatcher](crate::twins::dispatcher) shares with it. build.rs compiles those.

pub mod message;
