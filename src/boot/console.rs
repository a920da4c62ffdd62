//! What the console of a booting machine shows, and whether it is what is waited for.

use std::{collections::VecDeque, mem};

use regex::Regex;

use crate::error::{Error, Result};

/// The longest line that is looked at, in bytes; what is longer is taken for several.
const MAX_LINE: usize = 4096;
/// How many of the last lines are kept.
const LAST: usize = 20;

/// What a machine says that will not come up.
const HOPELESS: [&str; 5] = [
    "Kernel panic - not syncing",
    "You are in emergency mode",
    "Cannot open access to console, the root account is locked",
    "dracut: Refusing to continue",
    "ALERT!  ",
];

/// What is waited for.
#[derive(Debug, Clone)]
pub enum Until {
    /// A prompt for a user's name.
    Login,
    /// An answer of the machine's SSH server.
    Ssh,
    /// A line that matches.
    Line(Regex),
}

impl Until {
    /// As the user says it.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] where it is no regular expression.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "login" => Ok(Until::Login),
            "ssh" => Ok(Until::Ssh),
            "" => Err(Error::usage("--until is empty")
                .hint("write login, ssh, or a regular expression that a line of the console matches")),
            text => Regex::new(text).map(Until::Line).map_err(|error| {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim();
                let why = why.strip_prefix("error: ").unwrap_or(why);
                Error::usage(format!("--until {text} is no regular expression: {why}")).hint(
                    "write a backslash before a character that is meant as it is, and put it all into single quotes",
                )
            }),
        }
    }

    fn is_in(&self, line: &str) -> bool {
        match self {
            // `Last login:` has more behind it.
            Until::Login => line.trim_end().ends_with("login:"),
            Until::Ssh => false,
            Until::Line(regex) => regex.is_match(line),
        }
    }
}

/// What the console has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What is waited for.
    It,
    /// A sign that it will not come.
    Hopeless(String),
}

/// Reads a console.
#[derive(Debug)]
pub struct Console {
    until: Option<Until>,
    /// The line that is not complete.
    line: Vec<u8>,
    escape: Escape,
    last: VecDeque<String>,
    seen: Option<Seen>,
}

/// Where in a sequence for terminals it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    Not,
    Begun,
    /// Control sequences, such as colours.
    Control,
    /// Texts for the terminal, such as its title.
    Text,
    TextEnds,
}

impl Console {
    /// Waits for what is `until`.
    pub fn new(until: Option<Until>) -> Self {
        Console {
            until,
            line: Vec::new(),
            escape: Escape::Not,
            last: VecDeque::new(),
            seen: None,
        }
    }

    /// Takes more of it; the lines that are complete now.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match (self.escape, byte) {
                (Escape::Not, 0x1b) => self.escape = Escape::Begun,
                (Escape::Not, b'\n') => lines.extend(self.end_line()),
                (Escape::Not, b'\r') => {}
                (Escape::Not, byte) => {
                    self.line.push(*byte);
                    if self.line.len() >= MAX_LINE {
                        lines.extend(self.end_line());
                    }
                }
                (Escape::Begun, b'[') => self.escape = Escape::Control,
                (Escape::Begun, b']' | b'P' | b'^' | b'_') => self.escape = Escape::Text,
                (Escape::Begun, 0x20..=0x2f) => {}
                (Escape::Control, 0x20..=0x3f) => {}
                (Escape::Text, 0x1b) => self.escape = Escape::TextEnds,
                // A text without an end would swallow all that follows.
                (Escape::Text, b'\n') => {
                    self.escape = Escape::Not;
                    lines.extend(self.end_line());
                }
                (Escape::Text, byte) if *byte != 0x07 => {}
                _ => self.escape = Escape::Not,
            }
        }
        // A prompt has no end of a line.
        let open = String::from_utf8_lossy(&self.line).into_owned();
        self.look(&open);
        lines
    }

    /// What it has come to, if it has.
    pub fn seen(&self) -> Option<&Seen> {
        self.seen.as_ref()
    }

    /// The last lines, with the one that is not complete.
    pub fn last(&self) -> String {
        let open = String::from_utf8_lossy(&self.line).into_owned();
        let lines = self.last.iter().cloned();
        let lines = lines.chain(Some(open).filter(|line| !line.trim().is_empty()));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn end_line(&mut self) -> Option<String> {
        let line = mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.look(&line);
        if line.is_empty() {
            return None;
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        Some(line)
    }

    fn look(&mut self, line: &str) {
        if self.seen == Some(Seen::It) {
            return;
        }
        if self.until.as_ref().is_some_and(|until| until.is_in(line)) {
            self.seen = Some(Seen::It);
        } else if self.seen.is_none() {
            let sign = HOPELESS.iter().find(|sign| line.contains(**sign));
            self.seen = sign.map(|_| Seen::Hopeless(line.trim().to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(until: &str, pieces: &[&str]) -> Option<Seen> {
        let mut console = Console::new(Some(Until::parse(until).unwrap()));
        for piece in pieces {
            console.take(piece.as_bytes());
        }
        console.seen().cloned()
    }

    #[test]
    fn a_prompt_is_seen_before_its_line_ends() {
        assert_eq!(
            after("login", &["Debian 12 mypi ttyAMA0\r\n\r\nmypi lo", "gin: "]),
            Some(Seen::It)
        );
        assert_eq!(
            after("login", &["Last login: Sat Nov 28 on tty1\r\n"]),
            None
        );
        assert_eq!(
            after("login", &["\x1b[?2004hmypi login:\x1b[0m "]),
            Some(Seen::It)
        );
    }

    #[test]
    fn lines_are_matched_without_colours() {
        let line =
            "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mgraphical.target\x1b[0m.\r\n";
        assert_eq!(
            after(r"OK  \] Reached target g\w+\.target", &[line]),
            Some(Seen::It)
        );
        assert_eq!(after("graphical", &["\x1b]0;graphical\x07none\n"]), None);
        assert_eq!(after("shown", &["\x1b]0;no end\nshown\n"]), Some(Seen::It));
    }

    #[test]
    fn a_panic_ends_the_wait_unless_it_is_waited_for() {
        let panic = "[    3.5] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
        assert!(
            matches!(after("login", &[panic]), Some(Seen::Hopeless(line)) if line.contains("VFS"))
        );
        assert_eq!(after("Kernel panic", &[panic]), Some(Seen::It));
    }

    #[test]
    fn a_bad_expression_is_said_to_be_one() {
        let error = Until::parse("a(b").unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Usage);
        assert!(error.to_string().contains("unclosed group"), "{error}");
        assert!(Until::parse("").is_err());
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let mut console = Console::new(None);
        for _ in 0..1000 {
            console.take(&[b'x'; 1000]);
        }
        assert!(console.line.len() <= MAX_LINE && console.last.len() == LAST);
        assert!(console.last().len() <= (LAST + 1) * (MAX_LINE + 1));
        console.take(b"\nlast\nopen");
        assert!(console.last().ends_with("\nlast\nopen"));
    }
}
