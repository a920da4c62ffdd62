//! The files of one run, to be written to a tmpfs that only this run sees.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use crate::error::{Context, Kind, Result};

/// One file of the run.
#[derive(Debug, Clone)]
pub struct RunFile {
    /// Where, relative to the run's folder; its parent folders are made with mode 0700.
    pub path: PathBuf,
    /// Permission bits; always 0600, since any of the files may hold a secret.
    pub mode: u32,
    /// The content; zeroed in memory when dropped.
    pub content: SecretString,
}

/// All files of one run.
#[derive(Debug, Clone, Default)]
pub struct RunFiles(pub Vec<RunFile>);

impl RunFiles {
    /// Adds a file of mode 0600.
    pub fn add(&mut self, path: impl Into<PathBuf>, content: impl Into<SecretString>) {
        self.0.push(RunFile {
            path: path.into(),
            mode: 0o600,
            content: content.into(),
        });
    }

    /// Writes them all below `folder`, which must exist and be on a tmpfs.
    ///
    /// # Errors
    /// When a folder or file cannot be made ([`Kind::Host`]); an existing file is never overwritten.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for file in &self.0 {
            let path = folder.join(&file.path);
            if let Some(parent) = path.parent() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent)
                    .context(Kind::Host, || format!("cannot make {}", parent.display()))?;
            }
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(file.mode)
                .open(&path)
                .and_then(|mut f| f.write_all(file.content.expose_secret().as_bytes()))
                .context(Kind::Host, || format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn files_are_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = RunFiles::default();
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
