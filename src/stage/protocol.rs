//! What the supervisor and the stage say to each other, in frames ([`crate::sys::frame`]).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{boot_files::BootFiles, facts::Facts, warm::Library};
use crate::{
    chroot::{
        living::plan::LivingPlan,
        plan::Network,
        shortcuts::{Shortcuts, initramfs::Outstanding},
        target::board::Board,
    },
    disk::{Volume, layout},
    emulation::{Mode, arch::Arch},
    error::Failure,
    event::{self, FirstBoot, PackageVersion, Starts},
    netboot,
    shape::{new::Part, shrink::Shrink},
    sys::{children::Ending, private_files::PrivateFiles},
    twins::place::TwinSettings,
};

/// What to mount and how; comes with the open image file.
#[derive(Debug, Serialize, Deserialize)]
pub struct StagePlan {
    /// The image's partitions and their file systems.
    pub volumes: Vec<Volume>,
    /// How it is mounted and its programs are run.
    pub settings: Settings,
}

/// How an image is mounted and its programs are run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// Mount points by partition number, where the user gave them.
    pub layout: Option<layout::Given>,
    /// The host name that programs in the chroot see.
    pub hostname: String,
    /// How the image's programs are run.
    pub emulation: Mode,
    /// The CPU that qemu is to be, where the user asks for one.
    pub cpu: Option<String>,
    /// The board that the image is for, where it is named.
    pub board: Option<Board>,
    /// The CPU that all boards have at least which a catalogue says the image is for.
    pub least_cpu: Option<String>,
    /// Where twins come from; `None` if there are to be none.
    pub twins: Option<TwinSettings>,
    /// Which network programs in the chroot see.
    pub network: Network,
    /// The `TERM` of the user's terminal.
    pub term: String,
    /// What is left out or put off, where it can be.
    pub shortcuts: Shortcuts,
    /// How programs that act on a running machine are answered, if they are.
    pub living: Option<LivingPlan>,
    /// Where packages are kept for several runs, if they are.
    pub packages: Option<PathBuf>,
}

/// A program to run in the stage, on the host's file system, with the image mounted in reach.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its environment, all of it.
    pub environment: Vec<(String, String)>,
    /// Files to write to [`FILES`] before.
    pub files: PrivateFiles,
    /// What a zygote in the image may have before the program asks for one.
    pub library: Option<Library>,
}

/// The folder of a job's files, below the stage's directory.
pub const FILES: &str = "job";

/// What a job may leave behind for the supervisor, below [`FILES`].
pub const NOTE: &str = "note";
/// The longest note, in bytes.
pub const MAX_NOTE: u64 = 2 << 20;

/// What the supervisor tells the stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Mount this image.
    Open(Box<StagePlan>),
    /// Run this in it.
    Run(Job),
    /// Tell what was put off to the end.
    Outstanding,
    /// Put into the image what its first boot is to do, and tell what was put off.
    FirstBoot,
    /// End what is running with this signal.
    Stop(i32),
    /// Unmount everything and check the file systems.
    Close(Last),
    /// In place of [`Order::Open`]: do this, and end.
    Work(Work),
}

/// Where the files of an archive go.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unpack {
    /// The new image's partitions and their file systems.
    pub volumes: Vec<Volume>,
    /// Where they are mounted.
    pub layout: layout::Given,
}

/// What is wanted of an image before it is unmounted.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Last {
    /// An archive of all files, to the descriptor that comes with it.
    pub archive: Option<Archive>,
    /// Which packages it has.
    pub packages: bool,
}

/// An archive of all files of the image.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Archive {
    /// The latest time in it, in seconds since 1970.
    pub latest: Option<u64>,
}

/// What is done to an image that is not opened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Make this file system fill its partition.
    Fill(Volume),
    /// Make this file system small.
    Shrink(Shrink),
    /// Make the file systems of a new image.
    Make(Vec<Part>),
    /// Fill them with the files of the archive that comes with it.
    Unpack(Unpack),
    /// Pack what a machine boots from into the archive that comes with it.
    BootFiles(BootFiles),
    /// Read the image, and change nothing.
    Read(Read),
}

/// What is read of an image that is not opened.
#[derive(Debug, Serialize, Deserialize)]
pub struct Read {
    /// The image's partitions and their file systems.
    pub volumes: Vec<Volume>,
    /// Mount points by partition number, where the user gave them.
    pub layout: Option<layout::Given>,
    /// What of it.
    pub what: Reading,
}

/// What of an image is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// What it is.
    Look,
    /// Whether a Pi can boot from it over the network.
    Check(Checks),
    /// The files that its firmware boots from: an archive, to the descriptor that comes with it.
    Boot(Archive),
    /// All other files: an archive, to the descriptor that comes with it. The folder for those of the firmware is empty.
    Root(Archive),
}

/// Which checks for a Pi that boots from the network are made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checks {
    /// What is to boot.
    pub wanted: netboot::Wanted,
    /// Which are not.
    pub without: Vec<netboot::Name>,
}

/// What an image is that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The partition that the root is on.
    pub root: u32,
    /// Where the files are that a Pi's firmware boots from, below the root of the image; `None` if it has none.
    pub boot: Option<PathBuf>,
    /// What its programs are for.
    pub arch: Arch,
    /// Its operating system, where it says so.
    pub os: Option<String>,
}

/// What the stage tells the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The image is mounted and its programs run.
    Ready(Facts),
    /// The job ended.
    Ended {
        /// How.
        ending: Ending,
        /// What it left in the file [`NOTE`], if that is there, is no longer than [`MAX_NOTE`] and is text.
        note: Option<String>,
    },
    /// What was put off to the end, where that is known.
    Outstanding(Result<Vec<Outstanding>, Failure>),
    /// What was put off to the first boot.
    FirstBoot(Result<FirstBoot, Failure>),
    /// Everything is unmounted and clean.
    Closed {
        /// Whether any program was run in the image.
        used: bool,
        /// How programs of the image were started; nothing without twins.
        starts: Starts,
        /// Its packages, if they were wanted.
        packages: Vec<PackageVersion>,
    },
    /// The work is done.
    Done {
        /// The size that a partition can have now, in bytes, where the work was to make that small.
        size: Option<u64>,
    },
    /// What the image is, where the work was to look.
    Looked(Looked),
    /// What the checks have found.
    Checked(Vec<netboot::Finding>),
    /// Something happened.
    Told(event::Event),
    /// It cannot go on.
    Failed(Failure),
}
