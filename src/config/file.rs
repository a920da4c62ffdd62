//! pichroot.yml, as it is written.

use std::{collections::BTreeMap, fmt, fs, marker::PhantomData, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::{
    choice::{Beside, Emulation, Executor, FirstBoot, Live, Network, OnError, Shortcuts},
    yaml,
};
use crate::{
    ansible::json::Vars,
    disk::layout,
    error::{Context, Error, Kind, Result},
    finish::imager::Entry,
    nearest::nearest,
    publish::rbd::Replaced,
    secrets::{Source, source::check_name},
    shape::new::Declared,
};

/// The name of the file that is read where it exists in the working directory.
pub const NAME: &str = "pichroot.yml";

/// What pichroot.yml may hold. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The image and the output.
    pub image: Image,
    /// What becomes of the image at the end.
    pub finish: Finish,
    /// Where machines boot it from.
    pub publish: Publish,
    /// How Ansible is run.
    pub ansible: Ansible,
    /// Variables for the playbook, of the lowest precedence.
    #[serde(deserialize_with = "vars")]
    pub vars: Vars,
    /// Secrets by variable name, in the file's order.
    pub secrets: Entries<SecretEntry>,
    /// As `--network`.
    pub network: Option<Network>,
    /// As `--emulation`.
    pub emulation: Option<Emulation>,
    /// As `--executor`.
    pub executor: Option<Executor>,
    /// As `--on-error`.
    pub on_error: Option<OnError>,
    /// As `--live`.
    pub live: Option<Live>,
    /// As `--first-boot`.
    pub first_boot: Option<FirstBoot>,
    /// Those that `--no-shortcut` names are `false`.
    pub shortcuts: Shortcuts,
}

/// The section `image`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// As `--image`.
    pub source: Option<String>,
    /// As `--checksum`; of `source`, so not used with another `--image`.
    pub checksum: Option<String>,
    /// As `--keyring` and `--signature`; of `source`, too.
    pub signature: Option<Signature>,
    /// As `--catalogue`.
    pub catalogues: Vec<String>,
    /// The image that is made of `source`, which is then an archive or a folder.
    pub new: Option<Declared>,
    /// As `--grow`.
    #[serde(deserialize_with = "size")]
    pub grow: Option<String>,
    /// Paths of the outputs, in which `{NAME}` stands for the value of a variable.
    pub output: OneOrMore,
    /// Mount points by partition number, counted from 1, where detection would be wrong.
    pub layout: Option<BTreeMap<u32, layout::GivenEntry>>,
}

/// Who must have signed the image, or its checksum file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// As `--keyring`.
    pub keyring: String,
    /// As `--signature`.
    pub file: Option<String>,
}

/// The section `finish`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Finish {
    /// As `--shrink`: whether, or with which margin.
    pub shrink: Option<Shrink>,
    /// As `--with`.
    pub with: Vec<Beside>,
    /// What the list for Raspberry Pi Imager says.
    pub imager: Entry,
}

/// The section `publish`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// As `--tftp`.
    pub tftp: Option<String>,
    /// As `--nfs-root`; for machines with `hn_root: nfs`.
    pub nfs_root: Option<String>,
    /// As `--rbd`, in which `{NAME}` stands for the value of a variable; for machines without `hn_root: nfs`.
    pub rbd: Option<String>,
    /// How the cluster is reached.
    pub ceph: Cluster,
    /// As `--key`.
    pub key: Option<SecretEntry>,
    /// As `--keep`.
    pub keep: Option<usize>,
    /// What becomes of the block device before.
    pub replaced: Option<Replaced>,
    /// As `--no-check`, in addition to those.
    pub no_check: Vec<String>,
}

/// `publish.ceph`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// As `--ceph-conf`.
    pub conf: Option<String>,
    /// As `--ceph-user`.
    pub user: Option<String>,
}

/// Whether an image is made small, and with how much to spare.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "shrink has to be true, false, or what is to stay free, such as 200M"
)]
pub enum Shrink {
    /// With the usual margin, or not at all.
    Wanted(bool),
    /// With this margin.
    Margin(String),
}

/// A text, or a list of them.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged, expecting = "output has to be a path, or a list of paths")]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several, or none.
    More(Vec<String>),
    /// Nothing.
    #[default]
    None,
}

impl OneOrMore {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            OneOrMore::One(text) => std::slice::from_ref(text),
            OneOrMore::More(all) => all,
            OneOrMore::None => &[],
        }
    }
}

