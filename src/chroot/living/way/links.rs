//! Links to the client under the names of these programs, in a folder that comes first in `PATH`.
//!
//! For kernels without a binfmt_misc for us. What is started by its whole path, or with another `PATH`, is not found here.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::present::Present;
use crate::error::{Context, Kind, Result};

/// It; maintainers' scripts of packages have it in their `PATH`, too.
pub const FOLDER: &str = "/run/pichroot/bin";
/// The client.
const CLIENT: &str = "/run/pichroot/client";

/// All links.
#[derive(Debug, Default)]
pub struct Links(BTreeSet<&'static str>);

impl Links {
    /// None yet.
    ///
    /// # Errors
    /// When the client cannot be written.
    pub fn new(client: &[u8]) -> Result<Self> {
        let failed = || format!("cannot write {CLIENT} in the chroot");
        fs::write(CLIENT, client).context(Kind::Host, failed)?;
        fs::set_permissions(CLIENT, PermissionsExt::from_mode(0o755))
            .context(Kind::Host, failed)?;
        Ok(Links::default())
    }

    /// Makes those of programs that are `present`, and removes all others.
    pub fn update(&mut self, present: &[Present]) {
        let wanted: BTreeSet<_> = present.iter().map(|program| program.name).collect();
        let at = |name: &str| Path::new(FOLDER).join(name);
        for name in self.0.difference(&wanted) {
            // The image may have removed it.
            let _ = fs::remove_file(at(name));
        }
        for name in wanted.difference(&self.0) {
            let _ = symlink(CLIENT, at(name));
        }
        self.0 = wanted;
    }
}
