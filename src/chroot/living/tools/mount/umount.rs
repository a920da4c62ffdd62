//! Unmounting (umount(8)): what a task has mounted goes; what a boot mounts is the chroot's, and its end is put off.

use std::{fs, process::Output};

use nix::mount::{MntFlags, umount2};

use crate::{
    chroot::living::{
        call::{Answer, Call, quoted},
        kernel::subject::{Files, Subject},
        machine::Machine,
        mounted::Made,
        tools::options::{Known, Options},
    },
    sys::mountinfo,
};

/// Not every machine has this of memory.
pub const TMP: &str = "/tmp";

const KNOWN: Known = Known {
    with_value: &[("namespace", "N"), ("test-opts", "O"), ("types", "t")],
    plain: &[
        ("all", "a"),
        ("all-targets", "A"),
        ("detach-loop", "d"),
        ("fake", ""),
        ("force", "f"),
        ("help", "h"),
        ("internal-only", "i"),
        ("lazy", "l"),
        ("no-canonicalize", "c"),
        ("no-mtab", "n"),
        ("quiet", "q"),
        ("read-only", "r"),
        ("recursive", "R"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};
/// The chroot lives by these, and every machine does.
const IN_USE: [&str; 5] = ["/", "/dev", "/proc", "/run", "/sys"];
/// umount(8): "mount failure", and "some umount succeeded".
const FAILURE: u8 = 32;
const SOME: u8 = 64;

/// umount.
pub fn umount(call: &Call, machine: &mut Machine) -> Answer {
    let Ok(options) = Options::parse(&KNOWN, &call.args) else {
        return Answer::Pass;
    };
    let other = ["fake", "help", "namespace", "version"];
    if !call.is_root() || other.iter().any(|name| options.has(name)) {
        return Answer::Pass;
    }
    if options.has("all") {
        return Answer::refused(
            "`umount -a` would unmount what the image's programs live by",
            "unmount by path what is to go",
        );
    }
    let flags = call.args.iter().filter(|arg| !options.words.contains(arg));
    let flags = flags.map(String::as_str).collect::<Vec<_>>();
    let (mut done, mut failed, mut out, mut err) = (0, 0, Vec::new(), Vec::new());
    for word in &options.words {
        match one(call, machine, &flags, word) {
            Answer::Said {
                code,
                out: o,
                err: e,
            } => {
                match code {
                    0 => done += 1,
                    _ => failed += 1,
                }
                out.extend(o);
                err.extend(e);
            }
            Answer::Pass | Answer::NeedsInput => return Answer::Pass,
        }
    }
    let code = match (done, failed) {
        // Without a word it says what it lacks.
        (0, 0) => return Answer::Pass,
        (_, 0) => 0,
        (0, _) => FAILURE,
        _ => SOME,
    };
    Answer::Said { code, out, err }
}

fn one(call: &Call, machine: &mut Machine, flags: &[&str], word: &str) -> Answer {
    let path = call.cwd.join(word);
    let path = fs::canonicalize(&path)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned();
    let mounts = mountinfo::list().unwrap_or_default();
    let is = |mount: &&mountinfo::Entry| mount.at == path || mount.source == word;
    let Some(mount) = mounts.iter().rfind(is) else {
        return Answer::of(
            call.real(&call.program.to_string_lossy(), &[flags, &[word]].concat()),
            FAILURE,
        );
    };
    let at = &mount.at;
    let subject = Subject::NoMount {
        at: at.clone(),
        line: format!("umount {}", quoted(at)),
    };
    let gone = || {
        let now = mountinfo::list().unwrap_or_default();
        !now.iter().any(|mount| mount.at == *at)
    };
    match machine.mounted.get(at) {
        // What lies below it is not its own, so it can only go as a whole.
        Some(Made::Shown | Made::Empty) => match umount2(at.as_str(), MntFlags::MNT_DETACH) {
            Ok(()) => {
                machine.mounted.remove(at);
                machine.changes.undo(&subject);
                Answer::ok()
            }
            Err(error) => fails(at, error.desc()),
        },
        Some(Made::There) => {
            machine.mounted.remove(at);
            machine.changes.undo(&subject);
            Answer::ok()
        }
        Some(Made::Real) => {
            let output = call.real(&call.program.to_string_lossy(), &[flags, &[word]].concat());
            if gone() {
                machine.mounted.remove(at);
                machine.changes.undo(&subject);
            }
            Answer::of(output, FAILURE)
        }
        // The chroot's own, which the machine has not.
        None if at == TMP && !is_known(machine, at) => Answer::of(
            call.real(&call.program.to_string_lossy(), &[flags, &[word]].concat()),
            FAILURE,
        ),
        None if IN_USE.contains(&at.as_str()) => fails(at, "target is busy"),
        None => {
            let output = call.real(&call.program.to_string_lossy(), &[flags, &[word]].concat());
            // Somebody uses it, or a program of the image has mounted it by itself.
            if output
                .as_ref()
                .is_ok_and(|output| output.status.success() || is_busy(output))
                || gone()
            {
                return Answer::of(output, FAILURE);
            }
            match machine.note_change(&call.line(), subject) {
                Ok(()) => Answer::ok(),
                Err(refused) => refused,
            }
        }
    }
}

/// Whether a boot mounts something there.
fn is_known(machine: &Machine, at: &str) -> bool {
    let root = machine.files_root();
    root.is_some_and(|root| Files::read(&root).mounts(at).is_some())
}

/// In what language it says so is the caller's, but Ansible's tasks have it in this one.
fn is_busy(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("busy")
}

fn fails(at: &str, why: &str) -> Answer {
    Answer::fails(FAILURE, format!("umount: {at}: {why}.\n"))
}
