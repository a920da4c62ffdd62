//! The only printer: messages and progress on standard error, all of it without secrets.
//!
//! Readable without colour; `NO_COLOR` and pipes are respected. Data for other programs is the one
//! thing that goes to standard output ([`document`], [`table()`]).

mod confirm;
mod first_boot;
mod progress;
mod relay;
mod table;
pub mod words;

pub use relay::relay;
pub use table::{Tone, table};

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};
use secrecy::SecretString;

use crate::{
    error::{Context, Error, Kind, Result},
    event::{Event, Level, Progress, Report, Task},
    secrets::redact::Redactor,
};

// What lines begin with: bold red, bold, bold green and bold yellow.
const ERROR: &str = "\x1b[1;31merror:\x1b[0m ";
const HINT: &str = "\x1b[1mhint:\x1b[0m ";
const STEP: &str = "\x1b[1;32m==>\x1b[0m ";
const WARNING: &str = "\x1b[1;33mwarning:\x1b[0m ";
const DETAIL: &str = "    ";

/// How often it is told how far work is, where no bar shows it.
const EVERY: Duration = Duration::from_secs(30);

/// Shows what happens. One for the whole process.
#[derive(Clone)]
pub struct Ui {
    bars: MultiProgress,
    verbose: bool,
    secrets: Arc<RwLock<Vec<SecretString>>>,
    /// Whether the last word has been said. Threads that a signal left behind say nothing after it.
    ended: Arc<Mutex<bool>>,
}

impl Ui {
    /// With `verbose`, details are shown too.
    pub fn new(verbose: bool) -> Self {
        Ui {
            bars: MultiProgress::new(),
            verbose,
            secrets: Arc::default(),
            ended: Arc::default(),
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
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        *ended = true;
        // Nor is a bar drawn again. A terminal that cannot be written to shows none.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        self.print(ERROR, &error.to_string());
        if let Some(hint) = error.hint_text() {
            self.print(HINT, hint);
        }
    }

    /// What another program has printed to standard error.
    pub fn said(&self, text: &str) {
        for line in text.lines() {
            self.line("", line);
        }
    }

    fn line(&self, prefix: &str, text: &str) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            self.print(prefix, text);
        }
    }

    /// Asks whether to go on; `None` if there is no terminal to ask on.
    ///
    /// # Errors
    /// When the terminal fails.
    pub fn confirm(&self, question: &str) -> Result<Option<bool>> {
        let asked = self.bars.suspend(|| confirm::ask(question));
        asked.context(Kind::Usage, || "cannot ask on the terminal".into())
    }

    /// `text` without secrets, for what is written elsewhere.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut redactor = self.redactor();
        let mut clean = Vec::new();
        redactor.push(text.as_bytes(), &mut clean);
        redactor.finish(&mut clean);
        String::from_utf8_lossy(&clean).into_owned()
    }

    fn print(&self, prefix: &str, text: &str) {
        let text = self.without_secrets(text);
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
        let mut lines = words::of(&event, self.verbose).into_iter();
        if let Some(first) = lines.next() {
            self.line(prefix, &first);
        }
        lines.for_each(|line| self.line(DETAIL, &line));
    }

    fn begin(&self, task: Task, total: Option<u64>) -> Box<dyn Progress> {
        let what = words::of_task(&task);
        self.line(STEP, &what);
        if io::stderr().is_terminal() {
            return Box::new(progress::Bar::show(&self.bars, total));
        }
        let ui = self.clone();
        let tell = move |how_far: &str| ui.line(DETAIL, &format!("{what}: {how_far}"));
        Box::new(progress::Lines::start(total, EVERY, tell))
    }
}

/// `text` without what a terminal would obey: labels, paths and lines of the image are in messages.
fn printable(text: &str) -> Cow<'_, str> {
    shown(text, |c| is_obeyed(c) && c != '\n' && c != '\t')
}

/// What a terminal does rather than shows: control characters, and those that turn the direction of writing, so that a
/// text seems to be another one.
fn is_obeyed(c: char) -> bool {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}'];
    c.is_control()
        || turns.contains(&c)
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with the characters that `hidden` says written as escapes.
fn shown(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

/// Writes `text`, which people are to copy, to standard output.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out
        .write_all(printable(text).as_bytes())
        .and_then(|()| out.flush())
    {
        // Whoever read it has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes `text`, a JSON document for other programs, to standard output. What a terminal would obey is written as
/// JSON's escapes: it is in texts only, and some of it JSON leaves as it is.
pub fn document(text: &str) -> io::Result<()> {
    let escaped: String = text
        .chars()
        .map(|c| match is_obeyed(c) && c != '\n' {
            true => format!("\\u{:04x}", u32::from(c)),
            false => c.to_string(),
        })
        .collect();
    let mut out = io::stdout().lock();
    match writeln!(out, "{escaped}").and_then(|()| out.flush()) {
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
        assert_eq!(printable("gpj.\u{202e}exe"), r"gpj.\u{202e}exe");
    }
}
