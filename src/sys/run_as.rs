//! Long programs of this host that run for a user, and not with root's rights.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{BorrowedFd, RawFd},
        unix::{fs::MetadataExt, process::CommandExt},
    },
    path::Path,
    process::Command,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    libc,
    unistd::{Gid, Uid, geteuid, getgrouplist},
};

use super::bounded::NOBODY;

/// Whom a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    user: u32,
    group: u32,
    groups: Vec<u32>,
}

impl Account {
    /// That of these ids, with all its groups.
    pub fn of(user: u32, group: u32) -> Self {
        let known = nix::unistd::User::from_uid(Uid::from_raw(user));
        let name = known.ok().flatten().map(|known| CString::new(known.name));
        let groups = match name {
            Some(Ok(name)) => getgrouplist(&name, Gid::from_raw(group)).unwrap_or_default(),
            _ => Vec::new(),
        };
        Account {
            user,
            group,
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        }
    }

    /// Nobody's, for what root starts and nobody has to answer for.
    pub fn nobody() -> Self {
        Account {
            user: NOBODY,
            group: NOBODY,
            groups: Vec::new(),
        }
    }

    /// Its user and group.
    pub fn ids(&self) -> (u32, u32) {
        (self.user, self.group)
    }

    /// Whether it may read and write the file at `path`, by its mode.
    pub fn may_use(&self, path: &Path) -> bool {
        let Ok(meta) = std::fs::metadata(path) else {
            return false;
        };
        let is_its = meta.gid() == self.group || self.groups.contains(&meta.gid());
        let shift = match () {
            () if meta.uid() == self.user => 6,
            () if is_its => 3,
            () => 0,
        };
        self.user == 0 || meta.mode() >> shift & 6 == 6
    }
}

/// Has `command` run as `account`, if we are root, and die with the thread that starts it. It gets the open files `lent` under
/// their own numbers. A program that is `bounded` gets no rights from what it starts.
pub fn prepare(command: &mut Command, account: &Account, lent: Vec<RawFd>, bounded: bool) {
    let account = geteuid().is_root().then(|| account.clone());
    #[allow(unsafe_code)]
    // SAFETY: between fork and exec, `become_it` makes system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || become_it(account.as_ref(), &lent, bounded));
    }
}

/// In the child.
fn become_it(account: Option<&Account>, lent: &[RawFd], bounded: bool) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: numbers, and a list that outlives the call; the descriptors are open in the parent.
    unsafe {
        // System calls, not libc's functions, which would ask other threads to do the same.
        if let Some(Account {
            user,
            group,
            groups,
        }) = account
        {
            check(libc::syscall(
                libc::SYS_setgroups,
                groups.len(),
                groups.as_ptr(),
            ))?;
            check(libc::syscall(libc::SYS_setresgid, *group, *group, *group))?;
            check(libc::syscall(libc::SYS_setresuid, *user, *user, *user))?;
        }
        if bounded {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        }
        // A change of the user has undone what was asked before.
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL).into())?;
        for fd in lent {
            fcntl(
                BorrowedFd::borrow_raw(*fd),
                FcntlArg::F_SETFD(FdFlag::empty()),
            )?;
        }
    }
    Ok(())
}

fn check(result: libc::c_long) -> io::Result<()> {
    Ok(Errno::result(result).map(drop)?)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsRawFd};

    use super::*;

    #[test]
    fn it_is_somebody_else_and_has_what_it_is_lent() {
        let file = crate::sys::memory::sealed("lent", b"content").unwrap();
        let mut command = Command::new("sh");
        let script = format!(
            "id -u; id -G; cat /proc/self/fd/{}; grep NoNewPrivs /proc/self/status",
            file.as_raw_fd()
        );
        command.args(["-c", &script]);
        prepare(
            &mut command,
            &Account::nobody(),
            vec![file.as_raw_fd()],
            true,
        );
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(
            said.contains("content") && said.contains("NoNewPrivs:\t1"),
            "{said}"
        );
        if geteuid().is_root() {
            assert!(said.starts_with("65534\n65534\n"), "{said}");
        }
    }

    #[test]
    fn what_it_may_use_is_by_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvm");
        File::create(&path).unwrap();
        let set = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        set(0o660);
        assert!(!Account::nobody().may_use(&path));
        let (user, group) = (
            nix::unistd::getuid().as_raw(),
            nix::unistd::getgid().as_raw(),
        );
        assert!(Account::of(user, group).may_use(&path));
        set(0o666);
        assert!(Account::nobody().may_use(&path));
        assert!(!Account::nobody().may_use(&folder.path().join("none")));
    }
}
