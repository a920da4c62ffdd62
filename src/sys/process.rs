//! Processes in namespaces of their own, and what a process can give up.

use std::{
    ffi::{CStr, CString},
    fs::File,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    sched::{CloneFlags, unshare},
    unistd::Pid,
};

use super::{command, memory};
use crate::error::{Context, Kind, Result};

/// The program to start, all prepared before the clone, after which nothing may allocate.
#[derive(Debug)]
pub struct Program<'a> {
    /// The executable: this program, or a sealed copy of it.
    pub executable: &'a File,
    /// What `ps` shows, and what `main` decides on.
    pub name: &'a str,
    /// Open descriptors to hand over: (ours, theirs). Theirs must be 0 to 9.
    pub fds: &'a [(RawFd, RawFd)],
    /// Namespaces that the new process is the first member of.
    pub namespaces: CloneFlags,
    /// Whether it goes on when this process ends.
    pub outlives_us: bool,
    /// Whether it gets nothing of ours but `fds`: no other descriptor, and a session of its own, so
    /// that the terminal is out of its reach.
    pub confined: bool,
}

/// Starts `program` in new namespaces; it is killed when this process ends, unless it is to outlive it.
///
/// Of our environment it gets `PATH` and no more: the user may have put secrets there.
///
/// With CLONE_NEWPID it is PID 1 there, and everything in that namespace dies with it.
///
/// # Errors
/// [`Kind::Host`], when the kernel refuses the namespaces or the exec.
pub fn spawn(program: &Program<'_>) -> Result<Pid> {
    let refused = || format!("cannot start {} in namespaces of its own", program.name);
    let name = CString::new(program.name).expect("names are constants without NUL");
    let argv = [name.as_ptr(), std::ptr::null()];
    let pair = [b"PATH=", command::search_path().as_encoded_bytes()].concat();
    let path = CString::new(pair).ok();
    let envp = [
        path.as_ref().map_or(std::ptr::null(), |p| p.as_ptr()),
        std::ptr::null(),
    ];
    let (error_read, error_write) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).context(Kind::Host, refused)?;
    // Out of the way of the descriptors that the program gets.
    let above = |fd: RawFd| -> Result<OwnedFd> {
        #[allow(unsafe_code)]
        // SAFETY: the descriptor is open; the duplicate is ours alone.
        unsafe {
            let borrowed = std::os::fd::BorrowedFd::borrow_raw(fd);
            let raw =
                fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(10)).context(Kind::Host, refused)?;
            Ok(OwnedFd::from_raw_fd(raw))
        }
    };
    let executable = above(program.executable.as_raw_fd())?;
    let reporting = above(error_write.as_raw_fd())?;
    drop(error_write);
    let moved = program
        .fds
        .iter()
        .map(|(ours, theirs)| Ok((above(*ours)?, *theirs)))
        .collect::<Result<Vec<_>>>()?;
    let flags = program.namespaces.bits() as libc::c_ulong | libc::SIGCHLD as libc::c_ulong;
    #[allow(unsafe_code)]
    // SAFETY: clone without CLONE_VM and with a null stack is fork. The child calls only
    // async-signal-safe functions on memory that was prepared above, then execs or exits.
    let pid = unsafe {
        let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
        if pid == 0 {
            let error = in_child(&executable, &moved, program, &argv, &envp);
            let code = error.to_ne_bytes();
            libc::write(reporting.as_raw_fd(), code.as_ptr().cast(), code.len());
            libc::_exit(127);
        }
        pid
    };
    if pid < 0 {
        return Err(io::Error::last_os_error()).context(Kind::Host, refused);
    }
    drop(reporting);
    let mut code = [0; 4];
    let mut error_read = File::from(error_read);
    match io::Read::read(&mut error_read, &mut code).context(Kind::Host, refused)? {
        0 => Ok(Pid::from_raw(pid as i32)),
        _ => {
            let _ = nix::sys::wait::waitpid(Pid::from_raw(pid as i32), None);
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code))).context(Kind::Host, refused)
        }
    }
}

/// Starts `executable` confined: with nothing of ours but `socket`, as descriptor `at`, and killed when
/// this process ends.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_confined(
    executable: &File,
    name: &str,
    (socket, at): (&impl AsRawFd, RawFd),
    namespaces: CloneFlags,
) -> Result<Pid> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .context(Kind::Host, || "cannot open /dev/null".into())?;
    let null = null.as_raw_fd();
    spawn(&Program {
        executable,
        name,
        fds: &[(null, 0), (null, 1), (null, 2), (socket.as_raw_fd(), at)],
        namespaces,
        outlives_us: false,
        confined: true,
    })
}

