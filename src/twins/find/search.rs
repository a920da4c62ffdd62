//! What a search for twins is for.

use std::path::Path;

use crate::{emulation::arch::Arch, event::Event, sys::inroot::Root};

/// Where and for what to look.
pub struct Search<'a> {
    /// The image's root.
    pub root: &'a Root,
    /// What the image is for.
    pub image: Arch,
    /// What twins are for.
    pub host: Arch,
    /// The kernel's release that programs of the image see, if it is not this machine's.
    pub kernel: Option<&'a str>,
    /// A private folder of ours; made when missing.
    pub cache: &'a Path,
    /// A folder for apt's own files while it fetches; nobody sweeps it. Other users have to get through.
    pub scratch: &'a Path,
    /// Whether to use the network; else only the host's packages and what is cached.
    pub fetch: bool,
    /// Takes details, for -v.
    pub report: &'a dyn Fn(Event),
}
