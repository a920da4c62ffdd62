//! Which packages an image has, by its package manager's own files.

use std::path::Path;

use crate::{event::PackageVersion, sys::inroot::Root};

/// The longest of these files that is read, in bytes.
const MAX: u64 = 64 << 20;
/// The most packages that are told.
const MOST: usize = 50_000;

/// All of them, by name; none where the package manager is not known.
pub fn packages(root: &Root) -> Vec<PackageVersion> {
    let read = |path: &str| root.read(Path::new(path), MAX).ok();
    let mut found = read("var/lib/dpkg/status").map_or_else(Vec::new, |text| dpkg(&text));
    if found.is_empty() {
        found = read("lib/apk/db/installed").map_or_else(Vec::new, |text| apk(&text));
    }
    if found.is_empty() {
        let names = root.names("var/lib/pacman/local".as_ref(), MOST);
        found = names
            .unwrap_or_default()
            .iter()
            .filter_map(|name| pacman(name))
            .collect();
    }
    found.truncate(MOST);
    found.sort();
    found
}

/// The value of a field in a stanza.
fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn dpkg(status: &str) -> Vec<PackageVersion> {
    let package = |stanza: &str| {
        let installed = field(stanza, "Status:")?.ends_with(" installed");
        let version = field(stanza, "Version:").filter(|_| installed)?;
        Some(PackageVersion {
            name: field(stanza, "Package:")?.to_owned(),
            version: version.to_owned(),
            architecture: field(stanza, "Architecture:").map(str::to_owned),
        })
    };
    status.split("\n\n").filter_map(package).collect()
}

fn apk(installed: &str) -> Vec<PackageVersion> {
    let package = |stanza: &str| {
        Some(PackageVersion {
            name: field(stanza, "P:")?.to_owned(),
            version: field(stanza, "V:")?.to_owned(),
            architecture: field(stanza, "A:").map(str::to_owned),
        })
    };
    installed.split("\n\n").filter_map(package).collect()
}

/// A folder's name: `name-version-release`.
fn pacman(folder: &str) -> Option<PackageVersion> {
    let (rest, release) = folder.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(PackageVersion {
        name: name.to_owned(),
        version: format!("{version}-{release}"),
        architecture: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let packages = packages(&Root::open(dir.path()).unwrap());
        packages
            .into_iter()
            .map(|one| (one.name, one.version))
            .collect()
    }

    #[test]
    fn each_package_manager_is_read() {
        let dpkg = "Package: zlib1g\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1:1.2\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                    Package: adduser\nStatus: install ok installed\nVersion: 3.134\n";
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(
            found("var/lib/dpkg/status", dpkg),
            [pair("adduser", "3.134"), pair("zlib1g", "1:1.2")]
        );
        let apk = "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:aarch64\n\nP:busybox\nV:1.36.1-r5\n";
        assert_eq!(
            found("lib/apk/db/installed", apk),
            [pair("busybox", "1.36.1-r5"), pair("musl", "1.2.4-r2")]
        );
        assert_eq!(
            found("var/lib/pacman/local/gcc-libs-13.2.1-3/desc", ""),
            [pair("gcc-libs", "13.2.1-3")]
        );
        assert_eq!(found("etc/x", ""), []);
    }
}
