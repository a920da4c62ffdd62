//! A root file system as a block device of Ceph's (RBD), through the program `rbd`: so it needs no kernel module, and no
//! root.

mod content;
mod image;
mod program;

pub use content::Content;
pub use image::{Prepared, Replaced, Spec, Wanted, roll_back};
pub use program::{Ceph, Rbd};
