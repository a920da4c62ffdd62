//! The image's file systems: attached, mounted, and taken apart again in reverse.

use std::{
    collections::BTreeMap,
    fs::File,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::{Path, PathBuf},
};

use super::{
    directory, disk, facts,
    partition::{Access, Mounted},
    subvolumes,
};
use crate::{
    chroot::disk::Disk,
    disk::{DiskName, FsKind, Layout, Mount, Volume, layout, partition::called},
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
    access: Access,
    /// What the image calls its disk.
    name: DiskName,
    /// What the root is mounted with.
    root_options: Vec<String>,
    mounted: Vec<Mounted>,
    /// Devices by which its programs can read it.
    shown: Vec<LoopDevice>,
    /// What the user should know of the file systems.
    notes: Vec<Event>,
}

impl Mounts {
    /// Mounts the partitions of `image` below the stage's directory: the root where its content is one,
    /// the others where `given` or the image's own fstab says. Returns the layout where
    /// that is the fstab's.
    ///
    /// # Errors
    /// [`Kind::Image`] when no partition holds a Linux root, or one cannot be mounted.
    pub fn open(
        image: &File,
        volumes: &[Volume],
        given: Option<&layout::Given>,
        access: Access,
    ) -> Result<(Self, Option<Layout>)> {
        let root = directory::path().join("root");
        for directory in [&root, &directory::nodes()] {
            std::fs::DirBuilder::new()
                .mode(0o700)
                .recursive(true)
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
            access,
            name: DiskName::likely(volumes),
            root_options: Vec::new(),
            mounted: Vec::new(),
            shown: Vec::new(),
            notes: Vec::new(),
        };
        let layout = match given {
            Some(given) => {
                let layout = layout::explicit(volumes, given)?;
                let root = &layout.mounts[0];
                mounts.mount_root(root.partition, &root.options)?;
                layout
            }
            None => mounts.find_root()?,
        };
        mounts.mount_others(&layout)?;
        mounts.name_disk(&layout)?;
        let skipped = layout.skipped.iter().filter(|s| s.warn);
        let skipped = skipped.map(|s| Event::NotMounted {
            line: s.line,
            source: s.source.clone(),
            at: s.at.clone(),
            why: s.reason.clone(),
        });
        mounts.notes.extend(skipped);
        Ok((mounts, given.is_none().then_some(layout)))
    }

    /// Mounts all but the root.
    fn mount_others(&mut self, layout: &Layout) -> Result<()> {
        for entry in &layout.mounts[1..] {
            match self.mount(entry) {
                Err(error) if entry.may_fail && error.kind() == Kind::Image => {
                    self.notes.push(Event::MayFail(error.to_string()));
                }
                mounted => mounted?,
            }
        }
        Ok(())
    }

