//! Programs that read a stranger's bytes: bounded in time, memory and output, and without any rights but to the
//! files that they are lent, as open descriptors.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, PipeReader, Read},
    os::{
        fd::{AsFd, AsRawFd, RawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::resource::{Resource, setrlimit},
    unistd::geteuid,
};

use super::command::{search_path, too_long, wait_until};
use crate::error::{Context, Kind, Result};

/// The user and group that such programs run as: nobody's, with no file of this host.
pub const NOBODY: u32 = 65534;

/// How much of what a program says is kept, in bytes: its last words.
const TAIL: usize = 1024;

/// What a program may use.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long it may take.
    pub time: Duration,
    /// How much of that it may compute; full seconds.
    pub processor: Duration,
    /// Its address space, in bytes.
    pub memory: u64,
    /// How much it may print, in bytes.
    pub output: usize,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// By itself, or because it went over a bound: then which, in words that follow its name.
    pub how: Result<ExitStatus, String>,
    /// The last of what it printed.
    pub said: String,
}

/// What a program is lent of ours.
#[derive(Debug, Clone, Copy)]
pub struct Lent<'a> {
    /// Files that it finds by the path of a descriptor, which has the same number as ours.
    pub files: &'a [&'a File],
    /// Its standard input; `None` is empty.
    pub stdin: Option<&'a File>,
}

/// Runs `program` within `bounds`; `args` makes its arguments of the paths by which it finds the files that it is lent.
/// `heard` gets what it prints.
///
/// Each path is that of a descriptor, so it leads to that file and nothing else; [`NOBODY`] must be able to open it.
///
/// # Errors
/// [`Kind::Host`] when it cannot be started.
pub fn run(
    program: &Path,
    args: impl FnOnce(Vec<OsString>) -> Vec<OsString>,
    lent: Lent,
    bounds: Bounds,
    heard: &mut dyn FnMut(&[u8]),
) -> Result<Ended> {
    let failed = || format!("cannot run {}", program.display());
    let fds: Vec<RawFd> = lent.files.iter().map(|file| file.as_raw_fd()).collect();
    let path = |fd: &RawFd| OsString::from(format!("/proc/self/fd/{fd}"));
    let paths = fds.iter().map(path).collect();
    let stdin = match lent.stdin {
        Some(file) => Stdio::from(file.try_clone().context(Kind::Host, failed)?),
        None => Stdio::null(),
    };
    let (output, writer) = io::pipe().context(Kind::Host, failed)?;
    let mut command = Command::new(program);
    command
        .args(args(paths))
        .env_clear()
        .env("PATH", search_path())
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(stdin)
        .stdout(writer.try_clone().context(Kind::Host, failed)?)
        .stderr(writer);
    let as_nobody = geteuid().is_root();
    #[allow(unsafe_code)]
    // SAFETY: between fork and exec, `confine` makes system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || confine(&fds, bounds, as_nobody));
    }
    let child = command.spawn().context(Kind::Host, failed)?;
    // With it goes our copy of the pipe's other end.
    drop(command);
    attend(child, output, bounds, heard).context(Kind::Host, failed)
}

/// In the child: its bounds, no rights, and the files.
fn confine(fds: &[RawFd], bounds: Bounds, as_nobody: bool) -> io::Result<()> {
    let seconds = bounds.processor.as_secs();
    // SIGXCPU at the first, SIGKILL at the second.
    setrlimit(Resource::RLIMIT_CPU, seconds, seconds + 1)?;
    setrlimit(Resource::RLIMIT_AS, bounds.memory, bounds.memory)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    #[allow(unsafe_code)]
    // SAFETY: numbers and null pointers only; the descriptors are open in the parent.
    unsafe {
        // System calls, not libc's functions, which would ask other threads to do the same.
        if as_nobody {
            check(libc::syscall(libc::SYS_setgroups, 0, 0))?;
            check(libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY))?;
            // The capabilities go with this.
            check(libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY))?;
        }
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL).into())?;
        for fd in fds {
            let file = std::os::fd::BorrowedFd::borrow_raw(*fd);
            fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
    }
    Ok(())
}

fn check(result: libc::c_long) -> io::Result<()> {
    Ok(Errno::result(result).map(drop)?)
}

