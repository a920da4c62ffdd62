//! The settings with a fixed set of values, spelt alike on the command line and in pichroot.yml.

use clap::ValueEnum;
use serde::Deserialize;

/// What becomes of the work image when a run fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Remove it.
    #[default]
    Cleanup,
    /// Keep it beside the output and print its path.
    Keep,
}

pub use crate::{
    ansible::connection::Executor,
    chroot::{
        plan::Network,
        shortcuts::{Shortcut, Shortcuts},
    },
    emulation::Mode as Emulation,
};
