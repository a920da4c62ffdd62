//! What a check found. All that it quotes is a stranger's: it is shortened, and holds nothing that moves a terminal's cursor.

use serde::{Deserialize, Serialize};

use super::Name;

/// How long a quoted text may be, in characters.
const MAX_TEXT: usize = 240;

/// How many faults a check tells of.
const MAX_FAULTS: usize = 12;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing to complain of.
    Passed,
    /// This is known to leave a Pi hanging, or does what nobody wants.
    Failed,
    /// It cannot be known; `saw` has the reason.
    Unknown,
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: Name,
    /// How it ended.
    pub verdict: Verdict,
    /// What it saw.
    pub saw: String,
    /// The file, and its line where there is one.
    pub place: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// A check takes notes here.
#[derive(Debug)]
pub struct Notes {
    check: Name,
    findings: Vec<Finding>,
    more: usize,
    fine: Vec<String>,
}

impl Notes {
    /// For one check.
    pub fn new(check: Name) -> Self {
        Notes {
            check,
            findings: Vec::new(),
            more: 0,
            fine: Vec::new(),
        }
    }

    /// A fault, where it is, and what to do.
    pub fn fail(&mut self, saw: impl AsRef<str>, place: impl AsRef<str>, hint: impl AsRef<str>) {
        self.add(
            Verdict::Failed,
            saw.as_ref(),
            Some(place.as_ref()),
            Some(hint.as_ref()),
        );
    }

    /// Something cannot be known, with the reason.
    pub fn unknown(&mut self, saw: impl AsRef<str>) {
        self.add(Verdict::Unknown, saw.as_ref(), None, None);
    }

    /// What is told if there is no fault. What is the same for several boards is told once.
    pub fn fine(&mut self, saw: impl AsRef<str>) {
        let saw = shown(saw.as_ref());
        if !self.fine.contains(&saw) {
            self.fine.push(saw);
        }
    }

    fn add(&mut self, verdict: Verdict, saw: &str, place: Option<&str>, hint: Option<&str>) {
        let finding = Finding {
            check: self.check,
            verdict,
            saw: shown(saw),
            place: place.filter(|place| !place.is_empty()).map(shown),
            hint: hint.map(shown),
        };
        if self.findings.contains(&finding) {
            return;
        }
        match self.findings.len() < MAX_FAULTS {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }

    /// What came of it: at least one finding.
    pub fn end(mut self) -> Vec<Finding> {
        if self.findings.is_empty() {
            let saw = self.fine.join("; ");
            self.add(Verdict::Passed, &saw, None, None);
        }
        if self.more > 0 {
            let last = self.findings.len() - 1;
            let saw = &mut self.findings[last].saw;
            *saw = format!("{saw}; and {} more like it", self.more);
        }
        self.findings
    }
}

/// A text as it may be shown.
pub fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let plain = |c: char| match c.is_control() || is_invisible(c) {
        true => '?',
        false => c,
    };
    let mut short: String = chars.by_ref().take(MAX_TEXT).map(plain).collect();
    if chars.next().is_some() {
        short.push_str("...");
    }
    short
}

/// What turns the direction of writing, or has no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_short_and_plain() {
        assert_eq!(shown("a\u{1b}[2Jb\u{202e}"), "a?[2Jb?");
        assert_eq!(shown(&"ä".repeat(1000)).chars().count(), MAX_TEXT + 3);
    }

    #[test]
    fn a_check_always_ends_with_a_finding_and_never_with_too_many() {
        let mut notes = Notes::new(Name::Kernel);
        notes.fine("this");
        notes.fine("this");
        notes.fine("that");
        assert_eq!(notes.end()[0].saw, "this; that");
        let mut notes = Notes::new(Name::Kernel);
        for number in 0..100 {
            notes.fail(number.to_string(), "", "mend it");
            notes.fail(number.to_string(), "", "mend it");
        }
        let findings = notes.end();
        assert_eq!(findings.len(), MAX_FAULTS);
        assert!(
            findings[MAX_FAULTS - 1]
                .saw
                .ends_with("and 176 more like it")
        );
    }
}
