//! An image of this host as a stream, however it is packed.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use super::{
    decode::{self, Format},
    local,
    pass::{self, Input},
};
use crate::error::{Error, Result};

/// How much is read at once, in bytes.
const BUFFER: usize = 1 << 20;

/// An image that is open.
pub struct Stream {
    file: File,
    name: String,
    format: Format,
}

impl Stream {
    /// Opens the image at `path`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for what is no file, [`Kind::Image`](crate::error::Kind::Image) for what
    /// is no image, or in a format that is not read.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, name) = (local::open(path)?, path.display().to_string());
        let format = pass::detect(&file, &name)?;
        if format == Format::Tar {
            return Err(
                Error::usage(format!("{name} is a tar archive, not a disk image"))
                    .hint("name a disk image"),
            );
        }
        if let Format::Disk(disk) = format {
            return Err(Error::usage(format!(
                "{name} is the disk of a virtual machine, in {} format",
                disk.name()
            ))
            .hint("make a plain image of it first, with qemu-img convert -O raw"));
        }
        Ok(Stream { file, name, format })
    }

    /// The file, if that is the image as it is.
    pub fn plain(&self) -> Option<&File> {
        (self.format == Format::Raw).then_some(&self.file)
    }

    /// The size of the image, in bytes, where that can be told without unpacking it.
    pub fn size(&self) -> Option<u64> {
        match self.format {
            Format::Raw => self.file.metadata().ok().map(|meta| meta.len()),
            format => decode::unpacked_size(format, &self.file),
        }
    }

    /// Has `with` read the image.
    ///
    /// # Errors
    /// Those of `with`; it makes errors of reading by the function that it gets.
    pub fn read<T>(
        &self,
        with: impl FnOnce(&mut dyn Read, &dyn Fn(io::Error) -> crate::error::Error) -> Result<T>,
    ) -> Result<T> {
        let input = Input {
            file: &self.file,
            name: &self.name,
            format: self.format,
        };
        let bad = |error| pass::read_error(&input, error);
        if self.format == Format::Zip {
            return decode::zip::with_image(&self.file, bad, |_, _, reader| with(reader, &bad));
        }
        let mut source = BufReader::with_capacity(BUFFER, pass::Bytes::new(&self.file, None));
        let mut reader = decode::open(self.format, &mut source).map_err(bad)?;
        with(&mut reader, &bad)
    }
}
