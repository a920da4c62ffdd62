//! One unit, as its files say.

use super::{
    name::{self, Kind},
    settings::Settings,
};

/// One unit.
#[derive(Debug)]
pub struct Unit {
    /// The name that it really has.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it can be started.
    pub load: Load,
    /// Its file.
    pub fragment: Option<String>,
    /// What systemd would make that file of at a boot: an init script, fstab.
    pub source: Option<String>,
    /// The files that are dropped in beside it.
    pub drop_ins: Vec<String>,
    /// What all of them say.
    pub settings: Settings,
}

/// Whether a unit can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// It can.
    Loaded,
    /// There is none.
    NotFound,
    /// Somebody has seen to it that it cannot.
    Masked,
    /// Its file is none that systemd would take.
    Bad,
}

impl Load {
    /// systemd's word.
    pub fn word(self) -> &'static str {
        match self {
            Load::Loaded => "loaded",
            Load::NotFound => "not-found",
            Load::Masked => "masked",
            Load::Bad => "bad-setting",
        }
    }
}

impl Unit {
    /// A setting of its own section.
    pub fn own(&self, key: &str) -> Option<&str> {
        self.settings.last(self.kind.section(), key)
    }

    /// A yes or no of its own section; what is not said is no.
    pub fn is(&self, key: &str) -> bool {
        self.settings.flag(self.kind.section(), key) == Some(true)
    }

    /// A yes or no that all units have.
    pub fn general(&self, key: &str, otherwise: bool) -> bool {
        self.settings.flag("Unit", key).unwrap_or(otherwise)
    }

    /// The `Type=` of a service.
    pub fn service_type(&self) -> &str {
        let starts = !self.settings.all("Service", "ExecStart").is_empty();
        self.own("Type").unwrap_or_else(|| {
            if self.own("BusName").is_some() {
                "dbus"
            } else if starts {
                "simple"
            } else {
                "oneshot"
            }
        })
    }

    /// Whether there is still something when it has started: a job that has ended leaves nothing.
    pub fn stays(&self) -> bool {
        self.kind != Kind::Service || self.service_type() != "oneshot" || self.is("RemainAfterExit")
    }

