//! Making and changing what is in an image: partition tables and file systems.
//!
//! A growth is planned first, from what was read and without touching anything ([`grow::plan`]). Then the bytes of the
//! table that say how large a partition is are replaced ([`table`]), and the file system is made to fill its partition by
//! the program that belongs to it ([`fill`]), which the stage runs on a loop device.

mod aside;
pub mod check;
pub mod fill;
pub mod grow;
pub mod new;
pub mod shrink;
pub mod table;
mod tool;

#[cfg(test)]
mod tests;
