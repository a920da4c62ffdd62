//! What a call of mount(8) wants.

use crate::{
    chroot::living::tools::options::{Known, Options},
    disk::fstab::{Entry, Spec},
};

/// Its options, as util-linux has them.
pub const KNOWN: Known = Known {
    with_value: &[
        ("fstab", "T"),
        ("label", "L"),
        ("namespace", "N"),
        ("options", "o"),
        ("options-mode", ""),
        ("options-source", ""),
        ("source", ""),
        ("target", ""),
        ("target-prefix", ""),
        ("test-opts", "O"),
        ("types", "t"),
        ("uuid", "U"),
    ],
    plain: &[
        ("all", "a"),
        ("bind", "B"),
        ("fake", "f"),
        ("fork", "F"),
        ("help", "h"),
        ("internal-only", "i"),
        ("make-private", ""),
        ("make-rprivate", ""),
        ("make-rshared", ""),
        ("make-rslave", ""),
        ("make-runbindable", ""),
        ("make-shared", ""),
        ("make-slave", ""),
        ("make-unbindable", ""),
        ("mkdir", "m"),
        ("move", "M"),
        ("no-canonicalize", "c"),
        ("no-mtab", "n"),
        ("onlyonce", ""),
        ("options-source-force", ""),
        ("rbind", "R"),
        ("read-only", "r"),
        ("read-write", "w"),
        ("rw", ""),
        ("show-labels", "l"),
        ("sloppy", "s"),
        ("verbose", "v"),
        ("version", "V"),
    ],
};

/// One mount that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What is to be mounted.
    pub source: Option<String>,
    /// Where.
    pub target: Option<String>,
    /// The type of its file system, if it is named.
    pub kind: Option<String>,
    /// Its options.
    pub options: Vec<String>,
    /// Whether fstab says the rest.
    pub by_fstab: bool,
}

impl Wanted {
    /// What the words and options say. What a single word is, is not known yet.
    pub fn read(options: &Options) -> (Self, Option<String>) {
        let named =
            |tag: &str, name: &str| options.value(name).map(|value| format!("{tag}={value}"));
        let source = named("LABEL", "label")
            .or_else(|| named("UUID", "uuid"))
            .or_else(|| options.value("source").map(str::to_owned));
        let mut list = options
            .list("options")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        for (option, word) in [
            ("bind", "bind"),
            ("rbind", "rbind"),
            ("read-only", "ro"),
            ("read-write", "rw"),
            ("rw", "rw"),
        ] {
            if options.has(option) {
                list.push(word.to_owned());
            }
        }
        let mut wanted = Wanted {
            source,
            target: options.value("target").map(str::to_owned),
            kind: options.value("types").map(str::to_owned),
            options: list,
            by_fstab: false,
        };
        let single = match &options.words[..] {
            [source, target] => {
                wanted.source = Some(source.clone());
                wanted.target = Some(target.clone());
                None
            }
            [target] if wanted.source.is_some() => {
                wanted.target = Some(target.clone());
                None
            }
            [word] => Some(word.clone()),
            _ => None,
        };
        (wanted, single)
    }

    /// What this entry of fstab says, with further options.
    pub fn of(entry: &Entry, options: &[String]) -> Self {
        let all = entry
            .options
            .iter()
            .chain(options)
            .filter(|option| *option != "defaults");
        Wanted {
            source: Some(entry.source.clone()),
            target: Some(entry.file.clone()),
            kind: Some(entry.fstype.clone()),
            options: all.cloned().collect(),
            by_fstab: true,
        }
    }

    /// Whether this option is among them.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|other| other == option)
    }

    /// The option that shows something at a second place, as the program has it.
    pub fn bind(&self) -> Option<&'static str> {
        let of = |name, option| self.has(name).then_some(option);
        of("rbind", "--rbind").or_else(|| of("bind", "--bind"))
    }

    /// Whether what is mounted already is only to be changed.
    pub fn remounts(&self) -> bool {
        self.has("remount")
    }
}

/// Whether this entry of fstab is meant by a word.
pub fn is_meant(entry: &Entry, word: &str) -> bool {
    let same = |tag: &str, value: &str| word == format!("{tag}={value}");
    entry.file == word
        || entry.source == word
        || match &entry.spec {
            Spec::Label(value) => same("LABEL", value),
            Spec::Uuid(value) => same("UUID", value),
            Spec::PartUuid(value) => same("PARTUUID", value),
            Spec::PartLabel(value) => same("PARTLABEL", value),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::fstab;

    fn read(line: &str) -> (Wanted, Option<String>) {
        let words = line
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        Wanted::read(&Options::parse(&KNOWN, &words).unwrap())
    }

    #[test]
    fn words_and_options_say_what_is_mounted_where() {
        let (wanted, single) = read("-t nfs -o rw,hard -o vers=4 srv:/x /mnt -r");
        assert_eq!(single, None);
        assert_eq!(wanted.options, ["rw", "hard", "vers=4", "ro"]);
        let parts = [wanted.source, wanted.target, wanted.kind].map(Option::unwrap);
        assert_eq!(parts, ["srv:/x", "/mnt", "nfs"]);
        let (wanted, single) = read("-o remount,noexec /tmp");
        assert!(wanted.remounts() && single.as_deref() == Some("/tmp"));
        let (wanted, _) = read("-L data /mnt --bind");
        assert_eq!(wanted.source.as_deref(), Some("LABEL=data"));
        assert!(wanted.has("bind"));
    }

    #[test]
    fn a_word_means_an_entry_by_where_or_what() {
        let entries = fstab::parse("LABEL=data /data ext4 defaults,noatime 0 2\n");
        for (word, expected) in [("/data", true), ("LABEL=data", true), ("/dat", false)] {
            assert_eq!(is_meant(&entries[0], word), expected, "{word}");
        }
        let wanted = Wanted::of(&entries[0], &["ro".into()]);
        assert_eq!(wanted.options, ["noatime", "ro"]);
    }
}
