//! Images made to do harm: what their programs try, and how their file systems are laid out.
//!
//! Each attempt must end in a refusal or a clear error, within a time, and leave the host as it was.

#[path = "../support/mod.rs"]
mod support;

mod cores;
mod escapes;
mod fetch;
mod image;
mod kernel;
mod layouts;
mod streams;
mod works;
