//! What happens in a run: typed, with its figures and paths, from whichever layer it happens in.
//!
//! Lower layers [`Report`] events and print nothing; `ui` makes the words. Events cross sockets, from the
//! executor and the stage to the supervisor.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// Receives what happens. Shared between threads.
pub trait Report: Send + Sync {
    /// Something happened.
    fn tell(&self, event: Event);

    /// A task begins over `total` bytes (unknown where `None`); it ends when the progress is dropped.
    fn begin(&self, task: Task, total: Option<u64>) -> Box<dyn Progress>;
}

/// A task that is running.
pub trait Progress: Send {
    /// `bytes` are done, counted from the start.
    fn at(&self, bytes: u64);

    /// So many have come of them where that is not the same number, as of what is unpacked.
    fn written(&self, bytes: u64);
}

/// Work on many bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A source comes from a server; named without what may be secret in its address.
    Downloading(String),
    /// A source is read for its checksum.
    Verifying(String),
    /// A source becomes a base image.
    Decompressing(String),
    /// A base image becomes a work image.
    Copying(PathBuf),
    /// An output is made of the work image.
    Packing(PathBuf),
    /// Files of an image become a tree that machines boot from.
    Publishing(PathBuf),
    /// An image is written to a disk.
    Writing(PathBuf, PathBuf),
    /// A disk is compared with what was written to it.
    ReadingBack(PathBuf),
}

