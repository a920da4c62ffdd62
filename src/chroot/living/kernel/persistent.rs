//! What the image's files say of modules for every time that one is loaded: modprobe.d(5).

use super::{
    catalogue::name_of,
    conf::{self, Conf},
};
use crate::sys::inroot::Root;

const FOLDER: &str = "modprobe.d";

/// Whether the files give this module all of these parameters.
pub fn has_parameters(root: &Root, module: &str, parameters: &[String]) -> bool {
    if parameters.is_empty() {
        return true;
    }
    let files = conf::files(root, FOLDER);
    let given = files
        .iter()
        .flat_map(words)
        .filter_map(|words| match &words[..] {
            ["options", name, given @ ..] if name_of(name) == module => Some(given.to_vec()),
            _ => None,
        });
    let given = given.flatten().collect::<Vec<_>>();
    parameters
        .iter()
        .all(|parameter| given.contains(&parameter.as_str()))
}

/// The file that keeps this module from being loaded for a device: as blacklisted, or as something else is run instead.
pub fn kept_out(root: &Root, module: &str) -> Option<String> {
    let files = conf::files(root, FOLDER);
    let keeps_out = |file: &&Conf| {
        words(file).any(|words| match &words[..] {
            ["blacklist", name] => name_of(name) == module,
            ["install", name, command, ..] => name_of(name) == module && nothing(command),
            _ => false,
        })
    };
    files.iter().find(keeps_out).map(|file| file.path.clone())
}

/// Whether this command loads nothing.
pub fn nothing(command: &str) -> bool {
    matches!(command.rsplit('/').next(), Some("true" | "false"))
}

fn words(file: &Conf) -> impl Iterator<Item = Vec<&str>> {
    conf::lines(&file.text).map(|line| line.split_whitespace().collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_give_parameters_and_keep_modules_out() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("etc/modprobe.d");
        fs::create_dir_all(&folder).unwrap();
        let text = "options dummy numdummies=2  debug\nblacklist usb-storage\ninstall cramfs /bin/true\ninstall x /sbin/modprobe y\n";
        fs::write(folder.join("a.conf"), text).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let parameters = |list: &[&str]| list.iter().map(|p| p.to_string()).collect::<Vec<_>>();
        assert!(has_parameters(
            &root,
            "dummy",
            &parameters(&["debug", "numdummies=2"])
        ));
        assert!(!has_parameters(
            &root,
            "dummy",
            &parameters(&["numdummies=3"])
        ));
        assert!(has_parameters(&root, "other", &[]));
        let file = Some("/etc/modprobe.d/a.conf");
        assert_eq!(kept_out(&root, "usb_storage").as_deref(), file);
        assert_eq!(kept_out(&root, "cramfs").as_deref(), file);
        assert_eq!(kept_out(&root, "x"), None);
    }
}
