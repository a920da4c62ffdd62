//! What an image was made of, as one JSON document. It holds no secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    disk::Volume,
    event::{FirstBoot, PackageVersion},
};

/// Names of variables that are likely to hold what nobody is to read, though nobody has said so.
const PRIVATE: [&str; 8] = [
    "pass",
    "pw",
    "secret",
    "token",
    "key",
    "credential",
    "psk",
    "auth",
];

/// What stands in place of such a value.
const NOT_SHOWN: &str = "(not shown)";

/// The document.
#[derive(Debug, Serialize)]
pub struct Manifest<'a> {
    /// The version of this document's form.
    pub manifest: u32,
    /// This program's version.
    pub pichroot: &'static str,
    /// When it was made.
    pub made: String,
    /// The machine that the image becomes.
    pub machine: &'a str,
    /// What it was made from.
    pub source: Source<'a>,
    /// What is in it.
    pub system: Option<System<'a>>,
    /// Its partitions.
    pub layout: Vec<Part>,
    /// The packages of its package manager.
    pub packages: &'a [PackageVersion],
    /// What was run.
    pub ansible: Ansible<'a>,
    /// What the machine does at its first boot.
    pub first_boot: &'a FirstBoot,
    /// How long each phase took.
    pub phases: &'a [Span],
    /// How long each task took, in their order.
    pub tasks: &'a [Span],
    /// What was made.
    pub outputs: Vec<Artefact>,
}

/// Where an image comes from.
#[derive(Debug, Serialize)]
pub struct Source<'a> {
    /// Its address, without what may be secret in it.
    pub address: &'a str,
    /// Its SHA-256, as it is packed.
    pub sha256: Option<&'a str>,
}

/// A system.
#[derive(Debug, Serialize)]
pub struct System<'a> {
    /// Its name and version.
    pub name: Option<&'a str>,
    /// Its architecture.
    pub architecture: &'a str,
}

/// A partition.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Its number.
    pub number: u32,
    /// Where it begins, in bytes.
    pub start: u64,
    /// Its size, in bytes.
    pub size: u64,
    /// Its identifier.
    pub uuid: Option<String>,
    /// Its file system.
    pub file_system: Option<&'static str>,
    /// The file system's label.
    pub label: Option<String>,
    /// Where the machine mounts it.
    pub mounted: Option<String>,
}

impl Part {
    /// Of these `volumes`, mounted at these `places` by number.
    pub fn all(volumes: &[Volume], places: &[(u32, std::path::PathBuf)]) -> Vec<Part> {
        let part = |volume: &Volume| {
            let partition = &volume.partition;
            let place = places
                .iter()
                .find(|(number, _)| *number == partition.number);
            Part {
                number: partition.number,
                start: partition.start,
                size: partition.size,
                uuid: partition.uuid.clone(),
                file_system: volume.fs.as_ref().map(|fs| fs.kind.name()),
                label: volume.fs.as_ref().and_then(|fs| fs.label.clone()),
                mounted: place.map(|(_, at)| at.display().to_string()),
            }
        };
        volumes.iter().map(part).collect()
    }
}

/// What Ansible did.
#[derive(Debug, Serialize)]
pub struct Ansible<'a> {
    /// The version of ansible-core.
    pub core: Option<String>,
    /// The versions of the collections that it finds, by name.
    pub collections: &'a BTreeMap<String, String>,
    /// The playbook.
    pub playbook: String,
    /// The commit of the repository that the playbook is in.
    pub commit: Option<Commit>,
    /// Plain variables that are known before it runs, without those that may hold secrets.
    pub variables: BTreeMap<&'a str, &'a str>,
    /// Names of the variables that hold secrets.
    pub secrets: Vec<&'a str>,
}

/// A state of a git repository.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Commit {
    /// The commit.
    pub id: String,
    /// Whether nothing was changed since, and nothing added.
    pub clean: bool,
}

/// How long something took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// What.
    pub name: String,
    /// How long, in seconds.
    pub seconds: f64,
}

/// An output.
#[derive(Debug, Serialize)]
pub struct Artefact {
    /// Its file name.
    pub name: String,
    /// Its size, in bytes; of a folder none.
    pub size: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<String>,
}

/// `value`, unless `name` sounds as if nobody was to read it.
pub fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    let name = name.to_ascii_lowercase();
    match PRIVATE.iter().any(|part| name.contains(part)) {
        true => NOT_SHOWN,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sounds_like_a_secret_is_not_shown() {
        for name in ["imhotep_pw", "WIFI_PASSWORD", "ceph_key", "apiToken", "psk"] {
            assert_eq!(shown(name, "x"), NOT_SHOWN, "{name}");
        }
        assert_eq!(shown("hn_hostname", "mypi"), "mypi");
    }
}
