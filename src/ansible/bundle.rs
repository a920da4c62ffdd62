//! The bundle: what Ansible needs of pichroot, which the program carries. The connection plugin, and the playbooks
//! that come along.
//!
//! It is written beside a run's inventory, so a run needs no files but the program.

use std::path::Path;

use crate::sys::private_files::PrivateFiles;

/// Each file's path and text, from build.rs.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// Where it is written, in the run's folder.
pub const FOLDER: &str = "bundle";
/// The folder of the connection plugin in it.
pub const CONNECTION_PLUGINS: &str = "ansible_plugins/plugins/connection";
/// The folder of the playbooks in it.
pub const PLAYBOOKS: &str = "playbooks";

/// Whether it has a file with this path.
pub fn has(path: &Path) -> bool {
    FILES.iter().any(|(name, _)| Path::new(name) == path)
}

/// The playbook in it whose name is most like `name`.
pub fn nearest(name: &Path) -> Option<&'static str> {
    let inside = FILES.iter().map(|(path, _)| Path::new(*path));
    let playbooks = inside.filter(|path| path.parent() == Some(Path::new(PLAYBOOKS)));
    let names: Vec<_> = playbooks
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    crate::nearest::nearest(name.to_str()?, &names)
}

/// Adds all of it to `files`.
pub fn add_to(files: &mut PrivateFiles) {
    for (path, text) in FILES {
        files.add(Path::new(FOLDER).join(path), *text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn it_is_written_as_it_is_in_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = PrivateFiles::default();
        add_to(&mut files);
        files.write(folder.path()).unwrap();
        let plugin = format!("{CONNECTION_PLUGINS}/chroot.py");
        for path in [
            &*plugin,
            "ansible_plugins/LICENSE",
            "playbooks/bootstrap-ubuntu-image.yml",
            "playbooks/roles/rbd_root/files/dracut/map-root.sh",
        ] {
            assert!(has(Path::new(path)), "{path}");
            let original = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let written = folder.path().join(FOLDER).join(path);
            assert_eq!(fs::read(written).unwrap(), fs::read(original).unwrap());
        }
        assert!(!has(Path::new("playbooks")) && !has(Path::new("build.rs")));
    }
}
