//! An image onto a card: only the blocks that matter, the first ones last, and all of them read back.

mod mapped;
mod target;
mod write;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{bmap::Bmap, map::Map};
use crate::{
    disk::volume,
    error::{Context, Error, Kind, Result},
    image::Stream,
    sys::{disk_device::Disk, room::Size},
};

use mapped::Mapped;
pub use write::write;

/// What is to be written to which disk.
pub struct Flash {
    image: Stream,
    /// What the user calls the image.
    pub name: PathBuf,
    /// Which parts of it matter.
    mapped: Mapped,
    /// The disk.
    pub disk: Disk,
    /// Whether others may use the disk at the same time.
    shared: bool,
}

impl Flash {
    /// Looks at both, and whether the one can be written to the other. The block map is in the file `bmap`, or else beside
    /// the image. With `force` it does not matter that the disk is in use, or none that one takes out.
    ///
    /// # Errors
    /// [`Kind::Usage`] where the disk is not one to write to; [`Kind::Image`] where the image or its map is damaged.
    pub fn plan(image: &Path, bmap: Option<&Path>, device: &Path, force: bool) -> Result<Self> {
        let disk = Disk::at(device)?;
        may_write(&disk, force)?;
        let stream = Stream::open(image)?;
        let mapped = match bmap.map(Path::to_owned).or_else(|| beside(image)) {
            Some(path) => Mapped::from(read(&path)?),
            None => match stream.plain() {
                Some(file) => of_plain(file, image)?,
                None => Mapped::all(stream.size()),
            },
        };
        if let Some(size) = mapped.size
            && size > disk.size
        {
            return Err(Error::usage(format!(
                "{} is too small: it has {}, and the image {}",
                disk.path.display(),
                Size(disk.size),
                Size(size)
            ))
            .hint("use a larger one, or make the image smaller with --shrink"));
        }
        Ok(Flash {
            image: stream,
            name: image.to_owned(),
            mapped,
            disk,
            shared: force,
        })
    }

    /// How many bytes will be written, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        self.mapped.bytes()
    }

    /// The image's size, in bytes, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.mapped.size
    }
}

/// Refuses a disk that is most likely not meant.
fn may_write(disk: &Disk, force: bool) -> Result<()> {
    let shown = disk.path.display();
    if let Some(whole) = &disk.part_of {
        return Err(Error::usage(format!(
            "{shown} is a partition, and an image is of a whole disk"
        ))
        .hint(format!("name the disk, {}", whole.display())));
    }
    if disk.size == 0 {
        return Err(Error::usage(format!("there is no card in {shown}")).hint("put one in"));
    }
    if disk.read_only {
        return Err(Error::usage(format!("{shown} cannot be written"))
            .hint("is the switch on the card's side set?"));
    }
    if force {
        return Ok(());
    }
    if let Some(at) = disk.mounted.first() {
        return Err(
            Error::usage(format!("{shown} is mounted on {}", at.display())).hint(
                "unmount it first, and everything else of that disk; --force writes all the same",
            ),
        );
    }
    if !disk.removable {
        return Err(
            Error::usage(format!("{shown} is not a card or stick but built in"))
                .hint("if it is the right one all the same, use --force"),
        );
    }
    Ok(())
}

/// The block map beside an image: its name, or what that is without an ending, with `.bmap`.
fn beside(image: &Path) -> Option<PathBuf> {
    let mut name = image.to_owned();
    while name.file_name().is_some_and(|name| !name.is_empty()) {
        let mut map = name.clone().into_os_string();
        map.push(".bmap");
        if Path::new(&map).is_file() {
            return Some(map.into());
        }
        name.extension()?;
        name.set_extension("");
    }
    None
}

fn read(path: &Path) -> Result<Bmap> {
    let shown = path.display();
    let mut file = File::open(path).context(Kind::Usage, || format!("cannot open {shown}"))?;
    Bmap::read(&mut file).map_err(|wrong| {
        Error::image(format!("the block map {shown} {wrong}"))
            .hint("get it again, or move it away: then all of the image is written")
    })
}

/// Which blocks of a plain image matter: it is looked at itself. One without a partition table is written as a whole.
fn of_plain(file: &File, path: &Path) -> Result<Mapped> {
    let failed = || format!("cannot read {}", path.display());
    let size = file.metadata().context(Kind::Host, failed)?.len();
    let name = path.display().to_string();
    match volume::read(file, size, &name) {
        Ok((_, volumes)) => {
            let map = Map::of(file, &volumes).context(Kind::Host, failed)?;
            Ok(Mapped::from(map))
        }
        Err(_) => Ok(Mapped::all(Some(size))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_found_beside_the_image() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.b.img.xz");
        assert_eq!(beside(&image), None);
        for name in ["a.b.bmap", "a.b.img.bmap", "a.b.img.xz.bmap"] {
            let map = dir.path().join(name);
            std::fs::write(&map, "").unwrap();
            assert_eq!(beside(&image), Some(map));
        }
    }
}
