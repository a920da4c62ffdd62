//! An output that is complete and has no name yet.

use std::{
    cell::RefCell,
    io::{self, Write},
    path::Path,
    rc::Rc,
};

use sha2::{Digest, Sha256};

use super::folder::NewFolder;
use crate::{error::Result, hex::hex, image::OutputFile};

/// It. Dropped, it is gone.
pub struct Ready {
    content: Content,
    /// The SHA-256 of the file, if that was wanted.
    pub sha256: Option<String>,
}

enum Content {
    File(OutputFile),
    Folder(NewFolder),
}

impl Ready {
    /// A file that is complete.
    pub fn file(file: OutputFile, sha256: Option<String>) -> Self {
        Ready {
            content: Content::File(file),
            sha256,
        }
    }

    /// A folder that is complete.
    pub fn folder(folder: NewFolder) -> Self {
        Ready {
            content: Content::Folder(folder),
            sha256: None,
        }
    }

    /// What it becomes.
    pub fn path(&self) -> &Path {
        match &self.content {
            Content::File(file) => file.path(),
            Content::Folder(folder) => folder.path(),
        }
    }

    /// The size of a file, in bytes.
    pub fn size(&self) -> Option<u64> {
        match &self.content {
            Content::File(file) => file.file().metadata().ok().map(|meta| meta.len()),
            Content::Folder(_) => None,
        }
    }

    /// Gives it its name, complete and durable, in one step.
    ///
    /// # Errors
    /// When there is something by now that must not be replaced, or the disk fails.
    pub fn publish(self) -> Result<()> {
        match self.content {
            Content::File(file) => file.publish(),
            Content::Folder(folder) => folder.publish(),
        }
    }
}

/// Passes on what is written to it.
pub struct Summing<W> {
    inner: W,
    sum: Sum,
}

/// The SHA-256 of what goes through a [`Summing`], if that is wanted.
#[derive(Clone)]
pub struct Sum(Option<Rc<RefCell<Sha256>>>);

impl<W> Summing<W> {
    pub fn new(inner: W, wanted: bool) -> (Self, Sum) {
        let sum = Sum(wanted.then(Rc::default));
        let summing = Summing {
            inner,
            sum: sum.clone(),
        };
        (summing, sum)
    }
}

impl Sum {
    /// That of all that was written until now.
    pub fn get(&self) -> Option<String> {
        let sum = self.0.as_ref()?.borrow().clone();
        Some(hex(&sum.finalize()))
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        if let Sum(Some(sum)) = &self.sum {
            sum.borrow_mut().update(&bytes[..count]);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
