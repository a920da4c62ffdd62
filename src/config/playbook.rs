//! Finds the playbook.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};

/// The playbook `given` means: a path from `cwd`, else a name in ./playbooks, else in the playbooks
/// of `data_dir`; the extension .yml may be left out of a name.
///
/// # Errors
/// [`Kind::Usage`] when there is none, with the places looked at, or it cannot be read.
pub fn find(given: &Path, cwd: &Path, data_dir: Option<&Path>) -> Result<PathBuf> {
    let mut candidates = vec![cwd.join(given)];
    let is_name = given.components().count() == 1 && given.is_relative();
    if is_name {
        let folders = [Some(cwd), data_dir];
        for folder in folders.into_iter().flatten() {
            let path = folder.join("playbooks").join(given);
            candidates.push(path.clone());
            if given.extension().is_none() {
                candidates.push(path.with_extension("yml"));
            }
        }
    }
    candidates.dedup();
    let Some(found) = candidates.iter().find(|path| path.is_file()) else {
        return Err(missing(given, &candidates));
    };
    std::fs::File::open(found)
        .context(Kind::Usage, || format!("cannot read {}", found.display()))
        .map_err(|error| error.hint("make the playbook readable for this user"))?;
    Ok(found.clone())
}

fn missing(given: &Path, candidates: &[PathBuf]) -> Error {
    let places: Vec<_> = candidates.iter().map(|p| p.display().to_string()).collect();
    Error::usage(format!(
        "there is no playbook {}: looked for {}",
        given.display(),
        places.join(", ")
    ))
    .hint("give the playbook's path, or the name of one in ./playbooks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn path_then_own_then_installed() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, data) = (folder.path().join("cwd"), folder.path().join("data"));
        let write = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        write(data.join("playbooks/a.yml"));
        write(cwd.join("playbooks/b.yml"));
        let find = |name: &str| find(Path::new(name), &cwd, Some(&data));
        assert_eq!(find("a.yml").unwrap(), data.join("playbooks/a.yml"));
        assert_eq!(find("b").unwrap(), cwd.join("playbooks/b.yml"));
        write(cwd.join("playbooks/a.yml"));
        assert_eq!(find("a.yml").unwrap(), cwd.join("playbooks/a.yml"));
        write(cwd.join("a.yml"));
        assert_eq!(find("a.yml").unwrap(), cwd.join("a.yml"));
        let error = find("x/c.yml").unwrap_err().to_string();
        assert!(
            error.contains("cwd/x/c.yml") && !error.contains("playbooks"),
            "{error}"
        );
        let error = find("c.yml").unwrap_err().to_string();
        assert!(error.contains("data/playbooks/c.yml"), "{error}");
    }
}
