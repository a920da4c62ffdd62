//! A rule, in the form in which `iptables-save` writes it.

use super::extension::Part;

/// A rule. Two that mean the same are equal, however they were typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Where packets come from, as an address with its mask.
    pub source: Maybe,
    /// Where they go.
    pub destination: Maybe,
    /// The interface that they come in by.
    pub input: Maybe,
    /// The one that they leave by.
    pub output: Maybe,
    /// Their protocol.
    pub protocol: Maybe,
    /// Second and later fragments: whether those, or all others.
    pub fragment: Option<bool>,
    /// The matches, in the order in which they were typed.
    pub matches: Vec<Part>,
    /// What becomes of the packets.
    pub target: Option<Target>,
}

/// A value, empty where there is none, and whether it is negated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maybe {
    /// Whether `!` is in front of it.
    pub not: bool,
    /// The value.
    pub value: String,
}

/// Where a rule leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is `-g` and not `-j`.
    pub goto: bool,
    /// Its name and options; a chain has none.
    pub part: Part,
}

impl Maybe {
    /// The value, unless it is negated.
    pub fn sure(&self) -> Option<&str> {
        (!self.not && !self.value.is_empty()).then_some(&self.value)
    }

    fn saved(&self, option: &str) -> String {
        match (self.value.as_str(), self.not) {
            ("", _) => String::new(),
            (value, false) => format!(" {option} {value}"),
            (value, true) => format!(" ! {option} {value}"),
        }
    }
}

impl Rule {
    /// What it says of packets, each option with a space in front.
    pub fn saved_matches(&self) -> String {
        let mut saved = self.source.saved("-s")
            + &self.destination.saved("-d")
            + &self.input.saved("-i")
            + &self.output.saved("-o")
            + &self.protocol.saved("-p");
        saved += match self.fragment {
            None => "",
            Some(true) => " -f",
            Some(false) => " ! -f",
        };
        for part in &self.matches {
            saved += &format!(" -m {}{}", part.name, part.saved());
        }
        saved
    }

    /// Where it leads, with a space in front.
    pub fn saved_target(&self) -> String {
        match &self.target {
            None => String::new(),
            Some(Target { goto: true, part }) => format!(" -g {}", part.name),
            Some(Target { part, .. }) => format!(" -j {}{}", part.name, part.saved()),
        }
    }

    /// All of it, behind `-A CHAIN`.
    pub fn saved(&self) -> String {
        self.saved_matches() + &self.saved_target()
    }

    /// The chain or target that it leads to.
    pub fn leads_to(&self) -> Option<&str> {
        self.target.as_ref().map(|target| target.part.name.as_str())
    }
}
