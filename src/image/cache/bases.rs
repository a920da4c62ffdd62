//! The base images in the cache: finding, adding and removing them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    super::{
        digest::{Algorithm, Digest, Digests},
        pass,
        record::{self, BaseRecord, TEMPORARY},
    },
    Cache, HINT,
};
use crate::{
    error::{Context, Error, Kind, Result},
    event::Report,
    sys::newfile::{self, NewFile},
};

/// A verified image, open for reading, to make work images from. Never written.
#[derive(Debug)]
pub struct BaseImage {
    file: File,
    path: PathBuf,
    size: u64,
    /// The SHA-256 of the source that it was made from, of one in the cache.
    key: Option<String>,
}

/// What a digest is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The source, as it is packed.
    Source,
    /// The image in it.
    Image,
}

impl BaseImage {
    /// An image that is used where it is.
    pub(in crate::image) fn new(file: File, path: PathBuf) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(BaseImage {
            file,
            path,
            size,
            key: None,
        })
    }

    /// The image. Where it is in the cache, its lock goes with this descriptor.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 of the source that it was made from: in the cache it has its name of that; a file that is used where
    /// it is is read.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be read.
    pub fn source_sha256(&self, report: &dyn Report) -> Result<String> {
        if let Some(key) = &self.key {
            return Ok(key.clone());
        }
        let name = self.path.display().to_string();
        let digests = pass::of_file(&self.file, &name, report)?;
        Ok(key(&digests).to_owned())
    }
}

impl Cache {
    /// Every base image, in no order.
    pub fn bases(&self) -> Vec<BaseRecord> {
        let Ok(entries) = fs::read_dir(self.root.join("bases")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|e| e == "json"))
            .filter_map(|entry| record::read(&entry.path()))
            .collect()
    }

    /// Removes a base image; false when a run is using it.
    ///
    /// # Errors
    /// [`Kind::Host`] when it cannot be removed.
    pub fn remove(&self, base: &BaseRecord) -> Result<bool> {
        let image = self.base_path(key(&base.digests), "img");
        let failed = || format!("cannot remove {}", image.display());
        match File::open(&image) {
            Ok(file) => match file.try_lock() {
                Ok(()) => fs::remove_file(&image).context(Kind::Host, failed)?,
                Err(fs::TryLockError::WouldBlock) => return Ok(false),
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).context(Kind::Host, failed);
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(Kind::Host, failed),
        }
        // Without the image it says nothing any more.
        let _ = fs::remove_file(self.base_path(key(&base.digests), "json"));
        Ok(true)
    }

    /// The base image made from the source with these digests, if it is there.
    pub(in crate::image) fn base(&self, digests: &Digests) -> Result<Option<BaseImage>> {
        let path = self.base_path(key(digests), "img");
        let failed = || format!("cannot use the cached image {}", path.display());
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.context(Kind::Host, failed)?,
        };
        file.lock_shared().context(Kind::Host, failed)?;
        // It may have been removed between the two.
        let removed = file.metadata().context(Kind::Host, failed)?.nlink() == 0;
        if removed {
            return Ok(None);
        }
        let base = BaseImage::new(file, path.clone()).context(Kind::Host, failed)?;
        Ok(Some(BaseImage {
            key: Some(key(digests).to_owned()),
            ..base
        }))
    }

    /// The base image whose source has this digest, or that has it itself, as far as that was ever
    /// computed.
    pub(in crate::image) fn base_with(&self, digest: &Digest) -> Result<Option<(BaseImage, Of)>> {
        if digest.algorithm == Algorithm::Sha256
            && let Some(base) =
                self.base(&Digests::from([(Algorithm::Sha256, digest.hex.clone())]))?
        {
            return Ok(Some((base, Of::Source)));
        }
        let bases = self.bases();
        let has = |digests: &Digests| digests.get(&digest.algorithm) == Some(&digest.hex);
        let of_source = bases.iter().find(|base| has(&base.digests));
        let of_image = bases.iter().find(|base| has(&base.image_digests));
        for (known, of) in [(of_source, Of::Source), (of_image, Of::Image)] {
            if let Some(known) = known
                && let Some(base) = self.base(&known.digests)?
            {
                return Ok(Some((base, of)));
            }
        }
        Ok(None)
    }

    /// What is known of the digests of the image made from the source with these.
    pub(in crate::image) fn image_digests(&self, digests: &Digests) -> Digests {
        let json = self.base_path(key(digests), "json");
        record::read::<BaseRecord>(&json).map_or_else(Digests::new, |base| base.image_digests)
    }

    /// Notes digests of that image. Only a short cut for later runs, so failure does no harm.
    pub(in crate::image) fn note_image_digests(&self, digests: &Digests, image: &Digests) {
        let json = self.base_path(key(digests), "json");
        if let Some(mut base) = record::read::<BaseRecord>(&json) {
            base.image_digests.extend(image.clone());
            let _ = record::write(&json, &base);
        }
    }

    /// A file for a new base image, seen by nobody until [`Cache::insert`].
    pub(in crate::image) fn new_base(&self) -> Result<NewFile> {
        let dir = self.root.join("bases");
        NewFile::create(&dir, TEMPORARY.as_ref(), 0o444)
            .context(Kind::Host, || format!("cannot write in {}", dir.display()))
            .map_err(|error| error.hint(HINT))
    }

    /// Takes a complete, verified base image in. If another run was faster, its image is used; what
    /// is newly known of the source is noted in either case.
    pub(in crate::image) fn insert(
        &self,
        mut new: NewFile,
        mut record: BaseRecord,
    ) -> Result<BaseImage> {
        let path = self.base_path(key(&record.digests), "img");
        let failed = || format!("cannot write the cached image {}", path.display());
        new.file().sync_all().context(Kind::Host, failed)?;
        new.file().lock_shared().context(Kind::Host, failed)?;
        match new.publish(path.file_name().unwrap_or_default(), false) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.context(Kind::Host, failed)?,
        }
        let json = self.base_path(key(&record.digests), "json");
        if let Some(older) = record::read::<BaseRecord>(&json) {
            record.digests.extend(older.digests);
            record.image_digests.extend(older.image_digests);
        }
        record::write(&json, &record).context(Kind::Host, failed)?;
        newfile::sync_dir(&self.root.join("bases")).context(Kind::Host, failed)?;
        self.base(&record.digests)?
            .ok_or_else(|| Error::other(format!("{} vanished while it was made", path.display())))
    }

    fn base_path(&self, key: &str, extension: &str) -> PathBuf {
        self.root.join("bases").join(format!("{key}.{extension}"))
    }
}

/// The key of the source with these digests: its SHA-256, which every pass computes.
fn key(digests: &Digests) -> &str {
    digests
        .get(&Algorithm::Sha256)
        .map_or("unknown", String::as_str)
}
