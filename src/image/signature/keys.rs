//! The keys that the user trusts.

use std::{fs::File, path::Path};

use sha2::Digest as _;

use super::armor;
use crate::{
    error::{Context, Error, Kind, Result},
    hex::hex,
    image::small_file,
    nearest,
    sys::memory,
};

/// The largest keyring that is read, in bytes; that of all Debian developers has more than half of it.
const KEYRING: u64 = 64 << 20;

/// Keys, as gpgv reads them.
pub struct Keys {
    /// In memory, for reading only.
    pub file: File,
    /// What tells them from others.
    pub digest: String,
    /// Its path, for messages.
    pub shown: String,
}

impl Keys {
    /// Reads the keyring at `path`.
    ///
    /// # Errors
    /// [`Kind::Usage`] where there is none.
    pub fn read(path: &Path) -> Result<Self> {
        const HINT: &str = "name the publisher's keyring, such as /usr/share/keyrings/ubuntu-archive-keyring.gpg, or a \
                            file with its public keys";
        let shown = path.display().to_string();
        let failed = || format!("cannot read the keyring {shown}");
        let bytes = small_file::read(path, KEYRING)
            .context(Kind::Usage, failed)
            .map_err(|error| error.hint(nearest::hint(path, HINT)))?;
        let keys = armor::keyring(&bytes)
            .map_err(|why| Error::usage(format!("the keyring {shown} {why}")).hint(HINT))?;
        Ok(Keys {
            file: memory::sealed("keyring", &keys).context(Kind::Host, failed)?,
            digest: hex(&sha2::Sha256::digest(&keys)),
            shown,
        })
    }
}
