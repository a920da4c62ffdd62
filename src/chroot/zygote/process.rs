//! One zygote: starting it, teaching it, and having it fork.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, OwnedFd},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex as Turns, oneshot};

use super::{
    command::{SUCCESS, Start},
    depends::{DependsOn, State},
    library::Library,
    payload::Payload,
};
use crate::{
    chroot::protocol::Warm,
    sys::{
        children::{Children, Ending},
        memory,
        packets::{self, Packets},
        process,
    },
};

/// What the image's Python runs.
const PROGRAM: &str = concat!(include_str!("rehearsal.py"), include_str!("zygote.py"));
/// How long an interpreter, or sudo, may take to start: far more than it does on a slow machine.
const START: Duration = Duration::from_secs(30);

/// A running zygote. It ends when this is dropped, its modules go on.
#[derive(Debug)]
pub struct Zygote {
    shared: Arc<Shared>,
    /// One order at a time, so that what it has learnt is known when it is to run something.
    library: Turns<Library>,
    pid: Pid,
    depends: DependsOn,
    state: State,
}

#[derive(Debug)]
struct Shared {
    packets: Packets,
    children: Children,
    alive: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    starting: BTreeMap<u64, oneshot::Sender<Running>>,
    running: BTreeMap<u64, Pid>,
    learning: Option<oneshot::Sender<BTreeSet<String>>>,
}

/// A module's process and its end.
pub type Running = (Pid, oneshot::Receiver<Ending>);

/// What a zygote says; of the image's making, so nothing is to be believed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Hello(DependsOn),
    Started { id: u64, pid: i32 },
    Ended { id: u64, code: i32, signal: i32 },
    Learnt { loaded: BTreeSet<String> },
}

impl Zygote {
    /// Starts one as the line says, with this environment.
    pub async fn start(
        start: &Start,
        environment: &[(String, String)],
        children: &Children,
    ) -> io::Result<Zygote> {
        let (packets, theirs) = packets::pair()?;
        let program = memory::sealed("pichroot-zygote", PROGRAM.as_bytes())?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &format!("exec {}", start.line)])
            .env_clear()
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .current_dir("/")
            .stdin(program)
            .stdout(theirs)
            .stderr(Stdio::null());
        process::in_new_session(&mut command, false);
        let child = command.spawn()?;
        drop(command);
        let pid = Pid::from_raw(child.id() as i32);
        let depends = match tokio::time::timeout(START, greeting(&packets, start)).await {
            Ok(Ok(depends)) => depends,
            failed => {
                let _ = killpg(pid, Signal::SIGKILL);
                return Err(match failed {
                    Ok(Err(error)) => error,
                    _ => io::ErrorKind::TimedOut.into(),
                });
            }
        };
        let shared = Arc::new(Shared {
            packets,
            children: children.clone(),
            alive: AtomicBool::new(true),
            waiting: Mutex::default(),
        });
        let listening = shared.clone();
        tokio::spawn(async move { listening.listen().await });
        let state = State::of(&depends, start);
        Ok(Zygote {
            shared,
            library: Turns::default(),
            pid,
            depends,
            state,
        })
    }

    /// Whether it would be the same if it were started now.
    pub fn is_fresh(&self, start: &Start) -> bool {
        self.shared.alive.load(Ordering::Relaxed) && self.state == State::of(&self.depends, start)
    }

    /// Whether it has the library that a payload comes with, or none.
    pub async fn suits(&self, payload: &Payload) -> bool {
        self.library.lock().await.absent(payload).is_some()
    }

    /// Runs a module with these streams: standard output and error. `None`: it was not started, and
    /// will not be.
    pub async fn run(
        &self,
        payload: &Payload,
        start: &Start,
        streams: &[OwnedFd],
    ) -> Option<Running> {
        let library = self.library.lock().await;
        let absent = library.absent(payload)?;
        let lean = payload.lean(|name| library.has(name))?;
        let text = memory::sealed("module", &lean.text).ok()?;
        let (sender, mut receiver) = oneshot::channel();
        let id = self.shared.waiting(|waiting| {
            waiting.next += 1;
            waiting.starting.insert(waiting.next, sender);
            waiting.next
        });
        let order = json!({"run": {
            "id": id, "parts": lean.parts, "absent": absent, "say": start.say,
            "environment": start.environment.iter().cloned().collect::<BTreeMap<_, _>>(),
        }});
        let mut fds = vec![text.as_raw_fd()];
        fds.extend(streams.iter().map(AsRawFd::as_raw_fd));
        if self.shared.packets.send(&order, &fds).await.is_err() {
            // Too long, or it is gone.
            self.shared.waiting(|waiting| waiting.starting.remove(&id));
            return None;
        }
        match tokio::time::timeout(START, &mut receiver).await {
            Ok(started) => started.ok(),
            Err(_) => {
                // What has not begun when nobody holds the socket any more does not begin.
                let _ = killpg(self.pid, Signal::SIGKILL);
                receiver.await.ok()
            }
        }
    }

    /// Has it learn what is new in a payload, for the next module.
    pub async fn learn(&self, payload: &Payload) -> Option<()> {
        let mut library = self.library.lock().await;
        let new = library.new_in(payload);
        if new.is_empty() {
            return Some(());
        }
        let texts = payload.sources(new.iter().copied())?;
        let (mut file, mut offset) = (memory::create("library").ok()?, 0);
        let (mut shared, mut modules, mut import) = (Vec::new(), Vec::new(), Vec::new());
        for (member, text) in new.iter().zip(&texts) {
            file.write_all(text).ok()?;
            if member.is_shared() {
                shared.push(json!([member.name, member.package, offset, text.len(), 0]));
                import.push(member.name.as_str());
            } else {
                modules.push(json!([offset, text.len()]));
            }
            offset += text.len();
        }
        memory::seal(&file).ok()?;
        let first = import.contains(&"ansible.module_utils.basic");
        let loaded = self
            .teach(&file, json!(shared), json!(modules), &import, first)
            .await?;
        let offered = new.iter().map(|m| (m.name.as_str(), m.crc));
        library.learnt(offered, &loaded, false);
        Some(())
    }

    /// Has it import from a library that is at hand before any module comes; in steps, between
    /// which a module can be started.
    pub async fn warm(&self, warm: &Warm, file: &File) -> Option<()> {
        let sources = warm.library.iter();
        let sources = sources.map(|s| json!([s.name, s.package, s.offset, s.length, s.cached]));
        let mut sources = json!(sources.collect::<Vec<_>>());
        // The last one rehearses, which every module after it gains from.
        for step in warm.import.iter().map(Vec::as_slice).chain([&[][..]]) {
            let mut library = self.library.lock().await;
            let import = step.iter().map(String::as_str).collect::<Vec<_>>();
            let rehearse = step.is_empty();
            let loaded = self
                .teach(file, sources, json!([]), &import, rehearse)
                .await?;
            let offered = warm.library.iter().map(|s| (s.name.as_str(), s.crc));
            library.learnt(offered, &loaded, true);
            // It keeps them.
            sources = json!([]);
        }
        Some(())
    }

    async fn teach(
        &self,
        file: &File,
        library: serde_json::Value,
        modules: serde_json::Value,
        import: &[&str],
        rehearse: bool,
    ) -> Option<BTreeSet<String>> {
        let (sender, receiver) = oneshot::channel();
        self.shared
            .waiting(|waiting| waiting.learning = Some(sender));
        let order = json!({"learn": {
            "library": library, "modules": modules, "import": import, "rehearse": rehearse,
        }});
        let fds = [file.as_raw_fd()];
        self.shared.packets.send(&order, &fds).await.ok()?;
        receiver.await.ok()
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // What sudo has started may be in another group than sudo.
        self.shared.packets.shut_down();
        // Its own process group: the modules have groups of theirs.
        let _ = killpg(self.pid, Signal::SIGKILL);
    }
}

