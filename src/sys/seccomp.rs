//! A seccomp filter for the few calls that no namespace and no capability keeps from a program of the
//! image, whose root has the host's user id 0.
//!
//! * Keys: user 0's keyring on the host grants everything to user 0. Its serial number can be found
//!   by trying all of them, and what it holds (passwords of disks and shares) linked and read.
//! * The limit of core dumps: only at exactly 1 does the kernel not start the program in the host's
//!   core_pattern, as root on the host, for a crash of the image's. So the limit must stay.
//! * Loop devices: whoever has one open may detach it, even if only for reading.
//!
//! A list of what is refused, not of what is allowed: everything else is confined by namespaces.
//!
//! It can also leave out writing to the disk at once ([`Syncs::Skipped`]): a package manager asks for
//! that after every file, against a crash in the middle. Here that image is thrown away, but for one that is changed in
//! place, which has its syncs. Not msync(2), whose errors tell programs what is mapped.

#![allow(unsafe_code)]

use nix::libc;

/// What the kernel calls a set of system call numbers (include/uapi/linux/audit.h), and the numbers
/// in it. A host runs programs of two or three such sets, and so may an image.
struct Table {
    arch: u32,
    /// add_key, request_key, keyctl.
    keys: [u32; 3],
    setrlimit: u32,
    prlimit: u32,
    ioctl: u32,
    /// sync, fsync, fdatasync, syncfs, sync_file_range.
    syncs: [u32; 5],
}

/// What becomes of system calls that only wait for a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// The kernel has them.
    Done,
    /// They succeed at once, whatever they are given.
    Skipped,
}

const TABLES: [Table; 5] = [
    // x86_64; x32 has the same numbers with a bit set, which is masked away below.
    Table {
        arch: 0xc000_003e,
        keys: [248, 249, 250],
        setrlimit: 160,
        prlimit: 302,
        ioctl: 16,
        syncs: [162, 74, 75, 306, 277],
    },
    // i386
    Table {
        arch: 0x4000_0003,
        keys: [286, 287, 288],
        setrlimit: 75,
        prlimit: 340,
        ioctl: 54,
        syncs: [36, 118, 148, 344, 314],
    },
    // aarch64
    Table {
        arch: 0xc000_00b7,
        keys: [217, 218, 219],
        setrlimit: 164,
        prlimit: 261,
        ioctl: 29,
        syncs: [81, 82, 83, 267, 84],
    },
    // 32-bit ARM
    Table {
        arch: 0x4000_0028,
        keys: [309, 310, 311],
        setrlimit: 75,
        prlimit: 369,
        ioctl: 54,
        syncs: [36, 118, 148, 373, 341],
    },
    // 64-bit RISC-V
    Table {
        arch: 0xc000_00f3,
        keys: [217, 218, 219],
        setrlimit: 164,
        prlimit: 261,
        ioctl: 29,
        syncs: [81, 82, 83, 267, 84],
    },
];

/// x32's own number for ioctl.
const X32_IOCTL: u32 = 514;

/// What ioctls of loop devices have in common, but for the last four bits (include/uapi/linux/loop.h).
const OF_LOOP_DEVICES: u32 = 0x4c00;

/// RLIMIT_CORE, the same on all of these.
const LIMIT_OF_CORES: u32 = 4;

/// The bit that tells x32's numbers from x86_64's.
const X32: u32 = 0x4000_0000;

// struct seccomp_data: nr, arch, instruction_pointer, args[6].
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

// Operations of classic BPF, as in include/uapi/linux/bpf_common.h.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
/// With 0 for errno: sudo and others lower the limit of core dumps and complain when they cannot.
const PRETEND: u32 = libc::SECCOMP_RET_ERRNO;
/// As on a kernel without keyrings.
const NO_KEYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// As without the capability.
const NO_RIGHT: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