/// How much an event matters to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The run goes on to its next step.
    Step,
    /// Something the user should know, and that does not stop the run.
    Warning,
    /// For `-v`.
    Detail,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Another run fetches this source; it is waited for.
    WaitingFor(String),
    /// The image is mounted, and its programs run.
    Opened(Opened),
    /// A machine is started: what QEMU calls it, what it starts with, and the port of this machine that leads to its SSH server.
    Booting {
        /// QEMU's name of the machine.
        machine: String,
        /// The path of the kernel in the image; `None` where a boot loader is started.
        kernel: Option<String>,
        /// The port.
        port: Option<u16>,
    },
    /// The console is the user's now.
    BootKeys,
    /// A line of a console.
    Console(String),
    /// What was waited for has come, after this time.
    Booted(Duration),
    /// The machine starts again.
    Rebooting,
    /// An initramfs is made, for this kernel's release.
    MakingInitramfs(String),
    /// How programs of the image were started.
    Started(Starts),
    /// A new image has its partitions, and gets its files.
    NewImage {
        /// Its size, in bytes.
        size: u64,
        /// How many partitions it has.
        partitions: usize,
        /// Where the files come from.
        from: String,
    },
    /// A partition of the work image has grown.
    Grown {
        /// Its number.
        partition: u32,
        /// Its size now, in bytes.
        size: u64,
    },
    /// A partition of the work image has been made small, and the image with it.
    Shrunk {
        /// Its number.
        partition: u32,
        /// The image's size before, in bytes.
        had: u64,
        /// And now.
        size: u64,
    },
    /// The output is there.
    Made(PathBuf),
    /// An image is going to be written to a disk.
    ToFlash {
        /// The image.
        image: PathBuf,
        /// Its size, in bytes, where that is known.
        size: Option<u64>,
        /// How many bytes of it matter, where that is known.
        bytes: Option<u64>,
        /// The disk.
        disk: PathBuf,
        /// Its size, in bytes.
        disk_size: u64,
        /// What its maker calls it.
        model: Option<String>,
    },
    /// It is on the disk, and was read back.
    Flashed {
        /// The disk.
        disk: PathBuf,
        /// How many bytes were written.
        bytes: u64,
    },
    /// A check of what a machine boots from over the network.
    NetbootCheck {
        /// The name of the check.
        check: String,
        /// Whether it passed; `None` where that cannot be known.
        passed: Option<bool>,
        /// What it saw.
        saw: String,
        /// Where.
        place: Option<String>,
        /// What to do about it.
        hint: Option<String>,
        /// Whether checks are what was asked for.
        asked: bool,
    },
    /// A machine boots from this now.
    Published {
        /// The tree, or the block device.
        what: String,
        /// Its generation.
        generation: u64,
        /// The generation that a rollback brings back, if one is kept.
        before: Option<u64>,
    },
    /// A machine boots from this, as before.
    Unchanged {
        /// The tree, or the block device.
        what: String,
        /// Its generation.
        generation: u64,
    },
    /// The image of a run that failed is kept under this name, to look into or to go on from.
    Kept(PathBuf),

    /// The image that a name stands for.
    Chosen {
        /// Its name in the catalogue.
        name: String,
        /// When it was published.
        date: Option<String>,
        /// Where it is, without what may be secret.
        location: String,
    },
    /// Lists of images could not be read, and copies of them are used.
    OldLists {
        /// How many.
        lists: usize,
        /// The age of the oldest copy.
        age: Duration,
        /// What happened.
        failure: Failure,
    },
    /// Lists of images, or parts of them, are not read, and what is looked for may be there.
    ListsNotRead {
        /// How many.
        lists: usize,
        /// Why the first is not.
        failure: Failure,
    },
    /// A signature is good.
    Signed {
        /// What was signed.
        what: String,
        /// By whom: the id of the key, and its owner.
        by: String,
    },
    /// A signature cannot be had, and what it was good for before is used.
    OldSignature(Failure),

    /// A source is used without checking it; whether the user said so.
    Unchecked {
        /// The source.
        source: String,
        /// `--checksum none`.
        meant: bool,
    },
    /// A source is copied while somebody else may write to it.
    SourceInUse {
        /// The source.
        source: String,
        /// Who: a loop device of this host, or a process.
        by: String,
    },
    /// The checksum that was given is that of the image in this source, not of the source.
    ImagesChecksum(String),
    /// A checksum file cannot be read, and the checksum that was last seen there is used.
    OldChecksum {
        /// The checksum file.
        file: String,
        /// What happened.
        failure: Failure,
    },
    /// A server has not answered yet. Its address.
    NoAnswerYet(String),
    /// A request failed and is made again.
    Retrying {
        /// What happened.
        failure: Failure,
        /// How long it waits before.
        pause: Duration,
        /// Which time it is that the request is repeated.
        number: u32,
        /// After how many more failures in a row it is given up.
        left: u32,
    },
    /// This pichroot.yml, beside the playbook, is not read.
    ConfigNotRead(PathBuf),
    /// This machine lacks what nearly every image needs.
    Lacking(Failure),
    /// No task is seen to have this tag.
    TagNowhere(String),
    /// A secret's value is too short to be kept out of the output. Its name.
    ShortSecret(String),
    /// Ansible's log is not written, as it would hold secrets.
    NoAnsibleLog(String),
    /// A line of the image's fstab is not followed.
    NotMounted {
        /// The number of the line.
        line: usize,
        /// What it would mount, as written.
        source: String,
        /// Where, as written.
        at: String,
        /// Why not.
        why: String,
    },
    /// A file system of the image had little room while a job ran that failed, or has none at the end.
    LittleRoom {
        /// The number of its partition.
        partition: u32,
        /// Where it is mounted in the image.
        at: PathBuf,
        /// The least that was left.
        left: Left,
    },
    /// What the image boots without (`nofail`) cannot be mounted: what happened.
    MayFail(String),
    /// This partition looks like one to boot from and is not mounted, and why.
    NoPlace(u32, String),
    /// This partition is not mounted; what it holds, and why.
    LeftOut(u32, String),
    /// The file system of this partition was not clean and has been repaired.
    Repaired(u32),
    /// The free blocks of a partition may still hold deleted data.
    NotTrimmed {
        /// The partition's number.
        partition: u32,
        /// What happened.
        why: String,
    },
    /// Names are not resolved in the image; why.
    NoNames(String),
    /// Packages may start services in the image; why.
    ServicesMayStart(String),
    /// Something of the host is less closed off than it should be.
    Open(Opening),
    /// Programs of the image see this host's kernel settings and modules, and cannot change them.
    HostsKernel(Failure),
    /// Programs that act on a running machine are answered where `PATH` finds them, and not else.
    AnsweredByPath,
    /// They are not answered at all on this machine.
    NotAnswered,
    /// Every program of the image is emulated.
    NoTwins(NoTwins),
    /// Packages are not kept for other runs.
    NoPackageCache(Failure),
    /// An initramfs has most drivers, where the image says that it have those of the machine it is made on.
    InitramfsModules,
    /// What was put off to the end has not been done: this command.
    LeftUndone(Vec<String>),
    /// The playbook ran nothing in the image, which has this name in the inventory; that is allowed.
    NothingRun(String),
    /// The user's inventory has hosts, and the image is none of them.
    NotInInventory(Stranger),
    /// A part of a template is left to be done by hand.
    NotTranslated {
        /// The template, and the line in it.
        place: String,
        /// What, why, and what to do.
        text: String,
    },
    /// Something failed beside what the run fails with.
    AlsoFailed(Failure),
    /// What was put off to the machine's first boot.
    FirstBoot(FirstBoot),
    /// A task failed in the image for what that is.
    NoMachine(NoMachine),

    /// A list of images, or a part of it, is not read.
    ListNotRead(Failure),
    /// A file is read from this address.
    Reading(String),
    /// The base image.
    BaseImage(PathBuf),
    /// How the work image was made of the base image.
    Copied(Copied),
    /// A shortcut is not taken.
    NoShortcut {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// The program that is run, as a shell would take it.
    Running(String),
    /// Programs that commands left running in the image end now.
    LeftRunning(Vec<String>),
    /// An initramfs that was put off is no longer wanted.
    NoInitramfs {
        /// The kernel's release.
        kernel: String,
        /// What is gone: `update-initramfs`, or the kernel.
        gone: String,
    },
    /// The image's package sources are asked for twins.
    AskingForTwins,
    /// Packages with twins are fetched.
    FetchingTwins {
        /// How many.
        packages: usize,
        /// For which Debian architecture.
        architecture: String,
    },
    /// So many programs have twins.
    Twins {
        /// How many.
        programs: usize,
        /// Packages of the image whose programs have none.
        missing: Vec<TwinMissing>,
    },
    /// Something about twins did not work, and all goes on without them.
    TwinsFailed {
        /// What was being done.
        what: String,
        /// What happened.
        why: String,
    },
}

