//! Files that a template names, and where they are from the folder of what is written.

use std::path::{Component, Path, PathBuf};

use super::wanted::Wanted;

/// Where files may be.
#[derive(Debug)]
pub struct Places {
    /// The template's name without its endings.
    pub stem: String,
    /// The working directory, where Packer looks.
    cwd: PathBuf,
    /// The template's folder.
    beside: PathBuf,
    /// The folder that the files are for.
    folder: PathBuf,
}

impl Places {
    /// The places of this template.
    pub fn new(wanted: &Wanted) -> Self {
        let name = wanted
            .template
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let endings = [".pkr.hcl", ".hcl", ".json"];
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
        let stem = stem.unwrap_or(&name);
        Places {
            stem: if stem.is_empty() { "template" } else { stem }.to_owned(),
            cwd: wanted.cwd.clone(),
            beside: wanted.beside().to_owned(),
            folder: wanted.folder.clone(),
        }
    }

    /// The path of the folder from the working directory.
    pub fn way(&self) -> String {
        relative(&tidy(&self.folder), &tidy(&self.cwd))
    }

    /// An address as it is; a path as [`find`](Self::find) gives it.
    pub fn location(&self, named: &str) -> String {
        match named.contains("://") {
            true => named.to_owned(),
            false => self.find(named).0,
        }
    }

    /// The path of `named` from the folder that the files are for, and whether there is such a file.
    pub fn find(&self, named: &str) -> (String, bool) {
        let slash = if named.ends_with('/') { "/" } else { "" };
        let candidates = [self.cwd.join(named), self.beside.join(named)];
        let found = candidates.iter().find(|path| path.exists());
        let path = tidy(found.unwrap_or(&candidates[0]));
        (
            relative(&path, &tidy(&self.folder)) + slash,
            found.is_some(),
        )
    }
}

/// Without `.` and, where that says the same, without `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// `path` from `folder`; both are absolute.
fn relative(path: &Path, folder: &Path) -> String {
    let shared = path.components().zip(folder.components());
    let shared = shared.take_while(|(one, other)| one == other).count();
    // With nothing in common, the whole path says it better.
    if shared <= 1 {
        return path.display().to_string();
    }
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    let down = path.components().skip(shared);
    let relative: PathBuf = up.chain(down).collect();
    relative.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_a_folder() {
        let from = |path: &str, folder: &str| relative(&tidy(Path::new(path)), Path::new(folder));
        assert_eq!(from("/h/me/packer/../site.yml", "/h/me/new"), "../site.yml");
        assert_eq!(from("/h/me/new/./x", "/h/me/new"), "x");
        assert_eq!(from("/etc/x", "/h/me"), "/etc/x");
    }
}