/// The section `ansible`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ansible {
    /// As `--user`.
    pub user: Option<String>,
    /// Further arguments for ansible-playbook, before those of the command line.
    pub args: Vec<String>,
    /// As `--inventory`.
    pub inventory: Vec<String>,
    /// The machine's name, in which `{NAME}` stands for the value of a variable.
    pub host_name: Option<String>,
    /// The ansible-playbook to run: a path, or a name looked up in `PATH`.
    pub command: Option<String>,
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Kind::Usage`], with the path, line and key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .context(Kind::Usage, || format!("cannot read {}", path.display()))
            .map_err(|error| error.hint("name a readable file with --config"))?;
        File::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(nothing) {
            return Ok(File::default());
        }
        serde_yaml::from_str(text).map_err(|error| explain(&error, path))
    }
}

/// The parser's error with the place in front, and a hint where a key is unknown.
fn explain(error: &serde_yaml::Error, path: &Path) -> Error {
    let mut text = error.to_string();
    let mut place = path.display().to_string();
    if let Some(location) = error.location() {
        place = format!("{place}:{}", location.line());
        if let Some(at) = text.find(" at line ") {
            text.truncate(at);
        }
    }
    let unknown = text
        .split_once("unknown field `")
        .and_then(|(before, rest)| {
            let (key, rest) = rest.split_once('`')?;
            let known: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
            Some((before.to_owned(), key.to_owned(), known))
        });
    match unknown {
        Some((before, key, known)) => {
            let section = before.trim_end_matches(": ").replace(": ", ".");
            let full = if section.is_empty() {
                key.clone()
            } else {
                format!("{section}.{key}")
            };
            let hint = match nearest(&key, &known) {
                Some(word) => format!("did you mean {word}?"),
                None => format!("known keys here are {}", known.join(", ")),
            };
            Error::usage(format!("{place}: unknown key {full}")).hint(hint)
        }
        None => Error::usage(format!("{place}: {}", without_value(&text)))
            .hint("the manual's page on pichroot.yml lists its keys and their values"),
    }
}

/// `invalid type: string "hunter2", expected a mapping` without what was found: someone may have
/// written a secret in the wrong place.
fn without_value(text: &str) -> String {
    let parts = text
        .split_once("invalid type: ")
        .and_then(|(before, rest)| Some((before, rest.rsplit_once(", expected ")?)));
    match parts {
        Some((before, (found, expected))) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default();
            format!("{before}this is a {}, not {expected}", kind.trim_end())
        }
        None => text.to_owned(),
    }
}

/// A mapping in the order of the file; a key given twice is an error.
#[derive(Debug)]
pub struct Entries<T>(pub Vec<(String, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries: Vec<(String, T)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    check_name(&key).map_err(A::Error::custom)?;
                    if entries.iter().any(|(known, _)| *known == key) {
                        return Err(A::Error::custom(format!("{key} is there twice")));
                    }
                    let value = map
                        .next_value()
                        .map_err(|error| A::Error::custom(format!("{key}: {error}")))?;
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }

            fn visit_unit<E>(self) -> Result<Entries<T>, E> {
                Ok(Entries::default())
            }
        }

        deserializer.deserialize_any(Pairs(PhantomData))
    }
}

/// Where one secret is: `{env: VAR}`, `{file: PATH}`, `{cmd: COMMAND}`, `{vault: PATH, field: NAME}`
/// or `prompt`.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretEntry(pub Source);

impl<'de> Deserialize<'de> for SecretEntry {
    /// By hand, as the derived errors would repeat a secret written where its source belongs.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const KEYS: &[&str] = &["env", "file", "cmd", "vault", "field", "prompt"];
        let forms = "a secret is {env: VAR}, {file: PATH}, {cmd: COMMAND}, {vault: PATH, field: NAME} or prompt";
        let value = serde_yaml::Value::deserialize(deserializer)?;
        if value.as_str() == Some("prompt") {
            return Ok(SecretEntry(Source::Prompt));
        }
        let map = value.as_mapping().ok_or_else(|| D::Error::custom(forms))?;
        let mut parts = Vec::new();
        for (key, value) in map {
            let key = key.as_str().ok_or_else(|| D::Error::custom(forms))?;
            if !KEYS.contains(&key) {
                return Err(D::Error::unknown_field(key, KEYS));
            }
            let text = match value {
                serde_yaml::Value::String(text) if !text.is_empty() => text.clone(),
                serde_yaml::Value::Bool(true) if key == "prompt" => String::new(),
                _ => return Err(D::Error::custom(forms)),
            };
            parts.push((key, text));
        }
        parts.sort_unstable();
        let source = match parts.as_slice() {
            [("env", name)] => Source::Env(name.clone()),
            [("file", path)] => Source::File(path.into()),
            [("cmd", line)] => Source::Command(line.clone()),
            [("prompt", text)] if text.is_empty() => Source::Prompt,
            [("field", field), ("vault", path)] => Source::Vault {
                path: path.trim_matches('/').to_owned(),
                field: field.clone(),
            },
            _ => return Err(D::Error::custom(forms)),
        };
        Ok(SecretEntry(source))
    }
}

/// A size, which may be a plain number.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde_yaml::Value::{Null, Number, String};
    match serde_yaml::Value::deserialize(deserializer)? {
        Null => Ok(None),
        String(text) => Ok(Some(text)),
        Number(number) => Ok(Some(number.to_string())),
        _ => Err(D::Error::custom("grow has to be a size, such as 8G or +1G")),
    }
}

fn vars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vars, D::Error> {
    let value = serde_yaml::Value::deserialize(deserializer)?;
    match yaml::to_json(value) {
        Ok(serde_json::Value::Object(map)) => Ok(map),
        Ok(serde_json::Value::Null) => Ok(Vars::new()),
        Ok(_) => Err(D::Error::custom("vars has to be a mapping")),
        Err(what) => Err(D::Error::custom(format!("vars holds {what}"))),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
