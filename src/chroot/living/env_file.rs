//! Files of variables, such as /etc/locale.conf, as systemd reads and writes them (src/basic/env-file.c).

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::machine::Machine;
use crate::sys::inroot::Root;

/// The longest file that is read, in bytes.
const MAX_TEXT: u64 = 64 << 10;
/// What has to be quoted, and of that what has to be escaped, too.
const QUOTED: &str = " \t\n\r\"\\`$*?['()<>|&;!";
const ESCAPED: &str = "\"\\`$";

/// Variables in the order of the file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct EnvFile(Vec<(String, String)>);

impl EnvFile {
    /// The file at `path`, or none.
    pub fn read(machine: &Machine, path: &str) -> Self {
        text(machine, path).map_or_else(Self::default, |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut variables = EnvFile::default();
        for line in text.lines().map(str::trim_start) {
            if let Some((name, value)) = line
                .split_once('=')
                .filter(|_| !line.starts_with(['#', ';']))
            {
                variables.set(name.trim_end(), Some(&unquoted(value.trim())));
            }
        }
        variables
    }

    /// What a variable is, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Gives it a value, where it is or at the end; or takes it away.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let at = self.0.iter().position(|(known, _)| known == name);
        match (at, value) {
            (Some(at), Some(value)) => value.clone_into(&mut self.0[at].1),
            (None, Some(value)) => self.0.push((name.to_owned(), value.to_owned())),
            (Some(at), None) => drop(self.0.remove(at)),
            (None, None) => {}
        }
    }

    /// Writes it to `path`; without a variable there is no file.
    ///
    /// # Errors
    /// Where that cannot be.
    pub fn write(&self, machine: &Machine, path: &str) -> io::Result<()> {
        let lines = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={}\n", quoted(value)));
        match lines.collect::<String>() {
            text if text.is_empty() => remove(machine, path),
            text => replace(machine, path, &text),
        }
    }
}

fn unquoted(value: &str) -> String {
    let quote = value.chars().next().filter(|quote| "\"'".contains(*quote));
    let inner = quote.and_then(|quote| value[1..].strip_suffix(quote));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut plain = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('"'), '\\') => plain.extend(letters.next()),
            _ => plain.push(letter),
        }
    }
    plain
}

fn quoted(value: &str) -> String {
    if !value.contains(|letter| QUOTED.contains(letter)) {
        return value.to_owned();
    }
    let escaped = value.chars().flat_map(|letter| {
        let escape = ESCAPED.contains(letter).then_some('\\');
        escape.into_iter().chain([letter])
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// The text of a file of the image, if it is one.
pub fn text(machine: &Machine, path: &str) -> Option<String> {
    let root = Root::open(&machine.root).ok()?;
    root.read(path.as_ref(), MAX_TEXT).ok()
}

/// Puts a file with this text in the place of what is at `path`, at once. If that is a link, the file is where it leads.
///
/// # Errors
/// Where that cannot be.
pub fn replace(machine: &Machine, path: &str, text: &str) -> io::Result<()> {
    let at = place(machine, path);
    let name = at.file_name().unwrap_or_default().to_string_lossy();
    let part = at.with_file_name(format!(".{name}.pichroot"));
    // One that was left behind, or that somebody has put there.
    let _ = fs::remove_file(&part);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&part)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(PermissionsExt::from_mode(0o644)))
        .and_then(|()| fs::rename(&part, &at));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Where a link at `path` leads to; one that leads nowhere stays what it is.
fn place(machine: &Machine, path: &str) -> PathBuf {
    let at = machine.at(path);
    let Ok(target) = fs::read_link(&at) else {
        return at;
    };
    let beside = Path::new(path)
        .parent()
        .unwrap_or(Path::new("/"))
        .join(target);
    let leads = machine.at(&beside.to_string_lossy());
    match fs::symlink_metadata(&leads) {
        Ok(data) if data.is_file() => leads,
        _ => at,
    }
}

/// Takes a file away, if it is there.
///
/// # Errors
/// Where that cannot be.
pub fn remove(machine: &Machine, path: &str) -> io::Result<()> {
    match fs::remove_file(machine.at(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stay_where_they_are() {
        let mut file = EnvFile::parse("# x\nA=1\n B = \"two \\\"words\\\"\"\nC='$x'\nD=\n");
        assert_eq!(file.get("B"), Some("two \"words\""));
        assert_eq!((file.get("C"), file.get("D")), (Some("$x"), None));
        file.set("A", Some("3"));
        file.set("D", None);
        file.set("E", Some("e"));
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        file.write(&machine, "/file").unwrap();
        let written = text(&machine, "/file").unwrap();
        assert_eq!(written, "A=3\nB=\"two \\\"words\\\"\"\nC=\"\\$x\"\nE=e\n");
        assert_eq!(EnvFile::read(&machine, "/file"), file);
        EnvFile::default().write(&machine, "/file").unwrap();
        assert_eq!(text(&machine, "/file"), None);
    }

    #[test]
    fn a_link_to_a_file_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), true);
        fs::create_dir_all(machine.at("/etc/default")).unwrap();
        fs::write(machine.at("/etc/default/locale"), "").unwrap();
        std::os::unix::fs::symlink("default/locale", machine.at("/etc/locale.conf")).unwrap();
        replace(&machine, "/etc/locale.conf", "LANG=C\n").unwrap();
        assert_eq!(text(&machine, "/etc/default/locale").unwrap(), "LANG=C\n");
        assert!(machine.at("/etc/locale.conf").is_symlink());
    }
}
