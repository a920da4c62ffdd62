//! Whether the image's apt has a proxy of its own: then that one may be the only way out, and ours is not put in.
//!
//! With ours, https would go directly, while apt by itself takes the image's proxy for http for that, too.

use std::{io::ErrorKind, path::Path};

use crate::sys::inroot::Root;

/// Where apt's configuration is, beside the files of [`FOLDER`].
const FILE: &str = "etc/apt/apt.conf";
/// The folder with more of it.
const FOLDER: &str = "etc/apt/apt.conf.d";
/// A file of it is shorter, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// With more files than that it is unlike any apt's.
const MAX_FILES: usize = 200;

/// Whether the configuration in the image at `root` names a proxy, or a program that finds one; or cannot be looked
/// through.
pub fn is_named(root: &Root) -> bool {
    let named = |path: &Path| root.read(path, MAX_FILE).is_ok_and(|text| names_one(&text));
    let in_folder = match root.names(FOLDER.as_ref(), MAX_FILES) {
        Ok(names) => (names.iter()).any(|it| is_read(it) && named(&Path::new(FOLDER).join(it))),
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    in_folder || named(FILE.as_ref())
}

/// Whether apt reads a file of this name there.
fn is_read(name: &str) -> bool {
    let end = Path::new(name).extension();
    end.is_none_or(|end| end == "conf")
}

/// Whether a line that is no comment is about one, be it `Acquire::http::Proxy`, the same in braces, or
/// `Proxy-Auto-Detect`.
fn names_one(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_start);
    lines.any(|line| {
        let is_comment = line.starts_with("//") || line.starts_with('#');
        !is_comment && line.to_ascii_lowercase().contains("proxy")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_proxy_is_found_wherever_and_however_apt_is_told_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let named = || is_named(&Root::open(dir.path()).unwrap());
        assert!(!named(), "no apt");
        fs::create_dir_all(dir.path().join(FOLDER)).unwrap();
        let write = |path: &str, text: &str| fs::write(dir.path().join(path), text).unwrap();
        let proxy = "Acquire::http::Proxy \"http://proxy:3128\";\n";
        for path in [
            FILE,
            "etc/apt/apt.conf.d/95proxies",
            "etc/apt/apt.conf.d/p.conf",
        ] {
            for text in [
                proxy,
                "acquire::HTTP::proxy::repo.example \"DIRECT\";",
                "Acquire {\n  http {\n    Proxy \"http://proxy:3128\";\n  };\n};",
                "Acquire::http::Proxy-Auto-Detect \"/usr/bin/find-one\";",
            ] {
                write(path, text);
                assert!(named(), "{path}: {text}");
            }
            for text in [
                "",
                "// Proxy\n  # Acquire::http::Proxy \"x\";\nAcquire::Retries 3;",
            ] {
                write(path, text);
                assert!(!named(), "{path}: {text}");
            }
        }
        write("etc/apt/apt.conf.d/95proxies.disabled", proxy);
        assert!(!named());
    }
}
