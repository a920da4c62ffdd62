//! The signals that end a run.

use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use crate::error::{Context, Error, Kind, Result};

/// SIGINT, SIGTERM and SIGHUP, as events of the main flow.
pub struct Signals {
    listeners: [(Signal, Listener); 3],
}

impl Signals {
    /// Takes these signals over from now on.
    pub fn listen() -> Result<Self> {
        let on = |number: Signal| {
            let listener = signal(SignalKind::from_raw(number as i32))
                .context(Kind::Other, || format!("cannot listen for {number}"))?;
            Ok::<_, Error>((number, listener))
        };
        Ok(Signals {
            listeners: [
                on(Signal::SIGINT)?,
                on(Signal::SIGTERM)?,
                on(Signal::SIGHUP)?,
            ],
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        let [(int, a), (term, b), (hup, c)] = &mut self.listeners;
        tokio::select! {
            _ = a.recv() => *int,
            _ = b.recv() => *term,
            _ = c.recv() => *hup,
        }
    }

    /// What `work` comes to; a signal is an error, and drops it.
    pub async fn until<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            number = self.next() => Err(interrupted(number)),
        }
    }

    /// Runs `work` on a thread of its own and returns what it does; a signal is an error, and leaves
    /// `work` to end with the process.
    pub async fn during<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        tokio::select! {
            done = tokio::task::spawn_blocking(work) => {
                done.context(Kind::Other, || "a worker thread panicked".into())?
            }
            number = self.next() => Err(interrupted(number)),
        }
    }
}

/// The error for a run that a signal ended.
pub fn interrupted(number: Signal) -> Error {
    Error::new(Kind::Signal(number as i32), format!("stopped by {number}"))
}

/// Runs the main flow of a subcommand on this thread: the stage ends with the thread that started
/// it. Threads that still work when it ends, after a signal, are left behind.
pub fn block_on<T>(flow: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(Kind::Other, || "cannot start the runtime".into())?;
    let done = runtime.block_on(flow);
    runtime.shutdown_background();
    done
}
