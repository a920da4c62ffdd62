//! A new image: a partition table and file systems, as somebody declares them.

mod declared;
mod make;
mod plan;

pub use declared::Declared;
pub use make::{make, write_table};
pub use plan::{Part, Plan, fstab_line};
