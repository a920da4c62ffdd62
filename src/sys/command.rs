//! Starts short helper programs, captures what they print, and puts it into the error.
//!
//! For programs that end soon by themselves (e2fsck, fsck.vfat). Long-lived children, which need
//! signals and process groups, are started by the stage and the executor.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use nix::sys::signal::Signal;

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

/// As [`output`], but in other surroundings than ours.
///
/// # Errors
/// Also when it took too long.
pub fn output_in(around: &Surroundings, program: &Path, args: &[OsString]) -> Result<Output> {
    let failed = || format!("cannot run {}", shell_line(program, args));
    let started = duct::cmd(program.as_os_str(), args)
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .dir(around.dir)
        .full_env(around.env.iter().cloned())
        .start()
        .context(Kind::Host, failed)?;
    let ended = started.wait_timeout(around.limit);
    if let Some(output) = ended.context(Kind::Host, failed)? {
        return Ok(output.clone());
    }
    // It may have ended by itself meanwhile.
    let _ = started.kill();
    Err(Error::host(format!(
        "{} took longer than {} s",
        shell_line(program, args),
        around.limit.as_secs()
    )))
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
    fn quoting_survives_a_shell() {
        let line = quote("a'b \"$c\"");
        let args = ["-c".into(), format!("printf %s {line}").into()];
        let echoed = output(Path::new("sh"), &args).unwrap();
        assert_eq!(echoed.stdout, b"a'b \"$c\"");
    }
}
