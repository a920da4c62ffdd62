//! Landlock, for what namespaces leave open.
//!
//! Abstract Unix sockets: a chroot that shares the host's network shares its abstract sockets, and its root shows there as
//! the host's user 0, whom some daemons trust (CVE-2020-15257).
//!
//! And the rest of the file system, for a program that unpacks what a stranger has packed ([`Below`]).

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    path::Path,
};

use nix::{errno::Errno, libc};

use super::inroot::host_dir;

/// include/uapi/linux/landlock.h
const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;
/// The ABI version that has scopes (Linux 6.12).
const ABI_WITH_SCOPES: i64 = 6;
/// That from which on a link may be made to another directory (Linux 5.19), and that which knows truncation (6.2).
const ABI_WITH_LINKS: i64 = 2;
const ABI_WITH_TRUNCATION: i64 = 3;
/// Rights to change files: to write them (bit 1), to remove and make all kinds of them (4 to 12), to link them elsewhere
/// (13); and to truncate them.
const CHANGE: u64 = 1 << 1 | 0x1ff << 4 | 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const RULE_PATH_BENEATH: u32 = 1;
const CREATE_RULESET_VERSION: u32 = 1;

/// landlock_ruleset_attr as far as we fill it.
#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// landlock_path_beneath_attr, which is packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// The rule that files are changed below one folder only.
#[derive(Debug)]
pub struct Below(OwnedFd);

impl Below {
    /// For the folder at `path`; `None` where the kernel cannot do that (before Linux 5.19, or without Landlock).
    pub fn folder(path: &Path) -> io::Result<Option<Self>> {
        let abi = abi();
        if abi < ABI_WITH_LINKS {
            return Ok(None);
        }
        let truncate = if abi < ABI_WITH_TRUNCATION {
            0
        } else {
            TRUNCATE
        };
        let attr = RulesetAttr {
            handled_access_fs: CHANGE | truncate,
            handled_access_net: 0,
            scoped: 0,
        };
        let folder = host_dir(path)?;
        let beneath = PathBeneath {
            allowed_access: CHANGE | truncate,
            parent_fd: folder.as_fd().as_raw_fd(),
        };
        #[allow(unsafe_code)]
        // SAFETY: both structs live across the calls; an older kernel is given only the field that it knows. The
        // descriptor is new and ours alone.
        unsafe {
            let size = size_of::<u64>();
            let ruleset = libc::syscall(libc::SYS_landlock_create_ruleset, &attr, size, 0);
            let ruleset = OwnedFd::from_raw_fd(Errno::result(ruleset)? as i32);
            let added = libc::syscall(
                libc::SYS_landlock_add_rule,
                ruleset.as_raw_fd(),
                RULE_PATH_BENEATH,
                &beneath,
                0,
            );
            Errno::result(added)?;
            Ok(Some(Below(ruleset)))
        }
    }

    /// Applies it to this process and its children. Makes one system call, so it can stand between fork and exec. Needs
    /// CAP_SYS_ADMIN.
    pub fn apply(&self) -> io::Result<()> {
        #[allow(unsafe_code)]
        // SAFETY: takes an open descriptor.
        let applied =
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.0.as_raw_fd(), 0) };
        Ok(Errno::result(applied).map(drop)?)
    }
}

/// The version of Landlock that the kernel has; less than 1 is none.
fn abi() -> i64 {
    let none = std::ptr::null::<RulesetAttr>();
    #[allow(unsafe_code)]
    // SAFETY: with this flag the call takes no struct.
    unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            none,
            0,
            CREATE_RULESET_VERSION,
        )
    }
}

/// Cuts this process and its children off from abstract sockets of others; whether it could.
///
/// Needs CAP_SYS_ADMIN in the own user namespace, so that no_new_privs, which breaks sudo, can stay
/// off.
#[allow(unsafe_code)]
pub fn deny_abstract_sockets() -> bool {
    let attr = RulesetAttr {
        handled_access_fs: 0,
        handled_access_net: 0,
        scoped: SCOPE_ABSTRACT_UNIX_SOCKET,
    };
    // SAFETY: `attr` lives across the call, with its size beside; the other calls take no pointers.
    unsafe {
        if abi() < ABI_WITH_SCOPES {
            return false;
        }
        let size = size_of::<RulesetAttr>();
        let ruleset = libc::syscall(libc::SYS_landlock_create_ruleset, &attr, size, 0);
        if ruleset < 0 {
            return false;
        }
        let restricted = libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) == 0;
        libc::close(ruleset as i32);
        restricted
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::CommandExt, process::Command};

    use super::*;

    #[test]
    fn a_program_changes_files_below_its_folder_only() {
        if !nix::unistd::geteuid().is_root() {
            return crate::skip::skip("Landlock without no_new_privs needs root");
        }
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("old"), "old").unwrap();
        let Some(below) = Below::folder(inside.path()).unwrap() else {
            return crate::skip::skip("this kernel has no Landlock with links");
        };
        let mut command = Command::new("sh");
        let script = "mkdir $1/a && echo x > $1/a/x && ln $1/a/x $1/y && mv $1/y $1/a/y || exit 9; \
                      for line in 'echo x > $2/new' 'mkdir $2/d' 'rm $2/old' 'ln $1/a/x $2/z' ': > $2/old'; do \
                      (eval \"$line\") 2>&- && echo \"$line\"; done; true";
        command
            .args(["-c", script, "sh"])
            .arg(inside.path())
            .arg(outside.path());
        #[allow(unsafe_code)]
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(move || below.apply());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(std::fs::read(outside.path().join("old")).unwrap(), b"old");
    }
}