/// A mounted image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// What its os-release calls it.
    pub os: Option<String>,
    /// Its architecture.
    pub architecture: String,
    /// The emulator of its programs; `None` is natively.
    pub emulator: Option<PathBuf>,
    /// The numbers of its partitions, and where in the image they are mounted.
    pub partitions: Vec<(u32, PathBuf)>,
}

/// What is left in a file system of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its size, in bytes.
    pub size: u64,
    /// What it may still take, in bytes.
    pub free: u64,
    /// How many more files can be made; `None` where their number has no limit.
    pub inodes: Option<u64>,
}

impl Left {
    /// The less of both.
    pub fn least(self, other: Left) -> Left {
        Left {
            size: other.size,
            free: self.free.min(other.free),
            inodes: self.inodes.min(other.inodes),
        }
    }

    /// Whether nothing can be added.
    pub fn is_nothing(&self) -> bool {
        self.free == 0 || self.inodes == Some(0)
    }
}

/// A package that an image has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, where the package manager tells it.
    pub architecture: Option<String>,
}

/// How often programs of the image were started, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starts {
    /// By a twin.
    pub twinned: Vec<(String, u32)>,
    /// By the emulator.
    pub emulated: Vec<(String, u32)>,
}

/// A way from the image to the host that cannot be closed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// No Landlock scopes (before Linux 6.12): the host's abstract sockets.
    AbstractSockets,
    /// No seccomp filters: the keyring, the handler of core dumps, and syncs.
    SystemCalls,
    /// The limit of core dumps stays 0: the host's handler of core dumps.
    CoreDumps,
}

/// Why there are no twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoTwins {
    /// The host's own entry in binfmt_misc runs the programs, as the kernel has no private one.
    HostEntry {
        /// The emulator in it.
        interpreter: PathBuf,
        /// Whether sudo in the image works for others than root (flag C).
        credentials: bool,
    },
    /// They are for x86_64 hosts.
    Host,
    /// They are for 64-bit images.
    Image,
    /// None was found; why, where that is known.
    NoneFound(Option<String>),
    /// The search failed.
    Failed(Failure),
}

/// How a work image was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copied {
    /// It shares its blocks with the base image.
    Shared,
    /// The base image's data, without its holes.
    Extents,
    /// All of it, by reading and writing.
    ReadWrite,
}

/// A package of the image without twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinMissing {
    /// Its name.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Why there are none.
    pub why: String,
}

