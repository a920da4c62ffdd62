//! tmpfiles.d(5), as far as it makes something below /run and /tmp at a boot.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use super::{
    memory::{Memory, Owner},
    specifiers::expanded,
};
use crate::{chroot::living::accounts::Accounts, sys::inroot::Root};

/// The first before the others.
const FOLDERS: [&str; 4] = [
    "/etc/tmpfiles.d",
    "/run/tmpfiles.d",
    "/usr/local/lib/tmpfiles.d",
    "/usr/lib/tmpfiles.d",
];
const MAX_FILES: usize = 1000;
const MAX_BYTES: u64 = 256 << 10;
const MAX_LINES: usize = 10_000;

/// One line of a file.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    kind: String,
    path: String,
    mode: Option<u32>,
    user: String,
    group: String,
    argument: String,
}

/// Makes what the image's files say.
pub fn apply(root: &Root, memory: &Memory<'_>, accounts: &Accounts) {
    let mut seen = BTreeSet::new();
    let texts = files(root).into_values();
    let texts = texts.map(|path| root.read(path.as_ref(), MAX_BYTES).unwrap_or_default());
    let lines = texts.flat_map(|text| text.lines().filter_map(parse).collect::<Vec<_>>());
    for line in lines.take(MAX_LINES) {
        let Some(path) = expanded(root, &line.path) else {
            continue;
        };
        if !seen.insert((line.kind.clone(), path.clone())) {
            continue;
        }
        // systemd-tmpfiles goes on, too.
        let _ = make(root, memory, accounts, &line, &path);
    }
}

/// The files by their names; of those with the same name only the first.
fn files(root: &Root) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        for name in root.names(folder.as_ref(), MAX_FILES).unwrap_or_default() {
            if name.ends_with(".conf") {
                let path = format!("{folder}/{name}");
                files.entry(name).or_insert(path);
            }
        }
    }
    files
}

fn parse(line: &str) -> Option<Line> {
    let mut rest = line.trim();
    if rest.is_empty() || rest.starts_with('#') {
        return None;
    }
    let mut field = || {
        rest = rest.trim_start();
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        rest = after;
        field.to_owned()
    };
    let (kind, path, mode, user, group, _age) =
        (field(), field(), field(), field(), field(), field());
    // Signs before the mode: only where the file is new, or only what is less than it has.
    let mode = u32::from_str_radix(mode.trim_start_matches([':', '~']), 8).ok();
    let argument = rest.trim();
    Some(Line {
        kind,
        path,
        mode,
        user: user.trim_start_matches(':').to_owned(),
        group: group.trim_start_matches(':').to_owned(),
        argument: argument
            .strip_prefix('"')
            .and_then(|quoted| quoted.strip_suffix('"'))
            .unwrap_or(if argument == "-" { "" } else { argument })
            .to_owned(),
    })
}

fn make(
    root: &Root,
    memory: &Memory<'_>,
    accounts: &Accounts,
    line: &Line,
    path: &str,
) -> io::Result<()> {
    let refused = || io::Error::from(io::ErrorKind::InvalidInput);
    let mut letters = line.kind.chars();
    let kind = letters.next().ok_or_else(refused)?;
    let signs = letters.as_str();
    // A secret of the machine's, or text in another form.
    if signs.contains(['^', '~']) {
        return Ok(());
    }
    let id = |name: &str, of: fn(&Accounts, &str) -> Option<u32>| match name {
        "" | "-" => Ok(None),
        name => of(accounts, name).map(Some).ok_or_else(refused),
    };
    let owner = Owner {
        uid: id(&line.user, Accounts::uid)?,
        gid: id(&line.group, Accounts::gid)?,
    };
    let anew = signs.contains('+');
    let argument = || expanded(root, &line.argument).ok_or_else(refused);
    match kind {
        'd' | 'D' | 'v' | 'q' | 'Q' => memory.folder(path, line.mode.unwrap_or(0o755), owner),
        'e' | 'z' | 'Z' => memory.adjust(path, line.mode, owner),
        'f' | 'F' => {
            let text = argument()?;
            memory.file(
                path,
                &text,
                anew || kind == 'F',
                line.mode.unwrap_or(0o644),
                owner,
            )
        }
        'L' => {
            let to = argument()?;
            if signs.contains('?') && root.locate(to.as_ref()).is_err() {
                return Ok(());
            }
            memory.link(path, &to, anew)
        }
        'p' => memory.pipe(path, line.mode.unwrap_or(0o644), owner),
        // To write into, copy, clean or remove something is for what runs.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_fields_that_may_be_left_out_or_quoted() {
        let line = parse("d\t/run/a  ~2750 root - 10d").unwrap();
        assert_eq!(
            (&*line.kind, &*line.path, line.mode),
            ("d", "/run/a", Some(0o2750))
        );
        assert_eq!(
            (&*line.user, &*line.group, &*line.argument),
            ("root", "-", "")
        );
        let line = parse("f+! \"/run/a b\" - - - - \"some text\"").unwrap();
        assert_eq!(
            (&*line.kind, &*line.path, line.mode),
            ("f+!", "/run/a b", None)
        );
        assert_eq!(line.argument, "some text");
        assert_eq!(
            parse("L /run/shm - - - - /dev/shm").unwrap().argument,
            "/dev/shm"
        );
        assert_eq!(parse("# no"), None);
        assert_eq!(parse("  "), None);
        assert_eq!(parse("D /run/sudo 0711 root root").unwrap().group, "root");
    }
}
