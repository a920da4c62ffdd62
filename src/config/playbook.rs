//! Finds the playbook.

use std::path::{Path, PathBuf};

use crate::{
    ansible::bundle,
    error::{Context, Error, Kind, Result},
    nearest,
};

/// A playbook that was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Playbook {
    /// A file, by its absolute path.
    File(PathBuf),
    /// One that comes along, by its path in the bundle.
    Bundled(PathBuf),
}

impl Playbook {
    /// The playbook `given` means: a path from `cwd`, else a name in ./playbooks, else in the playbooks
    /// that come along, or those of `data_dir` in their place; the extension .yml may be left out of a name.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is none, with the places looked at, or it cannot be read.
    pub fn find(given: &Path, cwd: &Path, data_dir: Option<&Path>) -> Result<Self> {
        let mut candidates = vec![cwd.join(given)];
        let is_name = given.components().count() == 1 && given.is_relative();
        let names = if is_name { names(given) } else { Vec::new() };
        for folder in [Some(cwd), data_dir].into_iter().flatten() {
            candidates.extend(names.iter().map(|name| folder.join(name)));
        }
        candidates.dedup();
        if let Some(found) = candidates.iter().find(|path| path.is_file()) {
            std::fs::File::open(found)
                .context(Kind::Usage, || format!("cannot read {}", found.display()))
                .map_err(|error| error.hint("make the playbook readable for this user"))?;
            return Ok(Playbook::File(found.clone()));
        }
        if let Some(folder) = candidates.iter().find(|path| path.is_dir()) {
            return Err(folder_given(folder));
        }
        let mut bundled = names.into_iter().filter(|_| data_dir.is_none());
        bundled
            .find(|name| bundle::has(name))
            .map(Playbook::Bundled)
            .ok_or_else(|| missing(given, &candidates, data_dir.is_none()))
    }

    /// Its path in a run that has the bundle in the folder `bundle`.
    pub fn path(&self, bundle: &Path) -> PathBuf {
        bundle.join(self.name())
    }

    /// Its path as far as it is known before the run.
    pub fn name(&self) -> &Path {
        match self {
            Playbook::File(path) | Playbook::Bundled(path) => path,
        }
    }
}

/// Where the playbook of this name may be, in a folder that has playbooks.
fn names(given: &Path) -> Vec<PathBuf> {
    let path = Path::new(bundle::PLAYBOOKS).join(given);
    match given.extension() {
        Some(_) => vec![path],
        None => vec![path.clone(), path.with_extension("yml")],
    }
}

/// The error for a folder in the playbook's place, with the playbooks in it.
fn folder_given(folder: &Path) -> Error {
    /// How many are named.
    const NAMED: usize = 5;
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| {
        let yaml = path
            .extension()
            .is_some_and(|end| end == "yml" || end == "yaml");
        yaml && path.is_file()
    });
    let mut files: Vec<_> = files.map(|path| path.display().to_string()).collect();
    files.sort_unstable();
    files.truncate(NAMED);
    let what = format!("{} is a folder, not a playbook", folder.display());
    Error::usage(what).hint(match files.as_slice() {
        [] => "give the playbook's path".to_owned(),
        files => format!("name a playbook, such as {}", files.join(" or ")),
    })
}

fn missing(given: &Path, candidates: &[PathBuf], with_bundle: bool) -> Error {
    let places: Vec<_> = candidates.iter().map(|p| p.display().to_string()).collect();
    let meant = candidates.iter().find_map(|path| nearest::file(path));
    let what = format!(
        "there is no playbook {}: looked for {}",
        given.display(),
        places.join(", ")
    );
    Error::usage(what).hint(
        match (meant, bundle::nearest(given).filter(|_| with_bundle)) {
            (Some(path), _) => format!("did you mean {}?", path.display()),
            (None, Some(name)) => format!("did you mean {name}?"),
            (None, None) => "give the playbook's path, or the name of one in ./playbooks; \
                         bootstrap-ubuntu-image.yml comes with pichroot"
                .to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn path_then_own_then_bundled() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, data) = (folder.path().join("cwd"), folder.path().join("data"));
        let write = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            Playbook::File(path)
        };
        let name = "bootstrap-ubuntu-image";
        let find = |given: &str, data| Playbook::find(Path::new(given), &cwd, data);
        let from_data = write(data.join("playbooks/a.yml"));
        let own = write(cwd.join("playbooks/b.yml"));
        assert_eq!(find("a.yml", Some(&*data)).unwrap(), from_data);
        assert_eq!(find("b", Some(&*data)).unwrap(), own);
        assert!(find(name, Some(&*data)).is_err());

        let bundled = find(name, None).unwrap();
        assert_eq!(
            bundled.path(Path::new("/run/x")),
            Path::new("/run/x/playbooks/bootstrap-ubuntu-image.yml")
        );
        assert!(find("README", None).is_err());
        let own = write(cwd.join(format!("playbooks/{name}.yml")));
        assert_eq!(find(&format!("{name}.yml"), None).unwrap(), own);
        let own = write(cwd.join(format!("{name}.yml")));
        assert_eq!(find(&format!("{name}.yml"), None).unwrap(), own);
        assert_eq!(own.path(Path::new("/run/x")), own.name());
    }

    #[test]
    fn what_is_missing_was_looked_for() {
        let find = |given| {
            Playbook::find(
                Path::new(given),
                Path::new("/cwd"),
                Some(Path::new("/data")),
            )
        };
        let error = find("x/c.yml").unwrap_err().to_string();
        assert!(
            error.contains("/cwd/x/c.yml") && !error.contains("playbooks"),
            "{error}"
        );
        let error = find("c.yml").unwrap_err().to_string();
        assert!(error.contains("/data/playbooks/c.yml"), "{error}");
    }
}
