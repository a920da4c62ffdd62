//! What a wrong word, or the name of a file that is not there, was meant to be: for hints.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// How many names of a folder are looked at.
const LIMIT: usize = 4096;

/// The word of `known` nearest to `word`, unless all are too far to be what was meant.
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 3;
    known
        .iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The file beside `missing` whose name is most like its name, or is that name with an extension.
pub fn file(missing: &Path) -> Option<PathBuf> {
    let wanted = missing.file_name()?.to_str()?;
    let folder = match missing.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let entries = fs::read_dir(folder).ok()?.flatten().take(LIMIT);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    let extended = names.iter().find(|name| {
        let rest = name.strip_prefix(wanted);
        rest.is_some_and(|rest| rest.starts_with('.'))
    });
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let found = extended.map_or_else(|| nearest(wanted, &names), |name| Some(name.as_str()))?;
    let path = missing.with_file_name(found);
    path.is_file().then_some(path)
}

/// The hint for the file `missing`: what was meant, as far as that can be told, else `other`.
pub fn hint(missing: &Path, other: &str) -> String {
    match file(missing) {
        // What is there is meant, and something else is wrong with it.
        Some(path) if !missing.exists() => format!("did you mean {}?", path.display()),
        _ => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_find_theirs() {
        let known = ["source", "checksum", "output", "layout"];
        assert_eq!(nearest("soruce", &known), Some("source"));
        assert_eq!(nearest("chekcsum", &known), Some("checksum"));
        assert_eq!(nearest("ouput", &known), Some("output"));
        assert_eq!(nearest("grow", &known), None);
    }

    #[test]
    fn misspelt_files_find_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("site.yml"), "").unwrap();
        fs::write(path("hosts"), "").unwrap();
        fs::create_dir(path("roles")).unwrap();
        for (wrong, meant) in [
            ("stie.yml", Some("site.yml")),
            ("site.yaml", Some("site.yml")),
            ("site", Some("site.yml")),
            ("host", Some("hosts")),
            ("role", None),
            ("else.img", None),
            ("none/site.yml", None),
        ] {
            assert_eq!(file(&path(wrong)), meant.map(path), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.json");
        fs::write(&path, "").unwrap();
        assert_eq!(hint(&path, "x"), "x");
        let missing = dir.path().join("lost.json");
        assert!(hint(&missing, "x").ends_with("list.json?"));
    }
}
