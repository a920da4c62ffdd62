//! A run in progress: what it has said so far, its processes, and killing them.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{ended::Ended, processes::descendants};

/// Longest wait for anything: an emulated Ansible module on a busy machine takes seconds.
const LIMIT: Duration = Duration::from_secs(300);

pub struct Live {
    child: Child,
    out: Stream,
    err: Stream,
}

struct Stream {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let shared = text.clone();
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut chunk) {
                let piece = String::from_utf8_lossy(&chunk[..n]);
                shared.lock().unwrap().push_str(&piece);
            }
        });
        Stream {
            text,
            reader: Some(reader),
        }
    }

    fn has(&self, part: &str) -> bool {
        self.text.lock().unwrap().contains(part)
    }
}

impl Live {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pichroot starts");
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Live {
            child,
            out: Stream::read(out),
            err: Stream::read(err),
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Waits until it has printed `part`, on either stream.
    pub fn wait_for_text(&mut self, part: &str) {
        self.wait(part, |live| {
            (live.out.has(part) || live.err.has(part)).then_some(())
        })
    }

    /// Waits until it has a process of this name; the outermost one.
    pub fn wait_for_process(&mut self, name: &str) -> Pid {
        self.wait(name, |live| {
            let found = descendants(live.pid()).into_iter().find(|p| p.is(name));
            found.map(|p| p.pid)
        })
    }

    fn wait<T>(&mut self, what: &str, mut done: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + LIMIT;
        loop {
            if let Some(value) = done(self) {
                return value;
            }
            let ended = self.child.try_wait().unwrap();
            let (out, err) = (
                &self.out.text.lock().unwrap(),
                &self.err.text.lock().unwrap(),
            );
            assert!(ended.is_none(), "ended before {what}: {out}\n{err}");
            assert!(
                std::time::Instant::now() < deadline,
                "no {what}: {out}\n{err}"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = self.child.wait().expect("a child");
        let text = |stream: &mut Stream| {
            // Every process that could write to it is gone, or this hangs and the test fails.
            stream.reader.take().unwrap().join().unwrap();
            std::mem::take(&mut *stream.text.lock().unwrap())
        };
        Ended {
            code: status.code(),
            out: text(&mut self.out),
            err: text(&mut self.err),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Of a test that failed; the kernel ends the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
