//! From the finished work image to what the user wants: its outputs, each in the format that its name says.
//!
//! Everything is made first, and named last: what is half done is never seen, and gone with the process.

mod encode;
mod folder;
pub mod images;
pub mod output;
mod reader;
pub mod ready;
pub mod tree;
