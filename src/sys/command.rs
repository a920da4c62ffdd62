//! Starts short helper programs, captures what they print, and puts it into the error.
//!
//! For programs that end soon by themselves; those that read an image's bytes are in [`super::bounded`]. Long-lived children, which need
//! signals and process groups, are started by the stage and the executor.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::Signal,
};

use crate::error::{Context, Error, Kind, Result};

/// How much of a failed program's output goes into the error, in bytes.
const TAIL: usize = 1024;

/// `PATH`: all of the environment that our own processes are given.
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Runs `program` with `args` and no standard input; returns its exit and output, whatever it was.
///
/// # Errors
/// When the program cannot be started; [`Kind::Host`], as it is the host that lacks it.
pub fn output(program: &Path, args: &[OsString]) -> Result<Output> {
    captured(duct::cmd(program.as_os_str(), args), program, args)
}

/// As [`output`], but with this environment alone.
///
/// # Errors
/// As [`output`].
pub fn output_with(
    env: &BTreeMap<OsString, OsString>,
    program: &Path,
    args: &[OsString],
) -> Result<Output> {
    let command = duct::cmd(program.as_os_str(), args).full_env(env);
    captured(command, program, args)
}

/// As [`output`], with this on the program's standard input.
///
/// # Errors
/// As [`output`].
pub fn output_of(program: &Path, args: &[OsString], input: &[u8]) -> Result<Output> {
    duct::cmd(program.as_os_str(), args)
        .stdin_bytes(input)
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .context(Kind::Host, || {
            format!("cannot run {}", shell_line(program, args))
        })
}

/// The program is a string in `command`: duct would take a bare name as a path for one in the working directory.
fn captured(command: duct::Expression, program: &Path, args: &[OsString]) -> Result<Output> {
    command
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .context(Kind::Host, || {
            format!("cannot run {}", shell_line(program, args))
        })
}

/// Where a program runs, with which environment alone, and for how long at most.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The working directory.
    pub dir: &'a Path,
    /// The whole environment.
    pub env: &'a [(OsString, OsString)],
    /// When it is killed.
    pub limit: Duration,
}

/// As [`output_in`], in nowhere in particular, with no more than where programs are, and in English.
///
/// # Errors
/// As [`output_in`].
pub fn output_within(limit: Duration, program: &Path, args: &[OsString]) -> Result<Output> {
    let around = Surroundings {
        dir: Path::new("/"),
        env: &[
            ("PATH".into(), search_path()),
            ("LC_ALL".into(), "C".into()),
        ],
        limit,
    };
    output_in(&around, program, args)
}