#[allow(unsafe_code)]
/// The child's side of [`spawn`], up to the exec; returns the errno of what failed.
///
/// # Safety
/// Between fork and exec: async-signal-safe calls only.
unsafe fn in_child(
    executable: &OwnedFd,
    fds: &[(OwnedFd, RawFd)],
    program: &Program<'_>,
    argv: &[*const libc::c_char],
    envp: &[*const libc::c_char],
) -> i32 {
    unsafe {
        let dies_with_us = !program.outlives_us;
        if dies_with_us && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
            return *libc::__errno_location();
        }
        if program.confined {
            libc::setsid();
            // What the caller's shell left open, too; the copies made below are open again.
            let cloexec = libc::CLOSE_RANGE_CLOEXEC as i32;
            if libc::close_range(0, libc::c_uint::MAX, cloexec) < 0 {
                return *libc::__errno_location();
            }
        }
        for (ours, theirs) in fds {
            if libc::dup2(ours.as_raw_fd(), *theirs) < 0 {
                return *libc::__errno_location();
            }
        }
        const EMPTY: &CStr = c"";
        libc::syscall(
            libc::SYS_execveat,
            executable.as_raw_fd(),
            EMPTY.as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        *libc::__errno_location()
    }
}

/// This very program, opened for [`spawn`].
pub fn own_executable() -> Result<File> {
    File::open("/proc/self/exe").context(Kind::Host, || "cannot open /proc/self/exe".into())
}

/// A copy of `file` in memory that nobody can write, truncate or make executable for others.
///
/// A process in the chroot can reach the file that it runs through /proc/PID/exe, as root: what it
/// finds there must not be the host's own program (CVE-2019-5736).
pub fn sealed_copy(name: &str, file: &mut File) -> Result<File> {
    sealed_copy_with(name, file, |_| Ok(()))
}

/// As [`sealed_copy`], with a `change` to the copy before it is sealed.
pub fn sealed_copy_with(
    name: &str,
    file: &mut File,
    change: impl FnOnce(&mut File) -> Result<()>,
) -> Result<File> {
    let failed = || format!("cannot copy {name} into memory");
    let mut copy = memory::create(name).context(Kind::Host, failed)?;
    io::copy(file, &mut copy).context(Kind::Host, failed)?;
    change(&mut copy)?;
    nix::sys::stat::fchmod(&copy, nix::sys::stat::Mode::from_bits_truncate(0o555))
        .context(Kind::Host, failed)?;
    memory::seal(&copy).context(Kind::Host, failed)?;
    Ok(copy)
}

/// Leaves the caller's namespaces for new ones. Moves only the calling thread, so it must be called
/// before there is another one.
pub fn leave(namespaces: CloneFlags) -> Result<()> {
    unshare(namespaces).context(Kind::Host, || "the kernel refuses new namespaces".into()).map_err(
        |e| e.hint("allow them: sysctl user.max_user_namespaces=10000; in a container, run it privileged"),
    )
}

/// Writes the maps of `pid`'s new user namespace: every id is itself, as far as we have it.
///
/// # Errors
/// [`Kind::Host`], for lack of privileges.
pub fn map_every_id(pid: Pid) -> Result<()> {
    for name in ["uid_map", "gid_map"] {
        let ours = std::fs::read_to_string(format!("/proc/self/{name}"))
            .context(Kind::Host, || format!("cannot read /proc/self/{name}"))?;
        // Inside: what we call it. Outside, as seen from us: the same number.
        let map = ours
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let (first, _, count) = (words.next()?, words.next()?, words.next()?);
                Some(format!("{first} {first} {count}\n"))
            })
            .collect::<String>();
        let path = format!("/proc/{pid}/{name}");
        std::fs::write(&path, map).context(Kind::Host, || format!("cannot write {path}"))?;
    }
    Ok(())
}

/// Hides this process from every other one that is not root on the host: no ptrace, and nothing to
/// follow under /proc/PID.
pub fn hide() -> Result<()> {
    nix::sys::prctl::set_dumpable(false)
        .context(Kind::Host, || "cannot make the process undumpable".into())
}

/// Leaves the caller's session keyring for an empty one, so that nothing that runs from here can
/// read the user's keys.
///
/// Kernels without keyrings have nothing to leave.
#[allow(unsafe_code)]
pub fn leave_keyring() {
    /// keyctl's command to join a session keyring; a null name makes an anonymous one.
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: no pointer but null.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) };
}

/// Sets or clears close-on-exec on a descriptor that was handed to us by number.
///
/// # Errors
/// When it is not open.
#[allow(unsafe_code)]
pub fn adopt(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: called once for each descriptor that the parent handed over by number.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).context(Kind::Other, || {
        "a descriptor that the parent should have passed is missing".into()
    })?;
    Ok(fd)
}

/// Opens `path` for reading, as a [`File`] whose descriptor is not inherited.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).context(Kind::Host, || format!("cannot open {}", path.display()))
}

/// Makes `command` start in a session of its own, with its standard input as the controlling
/// terminal if `with_terminal`.
pub fn in_new_session(command: &mut Command, with_terminal: bool) {
    let enter = move || {
        nix::unistd::setsid()?;
        #[allow(unsafe_code)]
        // SAFETY: descriptor 0 is open here; the argument is a number.
        if with_terminal && unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    };
    #[allow(unsafe_code)]
    // SAFETY: setsid and ioctl are async-signal-safe.
    unsafe {
        command.pre_exec(enter);
    }
}
