//! The text of unit files, as systemd reads it.

/// A file has at most so many settings; a real one has a few dozen.
const MAX_SETTINGS: usize = 4000;

/// The settings of a unit's file and of what is dropped in beside it, in their order.
#[derive(Debug, Clone, Default)]
pub struct Settings(Vec<Setting>);

#[derive(Debug, Clone)]
struct Setting {
    section: String,
    key: String,
    value: String,
}

impl Settings {
    /// Adds those of a file's `text`.
    pub fn add(&mut self, text: &str) {
        let mut section = String::new();
        let mut pending = String::new();
        for line in text.lines() {
            let line = line.trim_start();
            // Also between the lines of one setting.
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(begun) = line.strip_suffix('\\') {
                pending.push_str(begun);
                pending.push(' ');
                continue;
            }
            pending.push_str(line);
            self.line(std::mem::take(&mut pending).trim(), &mut section);
        }
        self.line(pending.trim(), &mut section);
    }

    fn line(&mut self, line: &str, section: &mut String) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            name.clone_into(section);
        } else if let Some((key, value)) = line.split_once('=')
            && self.0.len() < MAX_SETTINGS
        {
            self.0.push(Setting {
                section: section.clone(),
                key: key.trim_end().to_owned(),
                value: value.trim_start().to_owned(),
            });
        }
    }

    /// Adds one setting.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        self.0.push(Setting {
            section: section.into(),
            key: key.into(),
            value: value.into(),
        });
    }

    /// Whether there is such a section with anything in it.
    pub fn has_section(&self, section: &str) -> bool {
        self.0.iter().any(|setting| setting.section == section)
    }

    /// The names of what is set in a section, each once.
    pub fn keys(&self, section: &str) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for setting in self.0.iter().filter(|s| s.section == section) {
            if !keys.contains(&&*setting.key) {
                keys.push(&setting.key);
            }
        }
        keys
    }

    /// What was set last.
    pub fn last(&self, section: &str, key: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .rev()
            .find(|s| s.section == section && s.key == key);
        found
            .map(|setting| &*setting.value)
            .filter(|value| !value.is_empty())
    }

    /// All that was set; an empty value forgets those before it.
    pub fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for setting in self
            .0
            .iter()
            .filter(|s| s.section == section && s.key == key)
        {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push(&*setting.value);
            }
        }
        values
    }

    /// All words of all that was set.
    pub fn words(&self, section: &str, key: &str) -> Vec<&str> {
        let values = self.all(section, key).into_iter();
        values.flat_map(str::split_whitespace).collect()
    }

    /// A setting that is yes or no.
    pub fn flag(&self, section: &str, key: &str) -> Option<bool> {
        match &*self.last(section, key)?.to_ascii_lowercase() {
            "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
            "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_systemd_reads_it() {
        let mut settings = Settings::default();
        settings.add(
            "# first\n[Unit]\nDescription = A  test\nWants=a.service b.service\nWants=c.service\n\n\
             [Service]\nExecStart=/bin/sh -c \\\n; between\n  'x'\nRemainAfterExit=Yes\n=no key\nno value\n",
        );
        settings.add("[Service]\nExecStart=\nExecStart=/bin/true\n[Unit]\nAfter=x\nAfter=");
        assert_eq!(settings.last("Unit", "Description"), Some("A  test"));
        assert_eq!(
            settings.words("Unit", "Wants"),
            ["a.service", "b.service", "c.service"]
        );
        assert_eq!(settings.all("Service", "ExecStart"), ["/bin/true"]);
        assert_eq!(settings.flag("Service", "RemainAfterExit"), Some(true));
        assert_eq!(settings.last("Unit", "After"), None);
        assert_eq!(settings.last("Service", "Wants"), None);
        assert!(settings.has_section("Unit") && !settings.has_section("Install"));
        assert_eq!(settings.keys("Unit"), ["Description", "Wants", "After"]);
        let mut long = Settings::default();
        long.add("[Service]\nExecStart=/bin/sh -c \\\n# no\n  'x'");
        assert_eq!(long.all("Service", "ExecStart"), ["/bin/sh -c  'x'"]);
    }
}
