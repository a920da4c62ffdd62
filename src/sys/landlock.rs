//! Landlock, for the one thing namespaces leave open: abstract Unix sockets.
//!
//! A chroot that shares the host's network shares its abstract sockets, and its root shows there as
//! the host's user 0, whom some daemons trust (CVE-2020-15257).

use nix::libc;

/// include/uapi/linux/landlock.h
const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;
/// The ABI version that has scopes (Linux 6.12).
const ABI_WITH_SCOPES: i64 = 6;
const CREATE_RULESET_VERSION: u32 = 1;

/// landlock_ruleset_attr as far as we fill it.
#[repr(C)]
struct RulesetAttr {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
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
        let none = std::ptr::null::<RulesetAttr>();
        let abi = libc::syscall(
            libc::SYS_landlock_create_ruleset,
            none,
            0,
            CREATE_RULESET_VERSION,
        );
        if abi < ABI_WITH_SCOPES {
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