/// An image that the user's inventory does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its name.
    pub name: String,
    /// Where it was looked for.
    pub inventories: Vec<String>,
    /// Hosts that are there.
    pub others: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// What was put off to the first boot of the machine that an image becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstBoot {
    /// In the order in which tasks asked for it.
    pub put_off: Vec<PutOff>,
    /// How much more there is that any boot does, or that is in the image.
    pub more: usize,
    /// How many steps the unit has from earlier runs.
    pub earlier: usize,
}

/// Something that only a running machine can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutOff {
    /// What was asked for, as people type it.
    pub what: String,
    /// The task that asked for it.
    pub task: Option<String>,
    /// How the machine gets it.
    pub by: By,
}

/// How a machine gets what was put off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Any boot does it.
    Boot,
    /// This file of the image brings it about.
    File(String),
    /// The unit of the first boot does it.
    Unit,
}

/// A task that failed for what an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoMachine {
    /// Its name, and where it is.
    pub task: String,
    /// What it met.
    pub met: Met,
    /// Whether the playbook goes on all the same.
    pub ignored: bool,
}

/// What a task meets in an image, and not on a running machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    /// /proc or /sys cannot be written.
    KernelFiles,
    /// The kernel takes no modules.
    Modules,
    /// Nothing can be mounted, or used for swapping.
    Mounts,
    /// The network and the firewall are not the image's.
    Network,
    /// No systemd runs, nor a bus.
    Systemd,
    /// Something is mounted there that is of the build.
    Busy,
    /// Some other right over the kernel.
    Rights,
    /// A fact is not known.
    Fact,
}

impl Event {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Event::WaitingFor(_)
            | Event::Opened(_)
            | Event::MakingInitramfs(_)
            | Event::Booting { .. }
            | Event::BootKeys
            | Event::Booted(_)
            | Event::Rebooting
            | Event::Started(_)
            | Event::NewImage { .. }
            | Event::Grown { .. }
            | Event::Shrunk { .. }
            | Event::ToFlash { .. }
            | Event::Flashed { .. }
            | Event::Published { .. }
            | Event::Unchanged { .. }
            | Event::Made(_)
            | Event::Kept(_)
            | Event::ImagesChecksum(_)
            | Event::Chosen { .. }
            | Event::FirstBoot(_)
            | Event::NoAnswerYet(_) => Level::Step,
            Event::NetbootCheck {
                passed: Some(true),
                asked: false,
                ..
            } => Level::Detail,
            Event::NetbootCheck {
                passed: Some(true), ..
            } => Level::Step,
            Event::NetbootCheck { .. } => Level::Warning,
            Event::Unchecked { meant: true, .. } => Level::Detail,
            Event::NoMachine(met) if met.ignored => Level::Detail,
            Event::Unchecked { .. }
            | Event::ConfigNotRead(_)
            | Event::Lacking(_)
            | Event::TagNowhere(_)
            | Event::SourceInUse { .. }
            | Event::OldChecksum { .. }
            | Event::OldLists { .. }
            | Event::ListsNotRead { .. }
            | Event::OldSignature(_)
            | Event::Retrying { .. }
            | Event::ShortSecret(_)
            | Event::NoAnsibleLog(_)
            | Event::NotMounted { .. }
            | Event::MayFail(_)
            | Event::NoPlace(..)
            | Event::LittleRoom { .. }
            | Event::Repaired(_)
            | Event::NotTrimmed { .. }
            | Event::NoNames(_)
            | Event::ServicesMayStart(_)
            | Event::Open(_)
            | Event::HostsKernel(_)
            | Event::AnsweredByPath
            | Event::NotAnswered
            | Event::NoTwins(_)
            | Event::NoPackageCache(_)
            | Event::InitramfsModules
            | Event::LeftUndone(_)
            | Event::NothingRun(_)
            | Event::NotInInventory(_)
            | Event::NoMachine(_)
            | Event::NotTranslated { .. }
            | Event::AlsoFailed(_) => Level::Warning,
            _ => Level::Detail,
        }
    }
}

/// Hears nothing; for tests and quiet helpers.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Report for Silent {
    fn tell(&self, _: Event) {}
    fn begin(&self, _: Task, _: Option<u64>) -> Box<dyn Progress> {
        Box::new(Silent)
    }
}

impl Progress for Silent {
    fn at(&self, _: u64) {}
    fn written(&self, _: u64) {}
}
