//! Files with `[sections]` and `key=value`, as GLib writes them.

/// A file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyfile {
    sections: Vec<(String, Vec<(String, String)>)>,
}

impl Keyfile {
    /// Reads a file; lines that are none of it are left out.
    pub fn parse(text: &str) -> Self {
        let mut sections: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for line in text.lines() {
            let line = line.trim_start();
            let section = line
                .strip_prefix('[')
                .and_then(|rest| rest.trim_end().strip_suffix(']'));
            match (section, line.split_once('='), sections.last_mut()) {
                _ if line.starts_with('#') => {}
                (Some(name), ..) => sections.push((name.to_owned(), Vec::new())),
                (None, Some((key, value)), Some((_, keys))) => {
                    keys.push((key.trim_end().to_owned(), value.trim_start().to_owned()));
                }
                _ => {}
            }
        }
        Keyfile { sections }
    }

    /// The names of its sections.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|(name, _)| name.as_str())
    }

    /// What is in a section, in order.
    pub fn keys<'a>(&'a self, section: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let found = self.sections.iter().find(|(name, _)| name == section);
        let keys = found.map(|(_, keys)| keys.as_slice()).unwrap_or_default();
        keys.iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A value as it is written.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.keys(section)
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// A value as it is meant.
    pub fn text(&self, section: &str, key: &str) -> Option<String> {
        self.get(section, key).map(unescaped)
    }

    /// The values of a list.
    pub fn list(&self, section: &str, key: &str) -> Vec<String> {
        let value = self.get(section, key).unwrap_or_default();
        let parts = value
            .split([';', ','])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(unescaped).collect()
    }
}

/// A value without its escapes.
pub fn unescaped(value: &str) -> String {
    let mut out = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('s') => out.push(' '),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_as_they_are_meant() {
        let file = Keyfile::parse(
            "# by hand\n[connection]\nid=my \\sName\n[ipv4]\ndns=8.8.8.8;1.1.1.1;\n[ipv4x]\ndns=0\n",
        );
        assert_eq!(file.text("connection", "id").unwrap(), "my  Name");
        assert_eq!(file.list("ipv4", "dns"), ["8.8.8.8", "1.1.1.1"]);
        assert_eq!(file.get("ipv6", "dns"), None);
        assert_eq!(
            file.sections().collect::<Vec<_>>(),
            ["connection", "ipv4", "ipv4x"]
        );
    }
}
