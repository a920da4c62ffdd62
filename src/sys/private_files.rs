//! Files that may hold secrets: only their owner can read them, in directories of the same kind.

use std::{
    fmt,
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use secrecy::zeroize::Zeroize;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Kind, Result};

/// One file, not yet written. Zeroed in memory when dropped.
#[derive(Serialize, Deserialize)]
pub struct PrivateFile {
    /// Where, relative to the folder of them all.
    pub path: PathBuf,
    /// The content.
    pub content: String,
}

/// Files for one folder.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PrivateFiles(pub Vec<PrivateFile>);

impl PrivateFiles {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, content: impl Into<String>) {
        self.0.push(PrivateFile {
            path: path.into(),
            content: content.into(),
        });
    }

    /// Writes them all below `folder`, which is made where it is missing; files get mode 0600 and
    /// folders 0700. The caller sees to it that it is on a tmpfs.
    ///
    /// # Errors
    /// When one cannot be made ([`Kind::Host`]); an existing file is never overwritten.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for file in &self.0 {
            let path = folder.join(&file.path);
            let failed = || format!("cannot write {}", path.display());
            let parent = path.parent().unwrap_or(folder);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .context(Kind::Host, failed)?;
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .and_then(|mut open| open.write_all(file.content.as_bytes()))
                .context(Kind::Host, failed)?;
        }
        Ok(())
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

impl fmt::Debug for PrivateFile {
    /// Without the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn files_are_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = PrivateFiles::default();
        files.add("a/b.json", "{}");
        files.write(folder.path()).unwrap();
        let mode = |path: &str| {
            let metadata = fs::metadata(folder.path().join(path)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("a"), mode("a/b.json")), (0o700, 0o600));
        assert!(files.write(folder.path()).is_err());
    }
}