    /// Mounts the candidates one by one until one has the content of a root.
    fn find_root(&mut self) -> Result<Layout> {
        let mut refused = BTreeMap::new();
        let mut hint = None;
        for number in layout::root_candidates(&self.volumes) {
            match self.try_root(number) {
                Ok(true) => return self.layout_of(number),
                Ok(false) => {
                    refused.insert(number, "no /etc, /usr and /bin/sh".to_owned());
                }
                Err(error) if error.kind() == Kind::Image => {
                    refused.insert(number, error.to_string());
                    hint = hint.or(error.hint_text().map(str::to_owned));
                }
                Err(error) => return Err(error),
            }
            self.unmount_root()?;
        }
        let why = self.volumes.iter().map(|volume| {
            let number = volume.partition.number;
            match refused.get(&number) {
                Some(why) => format!("{}: {why}", called(number)),
                None => format!("{} holds {}", called(number), volume.content()),
            }
        });
        let why = why.collect::<Vec<_>>().join("; ");
        let none = Error::image(format!("no Linux root in the image: {why}"));
        // What is wrong with a partition that may be the root comes before looking for it elsewhere.
        let none = match hint {
            Some(hint) => none.hint(hint),
            None => none,
        };
        Err(none.hint(
            "if one of its partitions is the root, name it in pichroot.yml, as in `image: {layout: {2: /}}`; what \
             is encrypted, or cannot be changed, has to be copied to a file system of its own first",
        ))
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
        // What there was to say of them has been said.
        let notes = self.notes();
        let options = self.root_options.clone();
        self.mount_root(layout.mounts[0].partition, &options)?;
        self.mount_others(layout)?;
        self.notes = notes;
        Ok(())
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

    /// Mounts partition `number` as the root; whether it is one.
    fn try_root(&mut self, number: u32) -> Result<bool> {
        self.mount_root(number, &[])?;
        if facts::is_linux_root(&Root::open(&self.root)?) {
            return Ok(true);
        }
        if self.kind(number)? != FsKind::Btrfs {
            return Ok(false);
        }
        self.unmount_root()?;
        self.mount_root(number, &["subvolid=5".into()])?;
        let Some(name) = subvolumes::with_root(&Root::open(&self.root)?) else {
            return Ok(false);
        };
        self.unmount_root()?;
        self.mount_root(number, &[format!("subvol={name}")])?;
        Ok(facts::is_linux_root(&Root::open(&self.root)?))
    }

    /// The layout that the fstab of the root asks for, which is on partition `number`; its own line may name another
    /// subvolume.
    fn layout_of(&mut self, number: u32) -> Result<Layout> {
        let fstab = facts::fstab(&Root::open(&self.root)?)?;
        let layout = layout::from_fstab(&self.volumes, number, &fstab)?;
        let options = &layout.mounts[0].options;
        if options.iter().any(|option| option.starts_with("subvol")) {
            self.unmount_root()?;
            self.mount_root(number, options)?;
        }
        Ok(layout)
    }

    fn mount_root(&mut self, number: u32, options: &[String]) -> Result<()> {
        let entry = Mount {
            partition: number,
            at: "/".into(),
            kind: self.kind(number)?,
            options: options.to_vec(),
            line: None,
            may_fail: false,
        };
        self.root_options = entry.options.clone();
        self.mount(&entry)
    }

    fn unmount_root(&mut self) -> Result<()> {
        let last = self.mounted.pop();
        last.map_or(Ok(()), |last| last.unmount(&self.image))
    }

    /// What `with` finds in the file system of partition `number`, mounted aside for that long.
    pub(super) fn look<T>(&self, number: u32, with: impl FnOnce(&Root) -> T) -> Result<T> {
        let aside = directory::path().join("aside");
        std::fs::create_dir_all(&aside)
            .context(Kind::Host, || format!("cannot make {}", aside.display()))?;
        let volume = find(&self.volumes, number)?;
        let entry = Mount {
            partition: number,
            at: "/".into(),
            kind: self.kind(number)?,
            options: Vec::new(),
            line: None,
            may_fail: false,
        };
        let nodes = directory::nodes();
        let name = self.name.partition(number);
        let entry = (&entry, self.access);
        let (mounted, _) = Mounted::mount(&self.image, volume, entry, &aside, &nodes, &name)?;
        let found = Root::open(&aside).map(|root| with(&root));
        mounted.unmount(&self.image)?;
        found
    }

    /// The kind of the file system of partition `number`.
    pub(super) fn kind(&self, number: u32) -> Result<FsKind> {
        let fs = find(&self.volumes, number)?.fs.as_ref();
        fs.map(|fs| fs.kind)
            .ok_or_else(|| Error::image(format!("partition {number} has no known file system")))
    }

    /// What the user should know of the file systems, since it was last asked for.
    pub(super) fn notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    /// The image's partitions.
    pub(super) fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// Mounts one partition; an error names the line of the fstab that asks for it.
    pub(super) fn mount(&mut self, entry: &Mount) -> Result<()> {
        self.mount_at(entry).map_err(|error| match entry.line {
            Some(line) => error.of(&format!("fstab line {line}")),
            None => error,
        })
    }

    fn mount_at(&mut self, entry: &Mount) -> Result<()> {
        // The handle of a mount point in the image: its path may lead through links.
        let (at, _handle) = if entry.at == Path::new("/") {
            (self.root.clone(), None)
        } else {
            let (at, handle) = self.mount_point(entry)?;
            (at, Some(handle))
        };
        let name = self.name.partition(entry.partition);
        let same = self.mounted.iter().find(|m| m.number == entry.partition);
        if let Some(again) = same
            .map(|m| m.again(entry, &at, &name))
            .transpose()?
            .flatten()
        {
            self.mounted.push(again);
            return Ok(());
        }
        let volume = find(&self.volumes, entry.partition)?;
        let nodes = directory::nodes();
        let entry = (entry, self.access);
        let (mounted, repaired) = Mounted::mount(&self.image, volume, entry, &at, &nodes, &name)?;
        self.mounted.push(mounted);
        self.notes.extend(repaired);
        Ok(())
    }

    /// The directory in the image that `entry` is to be mounted on, made if it is not there, as systemd does: its real
    /// path, and a handle that keeps it.
    fn mount_point(&self, entry: &Mount) -> Result<(PathBuf, OwnedFd)> {
        let shown = entry.at.display();
        let handle = Root::open(&self.root)?
            .make_dirs(&entry.at)
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
