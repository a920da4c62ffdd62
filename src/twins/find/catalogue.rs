//! Which programs may have a twin, and why the others may not.
//!
//! A program is here when it does the same on every architecture: same output, same files. So not:
//! what prints or uses the machine's name, what reads structures whose layout differs (utmp,
//! lastlog), what loads plug-ins from a folder named after the architecture, and what looks at its own
//! /proc/self/exe or at others'.

use serde::{Deserialize, Serialize};

/// When a program's twin may run in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Whatever its arguments are.
    Always,
    /// The same, when the architecture whose packages it installs is made the image's.
    Dpkg,
    /// Only where an argument names a kernel's release (kmod): otherwise it takes that of uname.
    NamesRelease,
    /// bash: `$HOSTTYPE`, `$MACHTYPE` and the builtins that `enable -f` loads are of its architecture.
    Bash,
    /// dash: the emulator shows it files that the kernel does not have.
    Dash,
    /// perl: its modules and their folders are of its architecture.
    Perl,
    /// gawk: its extensions are of its architecture, and so is the order of an array's elements.
    Gawk,
    /// openssl: its providers and engines are of its architecture.
    Openssl,
}

/// Which of a package's programs.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// Every ELF program in its folders of programs, but not these.
    AllBut(&'static [&'static str]),
    /// These.
    Only(&'static [&'static str]),
}

use Which::{AllBut, Only};

/// A package with programs that may have twins.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The package.
    pub package: &'static str,
    which: Which,
    /// When the twins may run.
    pub rule: Rule,
    /// Libraries that its programs open by themselves where they are installed.
    pub opens: &'static [&'static str],
    /// Whether its output depends on the size of a machine word.
    pub by_word: bool,
}

const fn all(package: &'static str) -> Entry {
    entry(package, AllBut(&[]))
}

const fn entry(package: &'static str, which: Which) -> Entry {
    Entry {
        package,
        which,
        rule: Rule::Always,
        opens: &[],
        by_word: false,
    }
}

/// All of them.
pub const CATALOGUE: &[Entry] = &[
    // What unpacks the lists that apt fetches. Not apt itself: of which packages it says that nobody needs them
    // depends on the running kernel.
    entry("apt", Only(&["store"])),
    Entry {
        rule: Rule::Bash,
        ..entry("bash", Only(&["bash"]))
    },
    // Of util-linux and its kin nothing that mounts, logs in, reads utmp, or tells the machine:
    // mount, su, last, lscpu, setarch. Not whereis: it searches /usr/lib/TRIPLET.
    entry("bsdutils", Only(&["logger", "renice"])),
    entry(
        "bsdextrautils",
        Only(&["col", "colrm", "column", "hexdump", "hd", "look", "ul"]),
    ),
    all("bzip2"),
    entry(
        "coreutils",
        AllBut(&[
            // They print the machine.
            "uname", "arch", // They read utmp, whose layout is of the architecture.
            "who", "users", "pinky", "logname",
            // They calculate with long double, whose precision is of the architecture.
            "printf", "numfmt", "seq", // It has others preload a library of /usr/lib/TRIPLET.
            "stdbuf",
        ]),
    ),
    entry("cpio", Only(&["cpio"])),
    Entry {
        rule: Rule::Dash,
        ..all("dash")
    },
    // Not ischroot: it looks at /proc/1. Not start-stop-daemon of dpkg: it looks at /proc/PID/exe.
    entry("debianutils", Only(&["run-parts"])),
    all("diffutils"),
    Entry {
        rule: Rule::Dpkg,
        ..entry("dpkg", AllBut(&["start-stop-daemon"]))
    },
    all("findutils"),
    Entry {
        rule: Rule::Gawk,
        ..entry("gawk", Only(&["gawk"]))
    },
    all("gpgv"),
    all("grep"),
    all("gzip"),
    all("hostname"),
    entry("iproute2", Only(&["ip"])),
    Entry {
        rule: Rule::NamesRelease,
        // Since version 33 it opens the decoders when it needs them.
        opens: &[
            "libzstd.so.1",
            "liblzma.so.5",
            "libz.so.1",
            "libcrypto.so.3",
        ],
        ..entry("kmod", Only(&["kmod"]))
    },
    // Not iconv: it loads plug-ins from /usr/lib/TRIPLET/gconv. Never ldconfig and getconf.
    entry("libc-bin", Only(&["getent", "locale"])),
    Entry {
        // Its hash tables, and so what it finds to repeat, are by word size.
        by_word: true,
        ..all("lz4")
    },
    all("mawk"),
    entry("mount", Only(&["findmnt"])),
    entry("ncurses-bin", Only(&["clear", "infocmp", "tput"])),
    Entry {
        rule: Rule::Openssl,
        ..entry("openssl", Only(&["openssl"]))
    },
    all("patch"),
    Entry {
        rule: Rule::Perl,
        ..entry("perl-base", Only(&["perl"]))
    },
    // ps, top, pgrep, pkill and w see their own command line.
    entry("procps", Only(&["free", "kill", "sysctl"])),
    all("sed"),
    all("tar"),
    entry(
        "util-linux",
        Only(&[
            "blkid",
            "findfs",
            "findmnt",
            "flock",
            "getopt",
            "ionice",
            "isosize",
            "lsblk",
            "mcookie",
            "mountpoint",
            "namei",
            "prlimit",
            "rename.ul",
            "rev",
            "setsid",
            "taskset",
        ]),
    ),
    entry("util-linux-extra", Only(&["mkswap"])),
    entry("uuid-runtime", Only(&["uuidgen", "uuidparse"])),
    all("xz-utils"),
    all("zstd"),
];

impl Entry {
    /// Whether the program at `path`, as the package lists it, is one of those.
    pub fn has(&self, path: &str) -> bool {
        let Some((folder, name)) = path.rsplit_once('/') else {
            return false;
        };
        let folders = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/lib/apt/methods"];
        folders.contains(&folder)
            && match self.which {
                AllBut(never) => !never.contains(&name),
                Only(these) => these.contains(&name),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prints_the_machine_is_never_twinned() {
        let has = |package, path| {
            let mut of = CATALOGUE.iter().filter(|e| e.package == package);
            of.any(|e| e.has(path))
        };
        assert!(has("coreutils", "bin/ls") && has("coreutils", "usr/sbin/chroot"));
        for never in ["bin/uname", "usr/bin/stdbuf", "usr/lib/coreutils/ls"] {
            assert!(!has("coreutils", never), "{never}");
        }
        assert!(!has("libc-bin", "sbin/ldconfig"));
    }

    #[test]
    fn a_package_is_there_once() {
        let names = CATALOGUE.iter().map(|e| e.package);
        let distinct = names.collect::<std::collections::BTreeSet<_>>();
        assert_eq!(distinct.len(), CATALOGUE.len());
    }
}