    /// systemd's word for what it does while it is active.
    pub fn active_word(&self) -> &'static str {
        match self.kind {
            Kind::Service if self.service_type() == "oneshot" => "exited",
            // An init script whose process systemd does not know.
            Kind::Service if self.service_type() == "forking" && self.is("RemainAfterExit") => {
                "exited"
            }
            Kind::Service | Kind::Scope => "running",
            Kind::Socket => "listening",
            Kind::Timer | Kind::Path | Kind::Automount => "waiting",
            Kind::Mount => "mounted",
            Kind::Device => "plugged",
            Kind::Target | Kind::Slice | Kind::Swap => "active",
        }
    }

    /// The unit that a timer, a socket or a path starts.
    pub fn triggers(&self) -> Option<String> {
        let key = match self.kind {
            Kind::Timer | Kind::Path => "Unit",
            Kind::Socket => "Service",
            Kind::Automount => return Some(self.id.replace(".automount", ".mount")),
            _ => return None,
        };
        let stem = self.id.strip_suffix(self.kind.suffix())?;
        match self.own(key) {
            Some(unit) => Some(self.expanded(unit)),
            // A service for each connection.
            None if self.is("Accept") => None,
            None => Some(format!("{stem}service")),
        }
    }

    /// What people read about it.
    pub fn description(&self) -> String {
        match self.settings.last("Unit", "Description") {
            Some(text) => self.expanded(text),
            None => self.id.clone(),
        }
    }

    /// Units named in a setting of all units.
    pub fn units(&self, key: &str) -> Vec<String> {
        let words = self.settings.words("Unit", key).into_iter();
        let names = words.map(|word| self.expanded(word));
        names.filter(|name| name::is_valid(name)).collect()
    }

    /// `text` with what stands for parts of the unit's name; the rest of what begins with `%` stays.
    pub fn expanded(&self, text: &str) -> String {
        let stem = self.id.rsplit_once('.').map_or("", |(stem, _)| stem);
        let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            expanded.push_str(&rest[..at]);
            let letter = rest[at + 1..].chars().next();
            match letter {
                Some('%') => expanded.push('%'),
                Some('i') => expanded.push_str(instance),
                Some('I') => expanded.push_str(&name::unescape(instance)),
                Some('n') => expanded.push_str(&self.id),
                Some('N') => expanded.push_str(stem),
                Some('p') => expanded.push_str(prefix),
                Some('j') => expanded.push_str(prefix.rsplit('-').next().unwrap_or_default()),
                Some('t') => expanded.push_str("/run"),
                Some(other) => expanded.extend(['%', other]),
                None => expanded.push('%'),
            }
            rest = &rest[at + 1 + letter.map_or(0, char::len_utf8)..];
        }
        expanded + rest
    }

    /// Whether systemd would take the file.
    pub fn is_sound(&self) -> bool {
        let set = |key| !self.settings.all(self.kind.section(), key).is_empty();
        match self.kind {
            Kind::Service if !set("ExecStart") => {
                let ends = set("ExecStop") || self.settings.last("Unit", "SuccessAction").is_some();
                self.service_type() == "oneshot" && ends
            }
            Kind::Service => {
                self.service_type() == "oneshot"
                    || self.settings.all("Service", "ExecStart").len() == 1
            }
            Kind::Socket => self
                .settings
                .keys("Socket")
                .iter()
                .any(|key| key.starts_with("Listen")),
            Kind::Timer => self
                .settings
                .keys("Timer")
                .iter()
                .any(|key| key.starts_with("On")),
            Kind::Mount => set("What"),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str, text: &str) -> Unit {
        let mut settings = Settings::default();
        settings.add(text);
        Unit {
            id: id.into(),
            kind: Kind::of(id).unwrap(),
            load: Load::Loaded,
            fragment: None,
            source: None,
            drop_ins: Vec::new(),
            settings,
        }
    }

    #[test]
    fn names_are_put_into_settings() {
        let unit = unit(
            "a-b@x\\x2dy-z.service",
            "[Unit]\nDescription=%p of %i %I %n %% %q%",
        );
        let text = "a-b of x\\x2dy-z x-y/z a-b@x\\x2dy-z.service % %q%";
        assert_eq!(unit.description(), text);
    }

    #[test]
    fn only_a_job_that_has_ended_leaves_nothing() {
        let stays = |text: &str| unit("a.service", &format!("[Service]\n{text}")).stays();
        assert!(stays("ExecStart=/bin/x") && stays("BusName=a.b"));
        assert!(!stays("Type=oneshot\nExecStart=/bin/x"));
        assert!(stays("Type=oneshot\nExecStart=/bin/x\nRemainAfterExit=yes"));
    }

    #[test]
    fn a_file_that_systemd_would_not_take_is_known() {
        let sound = |id: &str, text: &str| unit(id, text).is_sound();
        assert!(sound("a.service", "[Service]\nExecStart=/bin/x"));
        assert!(!sound("a.service", "[Service]\nRestart=always"));
        assert!(!sound(
            "a.service",
            "[Service]\nExecStart=/bin/x\nExecStart=/bin/y"
        ));
        assert!(sound(
            "a.service",
            "[Service]\nType=oneshot\nExecStop=/bin/x"
        ));
        assert!(!sound("a.timer", "[Unit]\n") && sound("a.timer", "[Timer]\nOnBootSec=1"));
        assert!(!sound("a.socket", "") && sound("a.target", ""));
    }

    #[test]
    fn what_is_triggered_has_the_same_name_or_its_own() {
        let triggers = |id: &str, text: &str| unit(id, text).triggers();
        assert_eq!(triggers("a.timer", ""), Some("a.service".into()));
        assert_eq!(
            triggers("a.timer", "[Timer]\nUnit=b.service"),
            Some("b.service".into())
        );
        assert_eq!(triggers("a.socket", "[Socket]\nAccept=yes"), None);
        assert_eq!(triggers("a.service", ""), None);
    }
}
