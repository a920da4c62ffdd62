//! `MODULES=dep` of initramfs-tools: the drivers of the machine that the initramfs is made on. In a chroot that is
//! the build machine, so an initramfs made there is to have most drivers, whatever the image says.
//!
//! Our file is the last that mkinitramfs reads, as a part of itself. It takes its own name out of what goes into the
//! initramfs, so nothing of ours is in there.

use crate::sys::inroot::Root;

/// Where mkinitramfs reads what overrides its configuration.
const FOLDER: &str = "etc/initramfs-tools/conf.d";
/// Ours, the last one there.
pub const FILE: &str = "etc/initramfs-tools/conf.d/zz-pichroot";
/// Where that leads.
pub const TARGET: &str = "/run/pichroot/initramfs-modules";
/// Where our file notes that it was needed.
pub const RECORD: &str = "/run/pichroot/initramfs-modules-used";
/// What it holds.
pub const TEXT: &str = r#"# Put here by pichroot while it provisions the image.
if [ "${MODULES:-}" = dep ]; then
	MODULES=most
	echo "pichroot: MODULES=most in place of dep, which would look at the build machine" >&2
	echo most >/run/pichroot/initramfs-modules-used
fi
# Not a part of the initramfs.
EXTRA_CONF=${EXTRA_CONF% *zz-pichroot}
"#;

/// Whether the image at `root` has initramfs-tools.
pub fn possible_in(root: &Root) -> bool {
    root.is_dir(FOLDER.as_ref())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// As mkinitramfs of Debian 12 does, and as older ones do.
    const READERS: [&str; 2] = [
        "EXTRA_CONF=' /etc/initramfs-tools/conf.d/a /etc/initramfs-tools/conf.d/zz-pichroot'; . FILE",
        "EXTRA_CONF=' a zz-pichroot'; for i in ${EXTRA_CONF}; do [ $i = a ] || . FILE; done",
    ];

    #[test]
    fn only_dep_is_replaced_and_our_name_goes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let record = at("record");
        std::fs::write(at("file"), TEXT.replace(RECORD, &record)).unwrap();
        for reader in READERS {
            for (modules, becomes) in [("dep", "most"), ("netboot", "netboot"), ("list", "list")] {
                let reader = reader.replace("FILE", &at("file"));
                let script =
                    format!("set -e; MODULES={modules}; {reader}; echo $MODULES$EXTRA_CONF");
                let output = Command::new("sh").args(["-c", &script]).output().unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(said.starts_with(becomes), "{said}");
                assert!(
                    said.ends_with("a\n") && !said.contains("pichroot"),
                    "{said}"
                );
                let noted = std::fs::remove_file(&record).is_ok();
                assert_eq!(noted, modules == "dep", "{modules}");
                assert_eq!(output.stderr.is_empty(), modules != "dep");
            }
        }
    }
}
