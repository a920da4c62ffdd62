//! The settings with a fixed set of values, spelt alike on the command line and in pichroot.yml.

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, de::Error as _};

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

/// What becomes of what tasks ask of a running machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Live {
    /// It is answered as there, and done at the machine's first boot.
    #[default]
    FirstBoot,
    /// It fails as in any chroot, or does whatever it does there.
    Fail,
}

/// Whether the image may get a unit for its first boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FirstBoot {
    /// Where something needs it.
    #[default]
    On,
    /// What would need it is refused.
    Off,
}

impl<'de> Deserialize<'de> for FirstBoot {
    /// For some readers of YAML, `on` and `off` are other words for `true` and `false`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_yaml::Value::deserialize(deserializer)?;
        match (value.as_str(), value.as_bool()) {
            (Some("on"), _) | (_, Some(true)) => Ok(FirstBoot::On),
            (Some("off"), _) | (_, Some(false)) => Ok(FirstBoot::Off),
            _ => Err(D::Error::custom("first_boot is on or off")),
        }
    }
}

pub use crate::{
    ansible::connection::Executor,
    chroot::{
        plan::Network,
        shortcuts::{Shortcut, Shortcuts},
    },
    emulation::Mode as Emulation,
    finish::plan::Beside,
};
