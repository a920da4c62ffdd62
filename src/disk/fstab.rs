//! `/etc/fstab`: see fstab(5).

use serde::{Deserialize, Serialize};

/// Only so much of the file is looked at; a real one has a few hundred bytes.
pub const MAX_BYTES: usize = 256 << 10;

/// Only so many entries are returned.
pub const MAX_ENTRIES: usize = 1024;

/// What an entry mounts (the first field).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spec {
    /// `LABEL=` or `/dev/disk/by-label/`.
    Label(String),
    /// `UUID=` or `/dev/disk/by-uuid/`.
    Uuid(String),
    /// `PARTUUID=` or `/dev/disk/by-partuuid/`.
    PartUuid(String),
    /// `PARTLABEL=` or `/dev/disk/by-partlabel/`.
    PartLabel(String),
    /// Another path below `/dev`.
    Device(String),
    /// Anything else: `proc`, `server:/path`, a directory to bind.
    Other(String),
}

/// One entry of the file, unescaped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its line, counted from 1.
    pub line: usize,
    /// The first field as it is written.
    pub source: String,
    /// The first field, understood.
    pub spec: Spec,
    /// The mount point, or `none`.
    pub file: String,
    /// The file system type, or `auto`.
    pub fstype: String,
    /// The mount options.
    pub options: Vec<String>,
    /// Whether dump(8) should save it.
    pub freq: u32,
    /// The order of fsck(8); 0 for never.
    pub passno: u32,
}

impl Entry {
    /// Whether `option` is among the options.
    pub fn has_option(&self, option: &str) -> bool {
        self.options.iter().any(|o| o == option)
    }
}

/// The entries of an fstab; comments, empty and unusable lines are left out, as mount(8) does.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end]
        .lines()
        .zip(1..)
        .filter_map(|(text, line)| entry(text, line))
        .take(MAX_ENTRIES)
        .collect()
}

fn entry(text: &str, line: usize) -> Option<Entry> {
    let mut fields = text
        .split([' ', '\t', '\r'])
        .filter(|field| !field.is_empty());
    let source = fields.next().filter(|field| !field.starts_with('#'))?;
    let (file, fstype) = (fields.next()?, fields.next()?);
    if file.starts_with('#') || fstype.starts_with('#') {
        return None;
    }
    // What follows a `#` is a comment only where a whole field begins with it.
    let mut rest = fields.take_while(|field| !field.starts_with('#'));
    let options = rest.next().unwrap_or("defaults");
    let mut number = || {
        rest.next()
            .and_then(|field| field.parse().ok())
            .unwrap_or(0)
    };
    let source = unescape(source);
    Some(Entry {
        line,
        spec: spec(&source),
        source,
        file: unescape(file),
        fstype: unescape(fstype),
        options: options
            .split(',')
            .filter(|o| !o.is_empty())
            .map(unescape)
            .collect(),
        freq: number(),
        passno: number(),
    })
}

fn spec(source: &str) -> Spec {
    type Make = fn(String) -> Spec;
    let makers: [(&str, &str, Make); 4] = [
        ("LABEL", "label", Spec::Label),
        ("UUID", "uuid", Spec::Uuid),
        ("PARTUUID", "partuuid", Spec::PartUuid),
        ("PARTLABEL", "partlabel", Spec::PartLabel),
    ];
    for (tag, folder, make) in makers {
        if let Some(value) = source
            .strip_prefix(tag)
            .and_then(|rest| rest.strip_prefix('='))
        {
            return make(unquote(value));
        }
        let link = source
            .strip_prefix("/dev/disk/by-")
            .and_then(|rest| rest.strip_prefix(folder));
        if let Some(value) = link.and_then(|rest| rest.strip_prefix('/')) {
            return make(unudev(value));
        }
    }
    match source.starts_with("/dev/") {
        true => Spec::Device(source.to_owned()),
        false => Spec::Other(source.to_owned()),
    }
}

fn unquote(value: &str) -> String {
    let inner = ['"', '\'']
        .iter()
        .find_map(|&q| value.strip_prefix(q)?.strip_suffix(q));
    inner.unwrap_or(value).to_owned()
}

