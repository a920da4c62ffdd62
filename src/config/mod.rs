//! Files and arguments become one checked plan.
//!
//! [`Given`] is what the command line says, [`File`] what pichroot.yml says; [`AnsiblePlan`] is what
//! will be done, with every path absolute and everything checked that can be checked without
//! touching the image. Secrets stay unresolved in it.

pub mod choice;
pub mod data_dir;
pub mod extra_vars;
pub mod file;
pub mod given;
pub mod hcl;
pub mod key_value;
pub mod known;
pub mod layout;
pub mod locations;
pub mod names;
pub mod nearest;
pub mod output;
pub mod passthrough;
pub mod plan;
pub mod playbook;
pub mod yaml;

pub use choice::{Emulation, Executor, Network, OnError, Shortcut, Shortcuts};
pub use file::File;
pub use given::{Given, Surroundings};
pub use plan::AnsiblePlan;
pub use playbook::Playbook;
