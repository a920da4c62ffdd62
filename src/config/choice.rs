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

/// How programs of the image's architecture are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emulation {
    /// Natively where the processor can, else under qemu.
    #[default]
    Auto,
    /// Always under qemu.
    Qemu,
    /// Never under qemu: fail where the processor cannot run them.
    Native,
}

/// What network the image's programs see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// This machine's.
    #[default]
    Host,
    /// None but the loopback interface.
    None,
}
