//! Which versions of ansible-core are known.

use std::path::Path;

use super::library;
use crate::{
    error::{Error, Result},
    sys::kernel::Version,
};

/// The oldest that works.
pub const OLDEST: Version = Version(2, 16);
/// The newest that is known.
pub const NEWEST: Version = Version(2, 21);

/// Refuses an ansible-playbook that is too old, as far as its files tell: it is not started for that.
///
/// # Errors
/// [`crate::error::Kind::Host`], with its version.
pub fn check(ansible_playbook: &Path) -> Result<()> {
    let version = library::find(ansible_playbook).and_then(|folder| library::version(&folder));
    match version.as_deref().and_then(Version::parse) {
        Some(found) if found < OLDEST => Err(Error::host(format!(
            "{} is of ansible-core {found}; at least {OLDEST} is needed",
            ansible_playbook.display()
        ))
        .hint("`pichroot doctor` tells how to install a newer one")),
        _ => Ok(()),
    }
}
