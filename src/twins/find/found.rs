//! What a search for twins finds.

use std::path::PathBuf;

use super::{catalogue::Rule, installed::FileId, perl::Perl, stamp::Stamp};
use crate::event::TwinMissing;

/// What there is.
#[derive(Debug, Default)]
pub struct Found {
    /// The programs that have twins, by path.
    pub programs: Vec<Program>,
    /// The twins' own dynamic loader, of the image's libc version; none where there is no twin.
    pub loader: PathBuf,
    /// What twins are for, as dpkg names it.
    pub host: &'static str,
    /// What the image is for, as dpkg names it.
    pub image: &'static str,
    /// Their libraries: host files, each named as programs ask for it, each name once.
    pub libraries: Vec<PathBuf>,
    /// Packages of the catalogue that the image has and of which a program got no twin.
    pub missing: Vec<TwinMissing>,
    /// What perl needs, where it has a twin.
    pub perl: Option<Perl>,
    /// The image's nsswitch.conf, of before it was read: by another one programs look up users in another way.
    pub nsswitch: Option<Stamp>,
    /// Why there are none at all, where that is of the image.
    pub none_as: Option<String>,
    /// Whether a module that the image looks up users with could not be had. Programs that do so
    /// could then give other answers than the image's own.
    pub nss_missing: bool,
}

impl Found {
    pub(super) fn none(why: impl Into<String>) -> Self {
        Found {
            none_as: Some(why.into()),
            ..Found::default()
        }
    }
}

/// A program of the image and its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where the program is below the image's root, all links resolved.
    pub path: PathBuf,
    /// Its package.
    pub package: String,
    /// The version of that, in the image.
    pub version: String,
    /// The twin: a file of the host.
    pub twin: PathBuf,
    /// When it may run.
    pub rule: Rule,
    /// The program's file in the image, as it was when its content was found to be the package's.
    pub file: FileId,
}
