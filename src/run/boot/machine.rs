//! QEMU while it runs.

use std::{
    io,
    os::{fd::AsRawFd, unix::net::UnixStream},
    process::Stdio,
};

use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};

use super::{monitor, prepare::Prepared, ssh};
use crate::{
    boot::{
        console::{Console, Seen, Until},
        qemu,
    },
    error::{Context, Error, Kind, Result},
    event::{Event, Report},
    sys::{
        command,
        run_as::{self, Account},
    },
    ui::Ui,
};

/// How much of what QEMU complains of is kept, in bytes.
const MAX_COMPLAINT: usize = 4096;

/// What becomes of a machine that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It starts again, with what it has written.
    Reboot,
    /// It was switched off.
    Off,
}

/// A machine. Dropped, it is switched off as by pulling the plug.
pub struct Running {
    child: Child,
    /// The console, where it is not the user's.
    output: Option<ChildStdout>,
    console: Console,
    monitor: JoinHandle<Option<String>>,
    complaint: JoinHandle<String>,
}

impl Running {
    /// Switches it on.
    pub fn start(
        prepared: &Prepared,
        account: &Account,
        on_terminal: bool,
        ui: &Ui,
    ) -> Result<Self> {
        let program = &prepared.program;
        let failed = || format!("cannot run {}", program.display());
        let (ours, theirs) = UnixStream::pair().context(Kind::Host, failed)?;
        let console = match on_terminal {
            true => qemu::Console::Terminal,
            false => qemu::Console::Output,
        };
        let arguments = prepared.arguments(theirs.as_raw_fd(), console);
        ui.tell(Event::Running(command::shell_line(program, &arguments)));
        let mut command = std::process::Command::new(program);
        command
            .args(&arguments)
            .env_clear()
            .env("PATH", command::search_path())
            .current_dir("/")
            .stderr(Stdio::piped());
        if !on_terminal {
            command.stdin(Stdio::null()).stdout(Stdio::piped());
        }
        let mut lent = prepared.lent();
        lent.push(theirs.as_raw_fd());
        run_as::prepare(&mut command, account, lent, true);
        let mut command = Command::from(command);
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .context(Kind::Host, failed)?;
        let complaint = child.stderr.take().expect("it is piped");
        Ok(Running {
            output: child.stdout.take(),
            child,
            console: Console::new(prepared.until.clone()),
            monitor: monitor::listen(ours).context(Kind::Host, failed)?,
            complaint: tokio::spawn(last_words(complaint)),
        })
    }

    /// The error with what the console showed last.
    pub fn with_console(&self, error: Error) -> Error {
        let last = self.console.last();
        let kind = error.kind();
        match last.is_empty() {
            true => Error::new(kind, format!("{error}; its console showed nothing")),
            false => Error::new(kind, format!("{error}; its console showed last:\n{last}")),
        }
    }

    /// Waits for its end, and for what becomes of it.
    ///
    /// # Errors
    /// [`Kind::Host`] where QEMU has failed.
    pub async fn end(&mut self, ui: &Ui) -> Result<Turn> {
        while self.hear(ui).await? {}
        self.turn().await
    }

    /// Waits for what is `until`; `None` if it has come.
    ///
    /// # Errors
    /// As [`Running::end`]; [`Kind::Image`] for a sign that it will not come.
    pub async fn until_seen(&mut self, until: &Until, port: u16, ui: &Ui) -> Result<Option<Turn>> {
        let answer = ssh::answers(port);
        tokio::pin!(answer);
        loop {
            match self.console.seen() {
                Some(Seen::It) => return Ok(None),
                Some(Seen::Hopeless(line)) => {
                    let what = format!("the machine does not come up: {line}");
                    return Err(self
                        .with_console(Error::image(what))
                        .hint("what it said last is above; -v shows all of it"));
                }
                None => {}
            }
            tokio::select! {
                () = &mut answer, if matches!(until, Until::Ssh) => return Ok(None),
                more = self.hear(ui) => if !more? {
                    return self.turn().await.map(Some);
                },
            }
        }
    }

    /// What `work` comes to, which needs the machine.
    ///
    /// # Errors
    /// As [`Running::end`]; [`Kind::Image`] where the machine ends before.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>, ui: &Ui) -> Result<T> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                more = self.hear(ui) => if !more? {
                    let what = match self.turn().await? {
                        Turn::Reboot => "the machine rebooted while the playbook ran, and is not started again",
                        Turn::Off => "the machine switched itself off while the playbook ran",
                    };
                    return Err(self.with_console(Error::image(what))
                        .hint("leave reboots out of the playbook; what the machine said last is above"));
                },
            }
        }
    }

    /// Takes more of the console; whether there may be still more. Can be cancelled.
    async fn hear(&mut self, ui: &Ui) -> Result<bool> {
        let Some(output) = &mut self.output else {
            let ended = self.child.wait().await;
            return ended
                .map(|_| false)
                .context(Kind::Host, || "cannot wait for QEMU".into());
        };
        let mut bytes = [0; 4096];
        // Read in one step, so that nothing is lost where this is cancelled.
        let count = output.read(&mut bytes).await;
        let count = count.context(Kind::Host, || "cannot read the console".into())?;
        for line in self.console.take(&bytes[..count]) {
            ui.tell(Event::Console(line));
        }
        Ok(count > 0)
    }

    async fn turn(&mut self) -> Result<Turn> {
        let ended = self.child.wait().await;
        let ended = ended.context(Kind::Host, || "cannot wait for QEMU".into())?;
        let reason = (&mut self.monitor).await.ok().flatten();
        let complaint = (&mut self.complaint).await.unwrap_or_default();
        match reason.as_deref() {
            Some("guest-reset") => Ok(Turn::Reboot),
            Some(_) if ended.success() => Ok(Turn::Off),
            _ => {
                let said = complaint.trim();
                Err(Error::host(format!("QEMU ended with {ended}: {said}"))
                    .hint("-v shows its command line; a newer QEMU may help"))
            }
        }
    }
}

/// All that comes, up to a limit.
async fn last_words(mut from: tokio::process::ChildStderr) -> String {
    let mut said = Vec::new();
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        said.extend_from_slice(&bytes[..count]);
        said.drain(..said.len().saturating_sub(MAX_COMPLAINT));
    }
    String::from_utf8_lossy(&said).into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is killed is gone when the next begins, and at our end.
        let killed: io::Result<()> = self.child.start_kill();
        if killed.is_ok()
            && let Some(pid) = self.child.id()
        {
            let pid = nix::unistd::Pid::from_raw(pid as i32);
            let _ = nix::sys::wait::waitpid(pid, None);
        }
    }
}
