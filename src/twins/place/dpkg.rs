//! What dpkg's twin needs: dpkg has the name of the architecture that it was built for compiled in, as the one whose
//! packages it installs.

/// One of dpkg's programs, changed to have been built for `image` in place of `host`; `None` if it has that name
/// anywhere but in strings of its own and in its version, `1.21.22 (amd64)`.
pub fn with_architecture(mut program: Vec<u8>, host: &str, image: &str) -> Option<Vec<u8>> {
    // A compiler that has made instructions of the name has made them of its first four or eight bytes.
    let (host, image) = (host.as_bytes(), image.as_bytes());
    let start = host.get(..4).filter(|_| host.len() == image.len())?;
    let last = program.len().checked_sub(host.len() + 1)?;
    for at in 1..=program.len() - start.len() {
        if program[at] != start[0] || !program[at..].starts_with(start) {
            continue;
        }
        let end = at + host.len();
        let is_name = at < last && program[at..].starts_with(host);
        if !is_name || !matches!((program[at - 1], program[end]), (0, 0) | (b'(', b')')) {
            return None;
        }
        program[at..end].copy_from_slice(image);
    }
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(program: &[u8]) -> Option<Vec<u8>> {
        with_architecture(program.to_vec(), "amd64", "arm64")
    }

    #[test]
    fn the_name_is_changed_where_it_is_a_string_and_nothing_is_changed_elsewhere() {
        let program = b"\x7fELF\0amd64\0x\x001.21.22 (amd64)\0all\0";
        let wanted = b"\x7fELF\0arm64\0x\x001.21.22 (arm64)\0all\0";
        assert_eq!(changed(program).unwrap(), wanted);
        assert_eq!(changed(b"\x7fELF\0none\0").unwrap(), b"\x7fELF\0none\0");
        for unknown in [
            &b"..\0amd64-x\0"[..],
            b"\xc7\x44\x24amd6H",
            b"...\0amd64",
            b"kamd64\0..",
        ] {
            assert_eq!(changed(unknown), None, "{unknown:?}");
        }
        assert_eq!(
            with_architecture(program.to_vec(), "amd64", "riscv64"),
            None
        );
    }

    /// A build that is laid out otherwise has to be looked at: it would have no twin.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_builds_of_this_machine_are_laid_out_as_is_known() {
        use std::{fs, os::unix::fs::PermissionsExt, process::Command};

        let folder = tempfile::tempdir().unwrap();
        for name in [
            "dpkg",
            "dpkg-deb",
            "dpkg-query",
            "dpkg-divert",
            "dpkg-trigger",
        ] {
            let program = fs::read(format!("/usr/bin/{name}")).unwrap_or_else(|e| {
                panic!("/usr/bin/{name}: {e}; these tests need a Debian or Ubuntu")
            });
            let changed = with_architecture(program, "amd64", "arm64");
            let changed = changed.unwrap_or_else(|| panic!("{name} is laid out otherwise"));
            let path = folder.path().join(name);
            fs::write(&path, changed).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let dpkg = folder.path().join("dpkg");
        let printed = Command::new(dpkg).arg("--print-architecture").output();
        assert_eq!(printed.unwrap().stdout, b"arm64\n");
    }
}
