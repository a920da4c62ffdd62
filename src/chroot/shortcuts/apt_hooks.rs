//! What packages have apt run after `apt-get update`: indexes for a person at a running machine, such as
//! of commands that are not installed. Under an emulator that takes long.
//!
//! apt reads our file after those of the packages and forgets their hooks; none of them is touched.
//! An index is made anew by the machine's own next update.

use std::path::Path;

use crate::{chroot::placeholders, sys::inroot::Root};

/// Where apt reads what its hooks are.
const FOLDER: &str = "etc/apt/apt.conf.d";
/// Ours, the last one that apt reads there.
pub const FILE: &str = "etc/apt/apt.conf.d/zz-pichroot";
/// Where that leads.
pub const TARGET: &str = "/run/pichroot/apt.conf";
/// What it holds. The time stamp is what Ansible tells by whether an update is due.
pub const TEXT: &str = r#"// Put here by pichroot while it provisions the image.
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Post-Invoke-Success {
    "test ! -e /etc/apt/apt.conf.d/15update-stamp || touch /var/lib/apt/periodic/update-success-stamp 2>/dev/null || true";
};
"#;
/// For needrestart, which runs after every installation and looks for services to start anew.
pub const ENVIRONMENT: (&str, &str) = ("NEEDRESTART_SUSPEND", "1");

/// The files whose hooks do nothing but that: of update-notifier (the time stamp, and how many updates a login
/// is told of), PackageKit, AppStream and command-not-found.
const KNOWN: [&str; 5] = [
    "15update-stamp",
    "20packagekit",
    "50appstream",
    "50command-not-found",
    "99update-notifier",
];
/// A file with hooks is shorter, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// With more files than that it is unlike any apt's.
const MAX_FILES: usize = 200;

/// Whether the image has apt, and no hooks of its own: those stay, and with them all others.
///
/// # Errors
/// Says why not.
pub fn possible_in(root: &Root) -> Result<(), String> {
    let names = root.names(FOLDER.as_ref(), MAX_FILES);
    let names = names.map_err(|error| format!("cannot read the image's /{FOLDER}: {error}"))?;
    let unknown_hooks = |name: &String| {
        let text = root.read(&Path::new(FOLDER).join(name), MAX_FILE);
        !KNOWN.contains(&name.as_str()) && text.is_ok_and(|text| has_hooks(&text))
    };
    if !placeholders::is_free(root, FILE, TARGET) {
        return Err(format!("the image has a /{FILE} of its own"));
    }
    match names.iter().find(|name| unknown_hooks(name)) {
        Some(name) => Err(format!("/{FOLDER}/{name} has hooks of its own")),
        None => Ok(()),
    }
}

/// Whether a file of apt's names such hooks: `APT::Update::Post-Invoke`, with or without `-Success`, or the same in
/// braces. dpkg's have the same name; those of Ubuntu Pro, `-Stats`, stay.
fn has_hooks(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let count = |part| text.matches(part).count();
    count("post-invoke") > count("dpkg::post-invoke") + count("post-invoke-stats")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_hooks_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        let possible = || possible_in(&Root::open(dir.path()).unwrap()).is_ok();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        assert!(!possible(), "no apt");
        std::fs::create_dir_all(&folder).unwrap();
        write("99needrestart", "DPkg::Post-Invoke {\"x\";};");
        write(
            "20apt-esm-hook.conf",
            "APT::Update::Post-Invoke-Stats {\"x\";};",
        );
        write(
            "50command-not-found",
            "APT::Update::Post-Invoke-Success {\"x\";};",
        );
        // As Ubuntu's server has it.
        write(
            "99update-notifier",
            "DPkg::Post-Invoke {\"x\";};\nAPT::Update::Post-Invoke-Success {\"x\";};",
        );
        assert!(possible());
        for own in [
            "apt::update::post-invoke {\"x\";};",
            "APT { Update { Post-Invoke {\"x\";};};};",
        ] {
            write("99own", own);
            assert!(!possible(), "{own}");
        }
        write("99own", "");
        assert!(possible());
        let ours = folder.join("zz-pichroot");
        std::os::unix::fs::symlink(TARGET, &ours).unwrap();
        assert!(possible(), "left by a killed run");
        std::fs::remove_file(ours).unwrap();
        write("zz-pichroot", "");
        assert!(!possible(), "our place is taken");
    }
}
