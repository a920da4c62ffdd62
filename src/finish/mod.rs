//! From the finished work image to what the user wants: its outputs, each in the format that its name says.
//!
//! Everything is made first, and named last: what is half done is never seen, and gone with the process.

pub mod bmap;
pub mod dates;
mod encode;
pub mod flash;
mod folder;
pub mod imager;
pub mod images;
pub mod manifest;
pub mod map;
pub mod output;
pub mod plan;
mod reader;
pub mod ready;
pub mod sums;
pub mod tree;
