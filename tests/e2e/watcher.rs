//! Looks at the arguments and the environment of every process, again and again.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::unistd::Pid;

pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

/// What a watcher saw.
#[derive(Default)]
pub struct Seen {
    /// Every command line.
    pub commands: BTreeSet<String>,
    /// Which text was where.
    pub found: BTreeSet<String>,
}

impl Watcher {
    /// Looks for `texts` in all processes but `own`.
    pub fn start(texts: &'static [&str], own: Pid) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !told.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    let pid = entry.file_name().into_string().unwrap();
                    if pid.bytes().all(|b| b.is_ascii_digit()) && pid != own.to_string() {
                        seen.look_at(&pid, texts);
                    }
                }
                thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        Watcher { stop, thread }
    }

    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watcher")
    }
}

impl Seen {
    fn look_at(&mut self, pid: &str, texts: &[&str]) {
        // It may end between any two of these.
        let read = |what| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        let environment = String::from_utf8_lossy(&read("environ")).into_owned();
        for (what, content) in [("arguments", &command), ("environment", &environment)] {
            for text in texts.iter().filter(|text| content.contains(**text)) {
                self.found
                    .insert(format!("{text} in the {what} of: {command}"));
            }
        }
        self.commands.insert(command);
    }
}
