//! GNU tar, which keeps owners, access lists, attributes, capabilities, hard links and sparse files.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use super::{command, landlock::Below, programs};
use crate::error::{Context, Error, Kind, Result};

/// Everything that a file system of Linux knows of a file.
const ALL: [&str; 4] = [
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--xattrs-include=*",
];

/// How much of what it complains of is kept, in bytes.
const TAIL: u64 = 4096;

/// What it says where a file system is full.
pub const NO_SPACE: &str = "No space left";

/// A running tar. Dropped, it is killed.
pub struct Tar {
    child: Child,
    complaints: Receiver<String>,
    ended: bool,
}

/// What goes into an archive, and how.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    /// No time in it is later, in seconds since 1970.
    pub latest: Option<u64>,
    /// Folders that go in empty, by their paths below the root.
    pub empty: Vec<PathBuf>,
    /// Whether everybody may read all of it, whatever the folder says.
    pub readable: bool,
}

/// Writes an archive of all that is below `root` to `to`, in the order of names.
///
/// # Errors
/// [`Kind::Host`] when tar is missing.
pub fn pack(root: &Path, to: OwnedFd, packing: &Packing) -> Result<Tar> {
    let mut command = tar()?;
    command
        .args([
            "--create",
            "--file=-",
            "--format=posix",
            "--sort=name",
            "--sparse",
            // The other versions have the number of tar's process in the name of each such file.
            "--sparse-version=0.0",
        ])
        // Without the number of tar's process, and times that change with every look.
        .arg("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime")
        .arg("--exclude=./lost+found")
        .args(ALL);
    if let Some(latest) = packing.latest {
        command
            .arg(format!("--mtime=@{latest}"))
            .arg("--clamp-mtime");
    }
    if packing.readable {
        command.arg("--mode=a+rX");
    }
    command.args(["--anchored", "--no-wildcards-match-slash"]);
    for folder in &packing.empty {
        let mut pattern = OsString::from("--exclude=./");
        pattern.push(folder);
        pattern.push("/*");
        command.arg(pattern);
    }
    command.arg("--directory").arg(root).arg(".");
    command.stdin(Stdio::null()).stdout(to);
    Tar::start(command)
}

/// Unpacks what is written to the stream that is returned into the folder `into`.
///
/// # Errors
/// [`Kind::Host`] when tar is missing.
pub fn unpack(into: &Path) -> Result<(Tar, ChildStdin)> {
    let mut command = unpacking(into)?;
    command.stdin(Stdio::piped());
    let mut tar = Tar::start(command)?;
    let stream = tar.child.stdin.take().expect("it is piped");
    Ok((tar, stream))
}

/// Unpacks `archive` into the folder `into`.
///
/// # Errors
/// [`Kind::Host`] when tar is missing.
pub fn unpack_from(archive: File, into: &Path) -> Result<Tar> {
    let mut command = unpacking(into)?;
    command.stdin(archive);
    Tar::start(command)
}

fn unpacking(into: &Path) -> Result<Command> {
    let mut command = tar()?;
    let failed = || format!("cannot keep tar to {}", into.display());
    if let Some(below) = Below::folder(into).context(Kind::Host, failed)? {
        #[allow(unsafe_code)]
        // SAFETY: between fork and exec there is one system call, and nothing is allocated.
        unsafe {
            command.pre_exec(move || below.apply());
        }
    }
    command
        .args([
            "--extract",
            "--file=-",
            "--same-owner",
            "--preserve-permissions",
        ])
        // A link of the archive is made last, so nothing is written through it.
        .arg("--delay-directory-restore")
        .args(ALL)
        .arg("--directory")
        .arg(into)
        .stdout(Stdio::null());
    Ok(command)
}

fn tar() -> Result<Command> {
    let mut command = Command::new(programs::find("tar")?);
    command
        .env_clear()
        .env("PATH", command::search_path())
        .env("LC_ALL", "C")
        .current_dir("/");
    command::ends_with_us(&mut command);
    Ok(command)
}

impl Tar {
    fn start(mut command: Command) -> Result<Self> {
        let child = command.stderr(Stdio::piped()).spawn();
        // With it goes our copy of the other end of a pipe.
        drop(command);
        let mut child = child.context(Kind::Host, || "cannot run tar".into())?;
        let mut stderr = child.stderr.take().expect("it is piped");
        let (sender, complaints) = mpsc::channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.by_ref().take(TAIL).read_to_end(&mut text);
            // Read to the end all the same: tar would wait.
            let _ = io::copy(&mut stderr, &mut io::sink());
            let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
        });
        Ok(Tar {
            child,
            complaints,
            ended: false,
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`Kind::Host`] with what it complained of, when it did not do all that it was to do.
    pub fn end(mut self) -> Result<()> {
        let status = self
            .child
            .wait()
            .context(Kind::Host, || "cannot wait for tar".into())?;
        self.ended = true;
        if status.success() {
            return Ok(());
        }
        let said = self.complaints.recv().unwrap_or_default();
        // It says of the same write first how much of it was written.
        let full = said.lines().find(|line| line.contains(NO_SPACE));
        let reason = full.or(said.lines().next()).unwrap_or_default();
        let error = Error::host(format!("tar ended with {status}: {reason}"));
        Err(match full {
            Some(_) => error.hint("free some space on that file system, or use another one"),
            None => error,
        })
    }
}

impl Drop for Tar {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_archive_is_the_same_whichever_process_makes_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain"), "text").unwrap();
        let sparse = File::create(dir.path().join("sparse")).unwrap();
        sparse.set_len(1 << 20).unwrap();
        let made = [0; 3].map(|_| {
            let (mut stream, pipe) = io::pipe().unwrap();
            let tar = pack(dir.path(), pipe.into(), &Packing::default()).unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            tar.end().unwrap();
            bytes
        });
        assert!(made[0] == made[1] && made[1] == made[2]);
        assert!(made[0].len() < 1 << 19, "{}", made[0].len());
        let copy = dir.path().join("copy");
        fs::create_dir(&copy).unwrap();
        let (tar, mut stream) = unpack(&copy).unwrap();
        io::Write::write_all(&mut stream, &made[0]).unwrap();
        drop(stream);
        tar.end().unwrap();
        assert!(fs::read(copy.join("sparse")).unwrap() == vec![0; 1 << 20]);
    }
}
