//! The image's file systems: attached, mounted, and taken apart again in reverse.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{directory, disk, facts, partition::Mounted};
use crate::{
    chroot::disk::Disk,
    disk::{DiskName, Layout, Mount, Volume, layout},
    error::{Context, Error, Kind, Result},
    event::Event,
    sys::{
        inroot::{Root, path_of},
        loopdev::LoopDevice,
    },
};

/// The mounted image. To be ended by [`Mounts::close`]; the kernel does it if we are killed.
#[derive(Debug)]
pub struct Mounts {
    /// Where the image's root is mounted.
    root: PathBuf,
    /// The image's file.
    image: File,
    volumes: Vec<Volume>,
    /// What the image calls its disk.
    name: DiskName,
    mounted: Vec<Mounted>,
    /// Devices by which its programs can read it.
    shown: Vec<LoopDevice>,
    /// What the user should know of the file systems.
    notes: Vec<Event>,
}

impl Mounts {
    /// Mounts the partitions of `image` below the stage's directory: the root where its content is one,
    /// the others where `layout` or the image's own fstab says. Returns what the fstab asks
    /// for and was left out, as warnings.
    ///
    /// # Errors
    /// [`Kind::Image`] when no partition holds a Linux root, or one cannot be mounted.
    pub fn open(
        image: &File,
        volumes: &[Volume],
        layout: Option<&layout::Given>,
    ) -> Result<(Self, Vec<Event>)> {
        let root = directory::path().join("root");
        for directory in [&root, &directory::nodes()] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(directory)
                .context(Kind::Host, || {
                    format!("cannot make {}", directory.display())
                })?;
        }
        let mut mounts = Mounts {
            root,
            image: image
                .try_clone()
                .context(Kind::Other, || "cannot share the image file".into())?,
            volumes: volumes.to_vec(),
            name: DiskName::likely(volumes),
            mounted: Vec::new(),
            shown: Vec::new(),
            notes: Vec::new(),
        };
        let layout = match layout {
            Some(given) => {
                let layout = layout::explicit(volumes, given)?;
                mounts.mount_root(layout.mounts[0].partition)?;
                layout
            }
            None => mounts.find_root()?,
        };
        for entry in &layout.mounts[1..] {
            mounts.mount(entry)?;
        }
        mounts.name_disk(&layout)?;
        let skipped = layout.skipped.iter().filter(|s| s.warn);
        let skipped = skipped.map(|s| Event::NotMounted {
            line: s.line,
            source: s.source.clone(),
            at: s.at.clone(),
            why: s.reason.clone(),
        });
        mounts.notes.extend(skipped);
        let warnings = std::mem::take(&mut mounts.notes);
        Ok((mounts, warnings))
    }

    /// Mounts the candidates one by one until one has the content of a root.
    fn find_root(&mut self) -> Result<Layout> {
        let mut refused = Vec::new();
        let mut hint = None;
        for number in layout::root_candidates(&self.volumes) {
            match self.mount_root(number) {
                Ok(()) => {}
                Err(error) if error.kind() == Kind::Image => {
                    refused.push(format!("partition {number}: {error}"));
                    hint = hint.or(error.hint_text().map(str::to_owned));
                    continue;
                }
                Err(error) => return Err(error),
            }
            let root = Root::open(&self.root)?;
            if facts::is_linux_root(&root) {
                return layout::from_fstab(&self.volumes, number, &facts::fstab(&root)?);
            }
            refused.push(format!("partition {number}: no /etc, /usr and /bin/sh"));
            drop(root);
            if let Some(last) = self.mounted.pop() {
                last.unmount(&self.image)?;
            }
        }
        if refused.is_empty() {
            refused.push("no partition has a Linux file system".into());
        }
        let none = Error::image(format!(
            "no Linux root in the image: {}",
            refused.join("; ")
        ));
        // What is wrong with a partition that may be the root comes before looking for it elsewhere.
        let none = match hint {
            Some(hint) => none.hint(hint),
            None => none,
        };
        Err(none.hint("if one of its partitions is the root, name it in pichroot.yml, as in `image: {layout: {2: /}}`"))
    }

    /// Mounts everything again if the image calls its disk otherwise than it did seem.
    fn name_disk(&mut self, layout: &Layout) -> Result<()> {
        let name = disk::name(&Root::open(&self.root)?);
        if name == self.name {
            return Ok(());
        }
        while let Some(last) = self.mounted.pop() {
            last.unmount(&self.image)?;
        }
        self.name = name;
        self.mount_root(layout.mounts[0].partition)?;
        layout.mounts[1..]
            .iter()
            .try_for_each(|entry| self.mount(entry))
    }

    /// Attaches devices by which programs of the image can read its disk, and nothing else.
    pub fn show_disk(&mut self) -> Result<Disk> {
        let nodes = directory::nodes();
        let (disk, devices) = disk::show(
            &self.image,
            &self.volumes,
            &self.mounted,
            &self.name,
            &nodes,
        )?;
        self.shown = devices;
        Ok(disk)
    }

    fn mount_root(&mut self, number: u32) -> Result<()> {
        let kind = find(&self.volumes, number)?.fs.as_ref().map(|fs| fs.kind);
        let kind = kind
            .ok_or_else(|| Error::image(format!("partition {number} has no known file system")))?;
        let entry = Mount {
            partition: number,
            at: "/".into(),
            kind,
            options: Vec::new(),
        };
        self.mount(&entry)
    }

    fn mount(&mut self, entry: &Mount) -> Result<()> {
        // The handle of a mount point in the image: its path may lead through links.
        let (at, _handle) = if entry.at == Path::new("/") {
            (self.root.clone(), None)
        } else {
            let (at, handle) = self.mount_point(entry)?;
            (at, Some(handle))
        };
        let volume = find(&self.volumes, entry.partition)?;
        let nodes = directory::nodes();
        let name = self.name.partition(entry.partition);
        let (mounted, repaired) = Mounted::mount(&self.image, volume, entry, &at, &nodes, &name)?;
        self.mounted.push(mounted);
        self.notes.extend(repaired);
        Ok(())
    }

    /// The directory in the image that `entry` is to be mounted on: its real path, and a handle that
    /// keeps it.
    fn mount_point(&self, entry: &Mount) -> Result<(PathBuf, OwnedFd)> {
        let shown = entry.at.display();
        let handle = Root::open(&self.root)?
            .open_at(&entry.at, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())
            .context(Kind::Image, || {
                let number = entry.partition;
                format!("the image has no directory {shown} to mount partition {number} on")
            })
            .map_err(|error| {
                error.hint("where pichroot.yml or the image's fstab names it, correct that")
            })?;
        let real = std::fs::read_link(path_of(&handle))
            .context(Kind::Image, || format!("cannot reach {shown} in the image"))?;
        Ok((real, handle))
    }

    /// The image's root in the stage.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where each partition is mounted, by number.
    pub fn places(&self) -> Vec<(u32, PathBuf)> {
        self.mounted
            .iter()
            .map(|m| (m.number, m.place.clone()))
            .collect()
    }

    /// Writes everything out, zeroes what is free, so that nothing deleted stays in the image, and
    /// unmounts everything. Returns warnings.
    ///
    /// # Errors
    /// [`Kind::Host`] when something that was written did not get into the image: the kernel takes
    /// data before it knows of room for them. [`Kind::Teardown`] when something cannot be unmounted;
    /// what could be is.
    pub fn close(mut self) -> Result<Vec<Event>> {
        self.shown.clear();
        let mut warnings = Vec::new();
        let mut first_error = None;
        while let Some(last) = self.mounted.pop() {
            match last.write_out(&self.image) {
                Ok(warning) => warnings.extend(warning),
                Err(lost) => first_error = first_error.or(Some(lost)),
            }
            if let Err(error) = last.unmount(&self.image) {
                first_error = first_error.or(Some(error));
            }
        }
        match first_error {
            Some(error) => Err(error),
            None => Ok(warnings),
        }
    }
}

fn find(volumes: &[Volume], number: u32) -> Result<&Volume> {
    volumes
        .iter()
        .find(|volume| volume.partition.number == number)
        .ok_or_else(|| Error::image(format!("the image has no partition {number}")))
}
