//! Where secrets come from, and keeping them out of everything that is printed.
//!
//! A [`Source`] says where a secret is; [`resolve()`] fetches the values late, just before they are
//! needed; a [`Redactor`] takes them out of Ansible's output.

pub mod encodings;
mod percent;
pub mod prompt;
pub mod redact;
pub mod resolve;
pub mod source;
mod variables;
pub mod vault;

pub use resolve::{Secret, resolve};
pub use source::Source;