/// As [`output`], but in other surroundings than ours, and with a limit: apt, for one, reads what a stranger's
/// archives give it.
///
/// # Errors
/// Also when it took too long, or printed too much.
pub fn output_in(around: &Surroundings, program: &Path, args: &[OsString]) -> Result<Output> {
    let failed = || format!("cannot run {}", shell_line(program, args));
    let deadline = Instant::now() + around.limit;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(around.env.iter().cloned())
        .current_dir(around.dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(Kind::Host, failed)?;
    let stdout = read_in_thread(child.stdout.take().expect("it is piped"));
    let stderr = read_in_thread(child.stderr.take().expect("it is piped"));
    let left = || deadline.saturating_duration_since(Instant::now());
    let read = |from: Receiver<io::Result<Vec<u8>>>| from.recv_timeout(left()).ok();
    // Both at once, each on its thread; whoever prints without end is not waited for.
    let ended = match (read(stdout), read(stderr)) {
        (Some(stdout), Some(stderr)) => {
            let (stdout, stderr) = (
                stdout.context(Kind::Host, failed)?,
                stderr.context(Kind::Host, failed)?,
            );
            if stdout.len().max(stderr.len()) as u64 == MOST {
                Err(format!("printed more than {} MiB", MOST >> 20))
            } else {
                match wait_until(&mut child, deadline).context(Kind::Host, failed)? {
                    Some(status) => Ok(Output {
                        status,
                        stdout,
                        stderr,
                    }),
                    None => Err(too_long(around.limit)),
                }
            }
        }
        _ => Err(too_long(around.limit)),
    };
    ended.map_err(|over| {
        // It may have ended by itself meanwhile.
        let _ = child.kill().and_then(|()| child.wait());
        Error::host(format!("{} {over}", shell_line(program, args)))
    })
}

/// How much [`output_in`] reads of either stream, in bytes.
const MOST: u64 = 64 << 20;

/// Reads to the end, or so far as is allowed; then the pipe is closed.
fn read_in_thread(from: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.take(MOST).read_to_end(&mut bytes);
        // Nobody hears it after the time is over.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// What is said of a program that went over its time.
pub(super) fn too_long(limit: Duration) -> String {
    format!("took longer than {} s", limit.as_secs_f32())
}

/// The exit of `child`, if it ends before the deadline.
pub(super) fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lets the program that `command` starts read `file`; the path by which it finds it. `file` has to stay open until then.
#[allow(unsafe_code)]
pub fn lend(command: &mut Command, file: &File) -> PathBuf {
    let fd = file.as_raw_fd();
    let keep = move || {
        // SAFETY: it is open in the parent, and so it is between fork and exec.
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(())
    };
    // SAFETY: there is one system call, and nothing is allocated.
    unsafe { command.pre_exec(keep) };
    format!("/proc/self/fd/{fd}").into()
}

/// Has the kernel kill the program that `command` starts once the thread that starts it is gone.
#[allow(unsafe_code)]
pub fn ends_with_us(command: &mut Command) {
    let ask = || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into);
    // SAFETY: between fork and exec there is one system call, and nothing is allocated.
    unsafe {
        command.pre_exec(ask);
    }
}

/// The error for a helper that ended badly: its command line, exit and last words.
pub fn failure(kind: Kind, program: &Path, args: &[OsString], output: &Output) -> Error {
    let said = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let tail = String::from_utf8_lossy(&said[said.len().saturating_sub(TAIL)..]);
    Error::new(
        kind,
        format!(
            "{} ended with {}: {}",
            shell_line(program, args),
            output.status,
            tail.trim()
        ),
    )
}

/// The command line as one could paste it into a shell.
pub fn shell_line(program: &Path, args: &[OsString]) -> String {
    std::iter::once(program.as_os_str())
        .chain(args.iter().map(OsString::as_os_str))
        .map(|word| quote(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `word` in single quotes where a POSIX shell would not read it literally.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_command_line_and_its_last_words() {
        let args = ["-c".into(), "echo 'it broke' >&2; exit 3".into()];
        let output = output(Path::new("sh"), &args).unwrap();
        let error = failure(Kind::Image, Path::new("sh"), &args, &output);
        let text = error.to_string();
        assert!(
            text.contains("it broke") && text.contains("sh -c"),
            "{text}"
        );
        assert_eq!(error.kind(), Kind::Image);
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let around = |milliseconds| Surroundings {
            dir: Path::new("/"),
            env: &[],
            limit: Duration::from_millis(milliseconds),
        };
        let sh = Path::new("/bin/sh");
        let out = output_in(&around(60_000), sh, &["-c".into(), "pwd".into()]).unwrap();
        assert_eq!(out.stdout, b"/\n");
        let error = output_in(&around(10), sh, &["-c".into(), "exec sleep 60".into()]);
        assert!(error.unwrap_err().to_string().contains("took longer"));
    }

    #[test]
    fn a_program_that_prints_without_end_is_ended() {
        let around = Surroundings {
            dir: Path::new("/"),
            env: &[],
            limit: Duration::from_secs(60),
        };
        let sh = Path::new("/bin/sh");
        let error = output_in(&around, sh, &["-c".into(), "exec cat /dev/zero".into()]);
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("printed more than 64 MiB"), "{error}");
        // Both streams, and more than a pipe holds.
        let script = "head -c 200000 /dev/zero >&2; head -c 300000 /dev/zero; exit 3";
        let out = output_in(&around, sh, &["-c".into(), script.into()]).unwrap();
        assert_eq!((out.stdout.len(), out.stderr.len()), (300_000, 200_000));
        assert_eq!(out.status.code(), Some(3));
    }

    #[test]
    fn quoting_survives_a_shell() {
        let line = quote("a'b \"$c\"");
        let args = ["-c".into(), format!("printf %s {line}").into()];
        let echoed = output(Path::new("sh"), &args).unwrap();
        assert_eq!(echoed.stdout, b"a'b \"$c\"");
    }
}
