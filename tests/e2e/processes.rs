//! The processes of a run.

use std::{collections::VecDeque, fs};

use nix::unistd::Pid;

/// One process of a run.
pub struct Process {
    pub pid: Pid,
    /// Its arguments, the program's name first.
    pub argv: Vec<String>,
}

impl Process {
    /// Whether this is its name; scripts are named second, after their interpreter.
    pub fn is(&self, name: &str) -> bool {
        let base = |arg: &String| arg.rsplit('/').next() == Some(name);
        self.argv.iter().take(2).any(base)
    }
}

/// What `top` started, the nearest first.
pub fn descendants(top: Pid) -> Vec<Process> {
    let all: Vec<(Pid, Pid)> = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state, parent.
            let parent = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()?;
            Some((Pid::from_raw(pid), Pid::from_raw(parent)))
        })
        .collect();
    let (mut found, mut queue) = (Vec::new(), VecDeque::from([top]));
    while let Some(next) = queue.pop_front() {
        for (pid, _) in all.iter().filter(|(_, parent)| *parent == next) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            let argv = line.trim_end_matches('\0').split('\0').map(str::to_owned);
            found.push(Process {
                pid: *pid,
                argv: argv.collect(),
            });
            queue.push_back(*pid);
        }
    }
    found
}
