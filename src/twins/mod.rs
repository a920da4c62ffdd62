//! Twins: host builds of the very same package versions, which run in place of an image's emulated programs.
//!
//! [`find`] says which programs have one and downloads it; [`place`] puts them where the image's
//! programs run; the [`dispatcher`] is the program in front of qemu that chooses at each exec.

pub mod dispatcher;
pub mod find;
pub mod place;
