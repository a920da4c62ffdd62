//! The only printer: messages and progress on standard error, all of it without secrets.
//!
//! Readable without colour; `NO_COLOR` and pipes are respected. Data for other programs is the one
//! thing that goes to standard output ([`document`], [`table()`]).

mod relay;
mod table;
pub mod words;

pub use relay::relay;
pub use table::{Tone, table};

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    sync::{Arc, RwLock},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use secrecy::SecretString;

use crate::{
    error::Error,
    event::{Event, Level, Progress, Report, Silent, Task},
    secrets::redact::Redactor,
};

// What lines begin with: bold red, bold, bold green and bold yellow.
const ERROR: &str = "\x1b[1;31merror:\x1b[0m ";
const HINT: &str = "\x1b[1mhint:\x1b[0m ";
const STEP: &str = "\x1b[1;32m==>\x1b[0m ";
const WARNING: &str = "\x1b[1;33mwarning:\x1b[0m ";
const DETAIL: &str = "    ";

/// Shows what happens. One for the whole process.
#[derive(Clone)]
pub struct Ui {
    bars: MultiProgress,
    verbose: bool,
    secrets: Arc<RwLock<Vec<SecretString>>>,
}

impl Ui {
    /// With `verbose`, details are shown too.
    pub fn new(verbose: bool) -> Self {
        Ui {
            bars: MultiProgress::new(),
            verbose,
            secrets: Arc::default(),
        }
    }

    /// From now on none of `secrets` is shown.
    pub fn keep_secret(&self, secrets: impl IntoIterator<Item = SecretString>) {
        self.secrets
            .write()
            .expect("no panic while locked")
            .extend(secrets);
    }

    /// A redactor for another stream with the same secrets.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.read().expect("no panic while locked").iter())
    }

    /// The end of a run that failed: what happened, and what to do.
    pub fn error(&self, error: &Error) {
        self.line(ERROR, &error.to_string());
        if let Some(hint) = error.hint_text() {
            self.line(HINT, hint);
        }
    }

    /// What another program has printed to standard error.
    pub fn said(&self, text: &str) {
        for line in text.lines() {
            self.line("", line);
        }
    }

    fn line(&self, prefix: &str, text: &str) {
        let mut redactor = self.redactor();
        let mut clean = Vec::new();
        redactor.push(text.as_bytes(), &mut clean);
        redactor.finish(&mut clean);
        let text = String::from_utf8_lossy(&clean);
        let shown = format!("{prefix}{}\n", printable(&text));
        // Standard error may be closed; the exit code still tells.
        self.bars.suspend(|| {
            let _ = AutoStream::new(io::stderr(), ColorChoice::Auto).write_all(shown.as_bytes());
        });
    }
}

impl Report for Ui {
    fn tell(&self, event: Event) {
        let prefix = match event.level() {
            Level::Step => STEP,
            Level::Warning => WARNING,
            Level::Detail if self.verbose => DETAIL,
            Level::Detail => return,
        };
        if let Some(text) = words::of(&event, self.verbose) {
            self.line(prefix, &text);
        }
    }

    fn begin(&self, task: Task, total: Option<u64>) -> Box<dyn Progress> {
        self.line(STEP, &words::of_task(&task));
        if !io::stderr().is_terminal() {
            return Box::new(Silent);
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let shape = match total {
            Some(_) => "    {bar:30} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}",
            None => "    {spinner} {bytes} {bytes_per_sec}",
        };
        bar.set_style(ProgressStyle::with_template(shape).expect("the template is a constant"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Box::new(Bar(self.bars.add(bar)))
    }
}

/// `text` without what a terminal would obey: labels, paths and lines of the image are in messages.
fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(obeyed) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Writes `text`, a document for other programs, to standard output.
pub fn document(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever read it has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_not_done() {
        assert_eq!(printable("a \u{e9}\n\tb"), "a \u{e9}\n\tb");
        assert_eq!(
            printable("\x1b]0;x\x07 \r\u{9b}2J"),
            r"\u{1b}]0;x\u{7} \r\u{9b}2J"
        );
    }
}
