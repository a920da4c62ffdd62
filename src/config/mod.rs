//! Files and arguments become one checked plan.
//!
//! [`Given`] is what the command line says, [`File`] what pichroot.yml says, [`Surroundings`] what this
//! process was started with. [`AnsiblePlan`] and [`CommandPlan`] are what will be done, with every path
//! absolute and everything checked that can be checked without touching the image; both have an
//! [`ImagePlan`]. Secrets stay unresolved.

pub mod boot;
pub mod choice;
pub mod data_dir;
mod duration;
pub mod extra_vars;
pub mod file;
mod finish;
pub mod flash;
pub mod given;
pub mod hcl;
mod image;
mod images;
pub mod key_value;
pub mod known;
pub mod locations;
mod machine;
pub mod names;
mod netbooted;
pub mod passthrough;
pub mod plan;
pub mod playbook;
pub mod publish;
mod read;
mod source;
mod sudo;
mod surroundings;
pub mod targets;
pub mod yaml;

pub use boot::{BootPlan, GivenBoot};
pub use choice::{Beside, Emulation, Executor, FirstBoot, Live, Network, OnError, Shortcut};
pub use file::File;
pub use flash::{FlashPlan, GivenFlash};
pub use given::{Given, GivenImage};
pub use image::{CommandPlan, ImagePlan};
pub use images::ImagesPlan;
pub use plan::AnsiblePlan;
pub use publish::{GivenPublish, PublishPlan};
pub use surroundings::Surroundings;
pub use targets::GivenTargets;
