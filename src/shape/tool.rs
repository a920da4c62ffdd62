//! Programs that belong to file systems. They read a stranger's bytes, so they run without root's rights on an open
//! descriptor of the partition, and within bounds: one can be made to run for hours, take all memory or print without end.

use std::{ffi::OsString, os::unix::process::ExitStatusExt, time::Duration};

use nix::libc::SIGKILL;

use crate::{
    disk::partition::called,
    error::{Error, Result},
    sys::{bounded::Bounds, loopdev::LoopDevice, programs},
};

/// Stands for the partition among the arguments.
pub const DEVICE: &str = "{device}";

/// How long a program may take, and wait for a slow disk.
const TIME: Duration = Duration::from_secs(20 * 60);

/// How much memory it may use, in bytes.
const MEMORY: u64 = 1 << 30;

/// How much it may print, in bytes: some thousand lines.
const OUTPUT: usize = 128 << 10;

/// A program, and how long it may compute. A sound file system of 64 GiB needs a small part of it.
#[derive(Debug)]
pub struct Tool {
    pub name: &'static str,
    pub processor: Duration,
}

/// How a program ended that was neither killed nor ended for going over its bounds.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// The last of what it printed.
    pub said: String,
    /// What was run, for messages.
    what: String,
}

impl Tool {
    /// Runs it with `args`, among them [`DEVICE`], on partition `number`, which `device` shows.
    ///
    /// # Errors
    /// [`Kind::Image`](crate::error::Kind::Image) when it crashed on what it read, or went over a bound;
    /// [`Kind::Host`](crate::error::Kind::Host) when it is missing or was killed.
    pub fn run(&self, args: &[&str], device: &LoopDevice, number: u32) -> Result<Done> {
        let program = programs::find(self.name)?;
        let bounds = Bounds {
            time: TIME,
            processor: self.processor,
            memory: MEMORY,
            output: OUTPUT,
        };
        let mut shown = String::new();
        let fill_in = |path: OsString| {
            shown = path.to_string_lossy().into_owned();
            let filled = args.iter().map(|arg| match *arg {
                DEVICE => path.clone(),
                arg => arg.into(),
            });
            filled.collect()
        };
        let ended = device.attended(&program, fill_in, bounds)?;
        let partition = called(number);
        let said = ended.said.trim().replace(&shown, &partition);
        let options = args.iter().filter(|arg| **arg != DEVICE).copied();
        let options = options.collect::<Vec<_>>().join(" ");
        let what = format!("{} {options} of {partition}", program.display());
        let status = ended.how.map_err(|over| {
            let last = said.lines().next_back().unwrap_or_default();
            Error::image(format!("{what} {over}, so it was ended: ... {last}")).hint(
                "no sound file system needs that much: do not trust this image, or repair a copy of it",
            )
        })?;
        match (status.code(), status.signal()) {
            (Some(code), _) => Ok(Done { code, said, what }),
            (None, Some(SIGKILL)) => {
                Err(Error::host(format!("{what} ended with {status}: {said}"))
                    .hint("did the host run out of memory? see the kernel's log"))
            }
            // It crashed on what it read.
            (None, _) => Err(Error::image(format!("{what} ended with {status}: {said}"))),
        }
    }
}

impl Done {
    /// The error for an exit code that is a failure.
    pub fn failure(&self) -> Error {
        let error = Error::image(format!(
            "{} ended with exit status: {}: {}",
            self.what, self.code, self.said
        ));
        match self.said.to_lowercase().contains("memory") {
            true => error.hint(format!(
                "it may use {} MiB, and no sound file system needs as much: repair a copy of the image",
                MEMORY >> 20
            )),
            false => error,
        }
    }
}
