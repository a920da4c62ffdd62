//! What stands for something else in tmpfiles.d.

use crate::sys::inroot::Root;

/// A file with a name or a number in it has at most so many bytes.
const MAX_BYTES: u64 = 4096;

/// `text` with what is meant; nothing where that shows only when the machine runs.
pub fn expanded(root: &Root, text: &str) -> Option<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        expanded.push_str(&rest[..at]);
        let letter = rest[at + 1..].chars().next()?;
        expanded.push_str(&match letter {
            '%' => "%".to_owned(),
            't' => "/run".into(),
            'S' => "/var/lib".into(),
            'C' => "/var/cache".into(),
            'L' => "/var/log".into(),
            'T' => "/tmp".into(),
            'V' => "/var/tmp".into(),
            'h' => "/root".into(),
            'u' | 'g' => "root".into(),
            'U' | 'G' => "0".into(),
            'm' => line(root, "/etc/machine-id")?,
            'H' | 'l' => line(root, "/etc/hostname")?,
            'b' => line(root, "/proc/sys/kernel/random/boot_id")?.replace('-', ""),
            'o' => of_release(root, "ID")?,
            'w' => of_release(root, "VERSION_ID")?,
            _ => return None,
        });
        rest = &rest[at + 1 + letter.len_utf8()..];
    }
    Some(expanded + rest)
}

fn line(root: &Root, path: &str) -> Option<String> {
    let text = root.read(path.as_ref(), MAX_BYTES).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn of_release(root: &Root, key: &str) -> Option<String> {
    let text = root.read("/etc/os-release".as_ref(), MAX_BYTES).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let found = pairs.into_iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| value.trim_matches('"').to_owned())
}
