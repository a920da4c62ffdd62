//! What is known of a run at its end, for its manifest.

use std::{collections::BTreeMap, time::Instant};

use crate::{
    event::{FirstBoot, Opened, PackageVersion},
    finish::manifest::Span,
};

/// It grows as the run goes on.
#[derive(Debug)]
pub struct Journal {
    since: Instant,
    /// How long each phase took.
    pub phases: Vec<Span>,
    /// The SHA-256 of the source, where the cache knows it.
    pub source_sha256: Option<String>,
    /// What is in the image.
    pub opened: Option<Opened>,
    /// How long tasks took.
    pub tasks: Vec<Span>,
    /// The collections that Ansible found.
    pub collections: BTreeMap<String, String>,
    /// What was put off to the first boot.
    pub first_boot: FirstBoot,
    /// The packages of the image.
    pub packages: Vec<PackageVersion>,
}

impl Journal {
    /// Begins now.
    pub fn begin() -> Self {
        Journal {
            since: Instant::now(),
            phases: Vec::new(),
            source_sha256: None,
            opened: None,
            tasks: Vec::new(),
            collections: BTreeMap::new(),
            first_boot: FirstBoot::default(),
            packages: Vec::new(),
        }
    }

    /// A phase is over, and the next begins.
    pub fn done(&mut self, phase: &str) {
        let seconds = (self.since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.since = Instant::now();
        self.phases.push(Span {
            name: phase.to_owned(),
            seconds,
        });
    }
}