fn op(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

/// Goes on with the next operation if what was loaded is `k`, else leaves out `skip` of them.
fn unless_equal(k: u32, skip: u8) -> libc::sock_filter {
    libc::sock_filter {
        jf: skip,
        ..op(JUMP_IF_EQUAL, k)
    }
}

/// Low half of argument `index`; all machines here are little-endian.
fn low(index: u32) -> u32 {
    ARGS + 8 * index
}

/// The part of the program for one table: leaves out its own rest where the arch is another.
fn rules(table: &Table, syncs: Syncs) -> Vec<libc::sock_filter> {
    let mut rules = vec![op(LOAD, NUMBER)];
    if table.arch == TABLES[0].arch {
        rules.push(op(AND, !X32));
    }
    for number in table.keys {
        rules.extend([unless_equal(number, 1), op(RETURN, NO_KEYS)]);
    }
    if syncs == Syncs::Skipped {
        for number in table.syncs {
            rules.extend([unless_equal(number, 1), op(RETURN, PRETEND)]);
        }
    }
    // ioctl(.., LOOP_CLR_FD and its like, ..)
    for number in [table.ioctl, X32_IOCTL] {
        rules.extend([
            unless_equal(number, 5),
            op(LOAD, low(1)),
            op(AND, !0xf),
            unless_equal(OF_LOOP_DEVICES, 1),
            op(RETURN, NO_RIGHT),
            op(RETURN, ALLOW),
        ]);
    }
    // setrlimit(RLIMIT_CORE, ..)
    rules.extend([
        unless_equal(table.setrlimit, 4),
        op(LOAD, low(0)),
        unless_equal(LIMIT_OF_CORES, 1),
        op(RETURN, PRETEND),
        op(RETURN, ALLOW),
    ]);
    // prlimit(.., RLIMIT_CORE, new limit or null, ..)
    rules.extend([
        unless_equal(table.prlimit, 7),
        op(LOAD, low(1)),
        unless_equal(LIMIT_OF_CORES, 5),
        op(LOAD, low(2)),
        unless_equal(0, 2),
        op(LOAD, low(2) + 4),
        libc::sock_filter {
            jt: 1,
            ..op(JUMP_IF_EQUAL, 0)
        },
        op(RETURN, PRETEND),
    ]);
    rules.push(op(RETURN, ALLOW));
    rules
}

fn program(syncs: Syncs) -> Vec<libc::sock_filter> {
    let mut program = Vec::new();
    for table in &TABLES {
        let rules = rules(table, syncs);
        program.extend([op(LOAD, ARCH), unless_equal(table.arch, rules.len() as u8)]);
        program.extend(rules);
    }
    program.push(op(RETURN, ALLOW));
    program
}

/// Whether the kernel has such filters.
pub fn exists() -> bool {
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the action lives across the call, which reads it.
    unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        ) == 0
    }
}

/// Sets the filter for this process and its children; whether the kernel took it.
///
/// Needs CAP_SYS_ADMIN in the own user namespace, so that no_new_privs, which breaks sudo, can stay
/// off. Must be called before there is another thread.
pub fn deny_what_namespaces_do_not(syncs: Syncs) -> bool {
    let mut program = program(syncs);
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter and its program live across the call, which copies them.
    unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        ) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says to a call, by a small interpreter.
    fn verdict_with(syncs: Syncs, arch: u32, number: u32, args: [u64; 3]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend(0u64.to_le_bytes());
        args.iter().for_each(|a| data.extend(a.to_le_bytes()));
        let (program, mut at, mut loaded) = (program(syncs), 0, 0);
        loop {
            let op = program[at];
            at += 1;
            match op.code {
                LOAD => {
                    let bytes = &data[op.k as usize..][..4];
                    loaded = u32::from_le_bytes(bytes.try_into().unwrap());
                }
                AND => loaded &= op.k,
                JUMP_IF_EQUAL => at += usize::from(if loaded == op.k { op.jt } else { op.jf }),
                RETURN => return op.k,
                code => panic!("operation {code}"),
            }
        }
    }

    fn verdict(arch: u32, number: u32, args: [u64; 3]) -> u32 {
        let verdicts =
            [Syncs::Done, Syncs::Skipped].map(|syncs| verdict_with(syncs, arch, number, args));
        assert_eq!(verdicts[0], verdicts[1]);
        verdicts[0]
    }

    #[test]
    fn syncs_are_skipped_on_every_arch_where_that_is_wanted() {
        for table in &TABLES {
            for number in table.syncs {
                let of = |syncs| verdict_with(syncs, table.arch, number, [3, 0, 0]);
                assert_eq!(of(Syncs::Skipped), PRETEND);
                assert_eq!(of(Syncs::Done), ALLOW);
            }
        }
        let x32 = verdict_with(Syncs::Skipped, TABLES[0].arch, X32 | 74, [3, 0, 0]);
        assert_eq!(x32, PRETEND);
        let own = [
            libc::SYS_sync,
            libc::SYS_fsync,
            libc::SYS_fdatasync,
            libc::SYS_syncfs,
            libc::SYS_sync_file_range,
        ];
        #[cfg(target_arch = "x86_64")]
        assert_eq!(TABLES[0].syncs.map(i64::from), own);
    }

    #[test]
    fn keys_and_the_limit_of_core_dumps_are_out_of_reach_on_every_arch() {
        let core = u64::from(LIMIT_OF_CORES);
        for table in &TABLES {
            let of = |number, args| verdict(table.arch, number, args);
            for number in table.keys {
                assert_eq!(of(number, [0; 3]), NO_KEYS);
            }
            assert_eq!(of(table.setrlimit, [core, 1, 0]), PRETEND);
            assert_eq!(of(table.setrlimit, [7, 1, 0]), ALLOW);
            for new_limit in [1, 1 << 32, u64::MAX] {
                assert_eq!(of(table.prlimit, [0, core, new_limit]), PRETEND);
                assert_eq!(of(table.prlimit, [0, 7, new_limit]), ALLOW);
            }
            assert_eq!(of(table.prlimit, [0, core, 0]), ALLOW, "reading it");
            assert_eq!(of(0, [0; 3]), ALLOW);
            assert_eq!(of(9999, [core, core, core]), ALLOW);
        }
        assert_eq!(verdict(TABLES[0].arch, X32 | 250, [0; 3]), NO_KEYS);
        assert_eq!(verdict(0x1234, 250, [0; 3]), ALLOW);
    }
}