impl Shared {
    /// Until the zygote ends.
    async fn listen(&self) {
        while let Ok(Some(said)) = self.packets.receive::<Said>().await {
            self.hear(said);
        }
        self.alive.store(false, Ordering::Relaxed);
        // Who waits for a start or a lesson finds the other end gone. Modules that run become our
        // children; one that is gone was reaped by the zygote, which could not tell any more how it ended.
        for pid in self.waiting(std::mem::take).running.into_values() {
            if kill(pid, None) == Err(Errno::ESRCH) {
                self.children
                    .reaped_elsewhere(pid, Ending::Signal(Signal::SIGKILL as i32));
            }
        }
    }

    fn hear(&self, said: Said) {
        self.waiting(|waiting| match said {
            Said::Hello(_) => {}
            Said::Started { id, pid } => {
                // Nothing that killpg takes for more than one group, or for ours.
                let pid = Pid::from_raw(pid.max(2));
                if let Some(starting) = waiting.starting.remove(&id) {
                    waiting.running.insert(id, pid);
                    let _ = starting.send((pid, self.children.ending_of(pid)));
                }
            }
            Said::Ended { id, code, signal } => {
                // It was ended before it began: then it is run without us.
                waiting.starting.remove(&id);
                if let Some(pid) = waiting.running.remove(&id) {
                    let ending = match signal {
                        0 => Ending::Code(code),
                        number => Ending::Signal(number),
                    };
                    self.children.reaped_elsewhere(pid, ending);
                }
            }
            Said::Learnt { loaded } => {
                if let Some(learning) = waiting.learning.take() {
                    let _ = learning.send(loaded);
                }
            }
        });
    }

    fn waiting<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().expect("no panic while locked"))
    }
}

/// Waits until the interpreter says what it depends on.
async fn greeting(packets: &Packets, start: &Start) -> io::Result<DependsOn> {
    loop {
        let packet = packets.receive_bytes().await?;
        let packet = packet.ok_or(io::ErrorKind::UnexpectedEof)?;
        if start.say.is_some() && packet == format!("{SUCCESS}\n").as_bytes() {
            continue;
        }
        return match serde_json::from_slice(&packet)? {
            Said::Hello(depends) => Ok(depends),
            _ => Err(io::ErrorKind::InvalidData.into()),
        };
    }
}
