//! Devices, which programs of the image cannot make: a package's scripts get files in their place.
//!
//! Only in /dev, which is the chroot's own and never the image's. A program of ours stands before mknod where apt has
//! dpkg find programs.

/// Ours.
pub const AT: &str = "/run/pichroot/bin/mknod";
/// Its text.
pub const PROGRAM: &str = include_str!("mknod.sh");
/// apt gives dpkg a `PATH` of its own. Here it reads that first, so that what the image says itself wins.
pub const APT_FILE: &str = "etc/apt/apt.conf.d/00pichroot-nodes";
/// Where that leads.
pub const APT_TARGET: &str = "/run/pichroot/apt-nodes.conf";
/// What it holds: our folder, and what apt has by itself.
pub const APT_TEXT: &str = r#"// Put here by pichroot while it provisions the image.
DPkg::Path "/run/pichroot/bin:/usr/sbin:/usr/bin:/sbin:/bin";
"#;

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        process::{Command, Output},
    };

    /// The program with a mknod that can make nothing, in a folder that it takes for /dev.
    fn run(dir: &std::path::Path, line: &str) -> Output {
        let at = |name: &str| dir.join(name).display().to_string();
        let fails = "#!/bin/sh\necho refused >&2\nexit 1\n";
        fs::write(at("fails"), fails).unwrap();
        fs::set_permissions(at("fails"), PermissionsExt::from_mode(0o755)).unwrap();
        let program = super::PROGRAM
            .replace("real=/usr/bin/mknod", &format!("real={}", at("fails")))
            .replace("dev=/dev", &format!("dev={}", at("dev")));
        fs::write(at("mknod"), program).unwrap();
        fs::create_dir_all(at("dev")).unwrap();
        let mut command = Command::new("sh");
        command.arg(at("mknod")).args(line.split_whitespace());
        command.current_dir(at("dev")).output().unwrap()
    }

    #[test]
    fn only_what_is_to_be_in_dev_gets_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let dev = |name: &str| dir.path().join("dev").join(name);
        fs::create_dir(dir.path().join("dev")).unwrap();
        fs::write(dev("null"), "").unwrap();
        for line in ["-m 640 ppp c 108 0", "tty1- c 4 1", "--mode=600 sda b 8 0"] {
            assert!(run(dir.path(), line).status.success(), "{line}");
        }
        let mode = |name| fs::metadata(dev(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode("ppp"), mode("tty1-"), mode("sda")],
            [0o640, 0o666, 0o600]
        );
        for line in [
            "null c 1 3",
            "null- c 1 3",
            "fifo p",
            "../x c 1 3",
            "/srv/x c 1 3",
            "",
            "x",
        ] {
            let refused = run(dir.path(), line);
            assert_eq!(refused.status.code(), Some(1), "{line}");
            assert_eq!(
                String::from_utf8(refused.stderr).unwrap(),
                "refused\n",
                "{line}"
            );
        }
        assert!(!dev("fifo").exists() && !dev("null-").exists() && !dir.path().join("x").exists());
    }
}