/// `\040` and its like: a backslash and three octal digits.
fn unescape(field: &str) -> String {
    decode(field, |bytes| match bytes {
        [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
            Some(((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), 4))
        }
        _ => None,
    })
}

/// udev writes odd characters of a label as `\x20`.
fn unudev(name: &str) -> String {
    decode(name, |bytes| match bytes {
        [b'\\', b'x', a, b, ..] => {
            let hex = |digit: &u8| char::from(*digit).to_digit(16);
            Some(((hex(a)? << 4 | hex(b)?) as u8, 4))
        }
        _ => None,
    })
}

/// Replaces what `escape` recognises at the front of the rest by its byte; it tells how long it was.
fn decode(text: &str, escape: impl Fn(&[u8]) -> Option<(u8, usize)>) -> String {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some(&first) = rest.first() {
        let (byte, length) = escape(rest).unwrap_or((first, 1));
        out.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ubuntu_on_a_pi() {
        let entries = parse(
            "LABEL=writable\t/\text4\tdefaults\t0\t1\n# boot\n\nLABEL=system-boot /boot/firmware vfat defaults 0 1\r\n",
        );
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].spec, Spec::Label("writable".into()));
        assert_eq!((entries[0].passno, entries[1].line), (1, 4));
        assert_eq!(entries[1].file, "/boot/firmware");
    }

    #[test]
    fn escapes_quotes_and_links() {
        let entries = parse(concat!(
            "LABEL=\"my disk\" x\n",
            "LABEL=\"data\" /a\\040b auto nofail,x-systemd.automount # data\n",
            "/dev/disk/by-label/my\\x20disk /c ext4\n",
            "PARTUUID='0a-01' /d vfat ro 1\n",
            "/dev/mmcblk0p1 /e vfat defaults 0 2 tail\n",
            "proc /proc proc\n",
            "incomplete /x\n",
        ));
        let specs: Vec<_> = entries.iter().map(|entry| entry.spec.clone()).collect();
        assert_eq!(specs.len(), 6);
        // A quoted blank is no blank: mount(8) wants \040, and reads `disk" x` as two fields.
        assert_eq!(specs[0], Spec::Label("\"my".into()));
        assert_eq!(specs[1], Spec::Label("data".into()));
        assert_eq!(entries[1].file, "/a b");
        assert!(entries[1].has_option("nofail") && entries[1].options.len() == 2);
        assert_eq!(specs[2], Spec::Label("my disk".into()));
        assert_eq!(specs[3], Spec::PartUuid("0a-01".into()));
        assert_eq!((entries[3].freq, entries[3].passno), (1, 0));
        assert_eq!(specs[4], Spec::Device("/dev/mmcblk0p1".into()));
        assert_eq!(specs[5], Spec::Other("proc".into()));
        assert_eq!(entries[5].options, ["defaults"]);
    }

    #[test]
    fn fuzz_fstab() {
        let text = "# comment\nLABEL=writable / ext4 defaults,discard 0 1\nPARTUUID=1234abcd-01 /boot vfat defaults\n\
            UUID=\"A B\" /a\\040b btrfs subvol=@,nofail 0 0\n/dev/disk/by-label/x /x auto\nproc /proc proc\n";
        let words = [
            "\\040",
            "\\777",
            "\"",
            "'",
            "#",
            "\t",
            "\n",
            "PARTLABEL=",
            "LABEL=",
            ",",
            "nofail",
        ];
        crate::fuzz::run("fstab", &[text.into()], &words, |bytes| {
            let entries = parse(&String::from_utf8_lossy(bytes));
            assert!(entries.len() <= MAX_ENTRIES);
            let kinds = entries
                .iter()
                .map(|entry| std::mem::discriminant(&entry.spec));
            (
                kinds.collect::<Vec<_>>(),
                entries.iter().any(|entry| entry.has_option("nofail")),
            )
        });
    }

    proptest! {
        #[test]
        fn any_text_is_parsed(text in "(\\PC|\\\\|\n|\t| ){0,200}") {
            parse(&text);
        }
    }
}
