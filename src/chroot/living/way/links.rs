//! Links to the asker under the names of these programs, in a folder that comes first in `PATH`.
//!
//! For kernels without a binfmt_misc for us. What is started by its whole path, or with another `PATH`, is not found here.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use super::present::Present;
use crate::error::{Context, Kind, Result};

/// It; maintainers' scripts of packages have it in their `PATH`, too.
pub const FOLDER: &str = "/run/pichroot/bin";
/// The asker.
const ASKER: &str = "/run/pichroot/asker";

/// All links.
#[derive(Debug)]
pub struct Links {
    folder: PathBuf,
    made: BTreeSet<&'static str>,
}

impl Links {
    /// None yet.
    ///
    /// # Errors
    /// When the asker cannot be written.
    pub fn new(asker: &[u8]) -> Result<Self> {
        let failed = || format!("cannot write {ASKER} in the chroot");
        fs::write(ASKER, asker).context(Kind::Host, failed)?;
        fs::set_permissions(ASKER, PermissionsExt::from_mode(0o755)).context(Kind::Host, failed)?;
        Ok(Links {
            folder: FOLDER.into(),
            made: BTreeSet::new(),
        })
    }

    /// Makes those of programs that are `present`, and removes all others.
    pub fn update(&mut self, present: &[Present]) {
        let wanted: BTreeSet<_> = present.iter().map(|program| program.name).collect();
        let at = |name: &str| self.folder.join(name);
        for name in self.made.difference(&wanted) {
            // The image may have removed it.
            let _ = fs::remove_file(at(name));
        }
        for name in wanted.difference(&self.made) {
            let _ = symlink(ASKER, at(name));
        }
        self.made = wanted;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::chroot::living::way::present;

    #[test]
    fn there_is_one_for_each_program_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (root, folder) = (dir.path(), dir.path().join("first"));
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mknod"), "another one's").unwrap();
        let program = |name: &str| {
            let path = root.join("bin").join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        let mut links = Links {
            folder: folder.clone(),
            made: BTreeSet::new(),
        };
        let mut names = || {
            links.update(&present::all(root));
            let entries = fs::read_dir(&folder).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["mknod"]);
        program("reboot");
        program("ls");
        assert_eq!(names(), ["mknod", "reboot"]);
        fs::remove_file(root.join("bin/reboot")).unwrap();
        program("halt");
        assert_eq!(names(), ["halt", "mknod"]);
        assert_eq!(
            fs::read_link(folder.join("halt")).unwrap(),
            Path::new(ASKER)
        );
    }
}
