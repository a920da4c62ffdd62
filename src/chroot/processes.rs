//! The processes of the chroot.

use std::{fs, io};

/// One that is still running.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name, which may be anything.
    pub name: String,
    /// The session that it is in.
    pub session: i32,
}

/// Those that there are.
pub fn all() -> Vec<Process> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let running = |entry: io::Result<fs::DirEntry>| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        of(pid)
    };
    processes.filter_map(running).collect()
}

/// The one of this number.
pub fn of(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&stat)
}

/// Whether the process of this number has other mounts or another network than this one: what it does is about those.
pub fn is_elsewhere(pid: i32) -> bool {
    ["mnt", "net"].iter().any(|kind| {
        let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
        let (its, ours) = (namespace(&pid.to_string()), namespace("self"));
        its.zip(ours).is_some_and(|(its, ours)| its != ours)
    })
}

/// PID (NAME) STATE PPID PGRP SESSION ..., proc_pid_stat(5).
fn parse(stat: &str) -> Option<Process> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let (state, session) = (fields.next()?, fields.nth(2)?);
    (state != "Z").then_some(Process {
        name: name.to_owned(),
        session: session.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_rest() {
        let process = parse("7 (a) S 1 (b) S 1 7 6 0 -1").unwrap();
        assert_eq!((process.name.as_str(), process.session), ("a) S 1 (b", 6));
        assert_eq!(parse("7 (gone) Z 1 7 7 0"), None);
        assert_eq!(of(std::process::id() as i32).unwrap().session, own());
    }

    #[test]
    fn a_process_with_our_mounts_is_not_elsewhere() {
        assert!(!is_elsewhere(std::process::id() as i32) && !is_elsewhere(i32::MAX));
    }

    fn own() -> i32 {
        nix::unistd::getsid(None).unwrap().as_raw()
    }
}