/// Reads what `child` prints until it ends, or ends it when it goes over a bound.
fn attend(
    mut child: Child,
    mut output: PipeReader,
    bounds: Bounds,
    heard: &mut dyn FnMut(&[u8]),
) -> io::Result<Ended> {
    let deadline = Instant::now() + bounds.time;
    let (mut said, mut printed) = (Vec::new(), 0);
    let over = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(left.min(Duration::from_secs(60)));
        match poll(&mut ready, wait.unwrap_or(PollTimeout::ZERO)) {
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(errno.into()),
            Ok(0) if left.is_zero() => break Some(too_long(bounds.time)),
            Ok(0) => continue,
            Ok(_) => {}
        }
        let mut chunk = [0; 4096];
        let count = output.read(&mut chunk)?;
        if count == 0 {
            break None;
        }
        printed += count;
        heard(&chunk[..count]);
        said.extend_from_slice(&chunk[..count]);
        said.drain(..said.len().saturating_sub(TAIL));
        if printed > bounds.output {
            break Some(format!("printed more than {} KiB", bounds.output >> 10));
        }
    };
    let ended = match &over {
        Some(_) => None,
        // It has closed its output, so it ends, or else at the deadline.
        None => wait_until(&mut child, deadline)?,
    };
    let status = match ended {
        Some(status) => status,
        None => {
            child.kill()?;
            child.wait()?
        }
    };
    let said = String::from_utf8_lossy(&said).into_owned();
    let how = match over {
        Some(over) => Err(over),
        None if ended.is_none() => Err(too_long(bounds.time)),
        None if status.signal() == Some(libc::SIGXCPU) => Err(format!(
            "computed for more than {} s",
            bounds.processor.as_secs()
        )),
        None => Ok(status),
    };
    Ok(Ended { how, said })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write, os::unix::fs::PermissionsExt};

    const BOUNDS: Bounds = Bounds {
        time: Duration::from_secs(60),
        processor: Duration::from_secs(60),
        memory: 1 << 30,
        output: 64 << 10,
    };

    /// What `script` does with the file, `$1`.
    fn run_script(script: &str, bounds: Bounds) -> Ended {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"content\n").unwrap();
        let open = fs::Permissions::from_mode(0o666);
        file.as_file().set_permissions(open).unwrap();
        let args = |mut paths: Vec<OsString>| {
            vec!["-c".into(), script.into(), "sh".into(), paths.remove(0)]
        };
        let lent = Lent {
            files: &[file.as_file()],
            stdin: None,
        };
        run(Path::new("/bin/sh"), args, lent, bounds, &mut |_| {}).unwrap()
    }

    #[test]
    fn it_has_the_file_and_nothing_else() {
        let script = "cat $1; echo more >> $1; cat $1 >&2; echo $(id -u) $(id -g) $(id -G); \
                      grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status; exit 3";
        let ended = run_script(script, BOUNDS);
        assert_eq!(ended.how.unwrap().code(), Some(3), "{}", ended.said);
        let said = ended.said.replace(char::is_whitespace, " ");
        assert!(said.starts_with("content content more "), "{said}");
        assert!(said.contains("NoNewPrivs: 1"), "{said}");
        if geteuid().is_root() {
            assert!(said.contains("65534 65534 65534 "), "{said}");
            assert!(said.contains("CapEff: 0000000000000000"), "{said}");
            assert!(said.contains("CapPrm: 0000000000000000"), "{said}");
        }
    }

    #[test]
    fn each_bound_ends_it_and_is_named() {
        let short = Duration::from_millis(100);
        let over = |script: &str, bounds: Bounds| run_script(script, bounds).how.unwrap_err();
        let text = over("while :; do echo again; done", BOUNDS);
        assert_eq!(text, "printed more than 64 KiB");
        let time = Bounds {
            time: short,
            ..BOUNDS
        };
        for script in ["exec sleep 60", "exec >/dev/null 2>&1; exec sleep 60"] {
            assert_eq!(over(script, time), "took longer than 0.1 s", "{script}");
        }
        let processor = Bounds {
            processor: Duration::from_secs(1),
            ..BOUNDS
        };
        let text = over("while :; do :; done", processor);
        assert_eq!(text, "computed for more than 1 s");
        let memory = Bounds {
            memory: 64 << 20,
            ..BOUNDS
        };
        // dd's buffer.
        let ended = run_script("dd if=/dev/zero of=/dev/null bs=200M count=1", memory);
        assert_ne!(ended.how.unwrap().code(), Some(0), "{}", ended.said);
        assert!(ended.said.contains("memory"), "{}", ended.said);
    }
}
