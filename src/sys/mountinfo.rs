//! What is mounted where, as this process' namespace has it.

use std::{
    fs::File,
    io::{self, Read},
};

use super::mount::unescape;

/// The most that is read: a namespace may have 100,000 mounts.
const MAX_BYTES: u64 = 32 << 20;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, without links.
    pub at: String,
    /// Its own options, such as `ro` and `noexec`.
    pub options: Vec<String>,
    /// The type of its file system.
    pub kind: String,
    /// What is mounted.
    pub source: String,
}

/// All of them. What comes later lies above.
///
/// # Errors
/// When they cannot be read.
pub fn list() -> io::Result<Vec<Entry>> {
    let mut text = Vec::new();
    let file = File::open("/proc/thread-self/mountinfo")?;
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text
        .split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect())
}

/// Number, parent, device, root, mount point, options, tags, a hyphen, type, source, options of the file system: proc(5).
fn parse(line: &[u8]) -> Option<Entry> {
    let fields = line.split(|byte| *byte == b' ').collect::<Vec<_>>();
    let text = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
    let hyphen = fields.iter().position(|field| *field == b"-")?;
    Some(Entry {
        at: text(fields.get(4)?),
        options: text(fields.get(5)?).split(',').map(str::to_owned).collect(),
        kind: text(fields.get(hyphen + 1)?),
        source: text(fields.get(hyphen + 2)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_has_its_fields() {
        let line = b"36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let entry = Entry {
            at: "/mnt/a b".into(),
            options: vec!["rw".into(), "noatime".into()],
            kind: "ext3".into(),
            source: "/dev/root".into(),
        };
        assert_eq!(parse(line), Some(entry));
        assert_eq!(parse(b"36 35"), None);
        assert!(list().unwrap().iter().any(|entry| entry.at == "/proc"));
    }
}
