//! The program `rbd`, and what it says.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use nix::errno::Errno;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    error::{Context, Error, Kind, Result},
    sys::{command, memory, programs},
};

/// How long Ceph may take to answer, in seconds: by itself it waits for ever, for a monitor or for room in a full pool.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of what the program says is kept, in bytes.
const SAID: u64 = 64 << 10;

/// How a Ceph cluster is reached.
#[derive(Debug, Clone, Default)]
pub struct Ceph {
    /// Its configuration file; `None` is the usual one.
    pub conf: Option<PathBuf>,
    /// The user, without `client.`; `None` is `admin`.
    pub user: Option<String>,
    /// The addresses of its monitors, where no configuration file names them.
    pub monitors: Option<String>,
    /// What else the program is to know of its surroundings: `CEPH_ARGS` and the like.
    pub environment: Vec<(OsString, OsString)>,
}

/// The program, with what it needs to reach a cluster.
#[derive(Debug)]
pub struct Rbd {
    program: PathBuf,
    ceph: Ceph,
    /// The user's key, in memory.
    key: Option<File>,
}

/// What it answers.
pub(super) struct Said {
    status: ExitStatus,
    pub stdout: Vec<u8>,
    stderr: String,
}

impl Rbd {
    /// The program, for `ceph` and with the user's `key`; without one it looks for a keyring.
    ///
    /// # Errors
    /// [`Kind::Host`] when it is not installed.
    pub fn find(ceph: &Ceph, key: Option<&SecretString>) -> Result<Self> {
        let sealed = |key: &SecretString| memory::sealed("key", key.expose_secret().as_bytes());
        let key = key.map(sealed).transpose();
        Ok(Rbd {
            program: programs::find("rbd")?,
            ceph: ceph.clone(),
            key: key.context(Kind::Host, || "cannot keep the key in memory".into())?,
        })
    }

    /// Runs it, and tells what it says on its standard output.
    ///
    /// # Errors
    /// [`Kind::Host`] as [`Said::done`].
    pub(super) fn run(&self, args: &[&str]) -> Result<Vec<u8>> {
        let said = self.ask(args, |_| Ok(()))?;
        said.done(args).map(|said| said.stdout)
    }

    /// Runs it with what `write` writes on its standard input.
    ///
    /// # Errors
    /// Those of `write`; [`Kind::Host`] when it cannot be started.
    pub(super) fn ask(
        &self,
        args: &[&str],
        write: impl FnOnce(&mut dyn Write) -> Result<()>,
    ) -> Result<Said> {
        let failed = || "cannot run rbd".to_owned();
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .args(self.options())
            .env_clear()
            .envs(self.ceph.environment.iter().cloned())
            .env("PATH", command::search_path())
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(key) = &self.key {
            // Not by a path of ours, which an undumpable process does not show.
            let path = command::lend(&mut command, key);
            command.arg("--keyfile").arg(path);
        }
        command::ends_with_us(&mut command);
        let mut child = command.spawn().context(Kind::Host, failed)?;
        let read = |mut from: Box<dyn Read + Send>| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = from.by_ref().take(SAID).read_to_end(&mut bytes);
                // To the end all the same, or the program would wait.
                let _ = std::io::copy(&mut from, &mut std::io::sink());
                bytes
            })
        };
        let stdout = read(Box::new(child.stdout.take().expect("it is piped")));
        let stderr = read(Box::new(child.stderr.take().expect("it is piped")));
        let mut stdin = child.stdin.take().expect("it is piped");
        let written = write(&mut stdin);
        if written.is_err() {
            let _ = child.kill();
        }
        drop(stdin);
        let status = child.wait().context(Kind::Host, failed)?;
        written?;
        let panicked = |_| Error::other("a reader of rbd's output panicked");
        Ok(Said {
            status,
            stdout: stdout.join().map_err(panicked)?,
            stderr: String::from_utf8_lossy(&stderr.join().map_err(panicked)?).into_owned(),
        })
    }

    fn options(&self) -> Vec<OsString> {
        let seconds = PATIENCE.as_secs();
        let mut options: Vec<OsString> = [
            format!("--client_mount_timeout={seconds}"),
            format!("--rados_mon_op_timeout={seconds}"),
            format!("--rados_osd_op_timeout={seconds}"),
        ]
        .map(OsString::from)
        .into();
        if let Some(conf) = &self.ceph.conf {
            options.extend(["--conf".into(), conf.into()]);
        }
        if let Some(user) = &self.ceph.user {
            options.extend(["--id".into(), user.into()]);
        }
        if let Some(monitors) = &self.ceph.monitors {
            options.extend(["-m".into(), monitors.into()]);
        }
        options
    }
}

impl Said {
    /// Whether there is nothing by that name, as far as that is the answer.
    pub(super) fn is_absent(&self) -> bool {
        self.code() == Some(Errno::ENOENT) && self.stderr.contains("error opening image")
    }

    /// The answer, if it did what it was to do.
    ///
    /// # Errors
    /// [`Kind::Host`] with what it says, and what to do about that.
    pub(super) fn done(self, args: &[&str]) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        let mut words = self.stderr.lines().filter(|line| !line.trim().is_empty());
        // What the user is to know comes last; before that are lines of the log, each with a time.
        let said = words.clone().rfind(|line| line.starts_with("rbd: "));
        let said = said
            .or(words.next_back())
            .unwrap_or("it said nothing")
            .trim_start_matches("rbd: ");
        let error = Error::host(format!("rbd {} failed: {said}", args.join(" ")));
        Err(match self.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// rbd ends with the number of the error.
    fn code(&self) -> Option<Errno> {
        self.status.code().map(Errno::from_raw)
    }

    fn hint(&self) -> Option<&'static str> {
        let says = |text| self.stderr.contains(text);
        Some(match self.code()? {
            _ if says("error opening pool") => {
                "is the pool's name right? a new one is made by `ceph osd pool create POOL` and `rbd pool init POOL`"
            }
            _ if says("namespace") && says("does not exist") => {
                "is the namespace's name right? a new one is made by `rbd namespace create POOL/NAMESPACE`"
            }
            Errno::EPERM | Errno::EACCES => {
                "name the user by --ceph-user and its key by --key, or publish.ceph.user and publish.key in pichroot.yml, \
                 or put its keyring in /etc/ceph; it needs `mon 'profile rbd' osd 'profile rbd pool=POOL'`"
            }
            Errno::EINVAL if says("couldn't connect") => {
                "is the key one? it is what `ceph auth get-key client.USER` prints"
            }
            Errno::ENOSPC | Errno::EDQUOT => {
                "the pool is full, or at its quota: see `ceph df`, and have fewer generations kept, by `keep` in pichroot.yml"
            }
            Errno::ETIMEDOUT => {
                "do the monitors run, and can this machine reach them? a pool that is full does not answer either: see \
                 `ceph -s`"
            }
            _ if says("couldn't connect") => {
                "name the monitors by hn_ceph_monitors, or the configuration by publish.ceph.conf in pichroot.yml or --ceph-conf"
            }
            _ => return None,
        })
    }
}
